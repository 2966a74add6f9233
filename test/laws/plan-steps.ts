import fc from 'fast-check'
import { HOUR } from './calendar.ts'
import { OFFERS, type Trial } from './offers.ts'

/** What may be done with plans. Of what someone has one is meant that is counted from a number. */
export type PlanStep =
  | {
      do: 'attach'
      plan: number
      who: number | null
      quantity: number | null
      schedule: 'immediate' | 'end_of_cycle' | null
      /** From now, in milliseconds. */
      starts: number | null
      ends: number | null
      usages: boolean
      balances: boolean
      removed: number | null
      trial: Trial | 'none' | null
      /** When cycles begin, from now in milliseconds. */
      anchor: number | 'now' | null
    }
  | {
      do: 'attachAll'
      plans: { plan: number; who: number | null; quantity: number | null }[]
      starts: number | null
      trial: Trial | 'none' | null
      anchor: number | 'now' | null
    }
  | { do: 'cancel'; which: number; action: 'cancel_immediately' | 'cancel_end_of_cycle' | 'uncancel' }
  | { do: 'order'; which: number; quantity: number }
  /** It is given the items of another plan. */
  | { do: 'change'; which: number; as: number }
  | { do: 'reversion'; which: number; version: number }
  | { do: 'retry'; which: number; trial: Trial | 'none' }
  | { do: 'rephase'; which: number; anchor: number | 'now' }

const hours = (min: number, max: number) => fc.integer({ min, max }).map((n) => n * HOUR)
const plan = fc.nat(OFFERS.length - 1)
const which = fc.nat(5)
const seldom = <T>(one: fc.Arbitrary<T>) => fc.option(one, { freq: 5 }).map((value) => value)
const rarely = <T>(one: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: one })
const mostlyNot = fc.nat(3).map((n) => n === 0)

const trial = fc.oneof(
  fc.constant('none' as const),
  fc.record({ days: fc.integer({ min: 1, max: 70 }), card: fc.boolean() }),
)
const anchor = fc.oneof(fc.constant('now' as const), hours(-5, 1500))

const attach = fc.record({
  do: fc.constant('attach' as const),
  plan,
  who: rarely(fc.nat(2)),
  quantity: fc.option(fc.nat(16), { freq: 2 }),
  schedule: seldom(fc.constantFrom('immediate' as const, 'end_of_cycle' as const)),
  starts: rarely(hours(-900, 900)),
  ends: rarely(hours(-10, 2000)),
  usages: mostlyNot,
  balances: mostlyNot,
  removed: rarely(plan),
  trial: rarely(trial),
  anchor: rarely(anchor),
})
const one = fc.record({ plan, who: rarely(fc.nat(2)), quantity: fc.option(fc.nat(16), { freq: 2 }) })
const attachAll = fc.record({
  do: fc.constant('attachAll' as const),
  plans: fc.array(one, { minLength: 1, maxLength: 3 }),
  starts: rarely(hours(-900, 900)),
  trial: rarely(trial),
  anchor: rarely(anchor),
})
const cancel = fc.record({
  do: fc.constant('cancel' as const),
  which,
  action: fc.constantFrom(
    'cancel_immediately' as const,
    'cancel_end_of_cycle' as const,
    'cancel_end_of_cycle' as const,
    'uncancel' as const,
  ),
})
const order = fc.record({ do: fc.constant('order' as const), which, quantity: fc.nat(16) })
const change = fc.record({ do: fc.constant('change' as const), which, as: plan })

export const planStep: fc.Arbitrary<PlanStep> = fc.oneof(
  { weight: 8, arbitrary: attach },
  { weight: 2, arbitrary: attachAll },
  { weight: 4, arbitrary: cancel },
  { weight: 3, arbitrary: order },
  { weight: 2, arbitrary: change },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('reversion' as const), which, version: fc.integer({ min: 1, max: 2 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retry' as const), which, trial }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rephase' as const), which, anchor }) },
)

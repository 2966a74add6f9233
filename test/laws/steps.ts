import fc from 'fast-check'
import { type Every, HOUR, INTERVALS, type Interval, MINUTE } from './calendar.ts'
import { type PlanStep, planStep } from './plan-steps.ts'
import type { Behavior, Feature } from './rows.ts'

export const FEATURES: readonly Feature[] = ['messages', 'images', 'seats', 'credits', 'gold']
const NAMES = ['desk', 'lamp', 'chair'] as const

/** The customer itself, or one of the entities that are there: which one is counted from this number. */
export type Who = number | null
/** Which clock is moved: the one of the machine, of the whole sandbox, or of the customer. */
export type Clock = 'machine' | 'sandbox' | 'customer'
/** Which balances of a feature are meant: one of those that may pay for it, or those with an interval, or all. */
interface Meant {
  only: number | null
  interval: Interval | 'one_off' | null
}

export interface Keeping {
  max: number | null
  percent: number | null
  months: number | null
}

/** Times are lengths in milliseconds, counted from the step. */
export type Step =
  | PlanStep
  | {
      do: 'grant'
      feature: Feature
      who: Who
      amount: number
      every: Every | null
      first: number | null
      keeping: Keeping | null
      life: number | null
    }
  | { do: 'unlimited'; feature: Feature; who: Who; life: number | null }
  | { do: 'track'; feature: Feature; who: Who; value: number; behavior: Behavior }
  | { do: 'use'; feature: Feature; who: Who; value: number }
  | { do: 'refund'; back: number; eighths: number | null }
  | ({ do: 'update'; feature: Feature; who: Who; change: Change } & Meant)
  | { do: 'recalculate'; feature: Feature; who: Who; interval: Meant['interval'] }
  | {
      do: 'delete'
      which: number
      scope: 'one' | 'of an owner' | 'of a feature'
      keepsUse: boolean
      interval: Meant['interval']
    }
  | { do: 'enter'; id: string | null }
  | { do: 'leave'; who: number }
  | {
      do: 'lock'
      feature: Feature
      who: Who
      /** Which of a few ids: some are taken. */
      id: number
      value: number
      behavior: Behavior
      /** From now; below zero in the past, null for no lapse of its own. */
      life: number | null
      by: 'check' | 'track'
    }
  | { do: 'finalize'; which: number; used: Used; keepsOpen: boolean }
  | { do: 'extend'; which: number; time: number }
  /** The customer is deleted with all it has, and another one comes who is called alike. */
  | { do: 'replace' }
  | { do: 'share' }
  | { do: 'wait'; time: number; clock: Clock }
  | { do: 'boundary'; early: boolean; clock: Clock }
  | { do: 'restart' }
  | { do: 'touch' }

/** How much of what is held was used: all that is held, nothing, so many eighths of it, or an amount. */
export type Used = 'all' | 'none' | { eighths: number } | { units: number }

interface Change {
  amount: readonly ['remaining' | 'add_to_balance' | 'usage', number] | null
  grant: number | null
  next: number | null
  /** 'reset' is the very instant at which the balance that is named resets next. */
  expires: number | 'reset' | null
}

/** Mostly halves; sometimes with as many decimals as there may be. */
const some = (min: number, max: number) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: min * 2, max: max * 2 }).map((n) => n / 2) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.integer({ min, max: max - 1 }), fc.integer({ min: 1, max: 999 }))
        .map(([whole, finest]) => Number(`${whole}.${String(finest).padStart(12, '0')}`)),
    },
  )
/** One time out of four. */
const seldom = <T>(one: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: one })
const feature = fc.constantFrom(...FEATURES)
const who = fc.option(fc.nat(2), { freq: 2 })
const hours = (min: number, max: number) => fc.integer({ min, max }).map((n) => n * HOUR)
const clock = fc.constantFrom<Clock>('machine', 'machine', 'sandbox', 'customer')
const life = fc.option(hours(1, 2000), { freq: 3 })
/** Of those that are short not many, or a year would have too many periods to be walked one by one. */
const every = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .constantFrom<Interval>('day', 'week', 'month', 'month', 'quarter', 'semi_annual', 'year')
      .map((interval) => ({ interval, count: 1 })),
  },
  {
    weight: 4,
    arbitrary: fc.record({ interval: fc.constantFrom(...INTERVALS.slice(2)), count: fc.integer({ min: 2, max: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Every>(
      { interval: 'hour', count: 5 },
      { interval: 'hour', count: 36 },
      { interval: 'minute', count: 500 },
    ),
  },
)
const months = fc.option(fc.integer({ min: 0, max: 3 }), { freq: 3 })
const keeping = fc.oneof(
  fc.record({ max: fc.option(some(0, 60)), percent: fc.constant(null), months }),
  fc.record({ max: fc.constant(null), percent: fc.integer({ min: 1, max: 200 }).map((n) => n / 2), months }),
)
const meant = {
  only: fc.option(fc.nat(5), { freq: 2 }),
  interval: seldom(fc.constantFrom<Interval | 'one_off'>('day', 'month', 'one_off')),
}
const grant = fc.record({
  do: fc.constant('grant' as const),
  feature,
  who,
  amount: some(0, 40),
  every: fc.option(every, { freq: 2 }),
  first: seldom(hours(1, 1500)),
  keeping: fc.option(keeping),
  life,
})
const unlimited = fc.record({ do: fc.constant('unlimited' as const), feature, who, life })
const change = fc.record({
  amount: fc.option(
    fc.tuple(fc.constantFrom('remaining' as const, 'add_to_balance' as const, 'usage' as const), some(-40, 60)),
    { freq: 3 },
  ),
  grant: seldom(some(-10, 60)),
  next: seldom(fc.oneof(hours(-1500, 1500), hours(-30, 0))),
  expires: seldom(fc.oneof(hours(0, 1500), fc.constant('reset' as const))),
})

const is = <K extends Step['do']>(kind: K) => fc.constant(kind)
const track = fc.record({
  do: is('track'),
  feature,
  who,
  value: some(-30, 60),
  behavior: fc.constantFrom<Behavior>('cap', 'reject', 'overflow', 'overflow'),
})
const use = fc.record({ do: is('use'), feature, who, value: some(0, 30) })
const refund = fc.record({
  do: is('refund'),
  back: fc.nat(5),
  eighths: fc.option(fc.integer({ min: 1, max: 9 }), { freq: 2 }),
})
const update = fc.record({ do: is('update'), feature, who, change, ...meant })
const recalculate = fc.record({ do: is('recalculate'), feature, who, interval: meant.interval })
const remove = fc.record({
  do: is('delete'),
  which: fc.nat(9),
  scope: fc.constantFrom('one' as const, 'one' as const, 'of an owner' as const, 'of a feature' as const),
  keepsUse: fc.boolean(),
  interval: meant.interval,
})
const enter = fc.record({ do: is('enter'), id: fc.option(fc.constantFrom(...NAMES), { freq: 6 }) })
const leave = fc.record({ do: is('leave'), who: fc.nat(2) })
const wait = fc.record({
  do: is('wait'),
  time: fc.oneof(
    { weight: 4, arbitrary: hours(1, 1500) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 90 * MINUTE }) },
  ),
  clock,
})
const boundary = fc.record({ do: is('boundary'), early: fc.boolean(), clock })
const lock = fc.record({
  do: is('lock'),
  feature,
  who,
  id: fc.nat(4),
  value: fc.oneof(
    { weight: 12, arbitrary: some(0, 40) },
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: some(-20, 0) },
  ),
  behavior: fc.constantFrom<Behavior>('reject', 'cap', 'cap', 'overflow'),
  life: fc.oneof(
    { weight: 4, arbitrary: fc.constant(null) },
    { weight: 8, arbitrary: hours(0, 24) },
    { weight: 1, arbitrary: hours(-2, 26) },
  ),
  by: fc.constantFrom('check' as const, 'check' as const, 'track' as const),
})
const finalize = fc.record({
  do: is('finalize'),
  which: fc.nat(6),
  used: fc.oneof(
    { weight: 3, arbitrary: fc.constant<Used>('all') },
    { weight: 3, arbitrary: fc.constant<Used>('none') },
    { weight: 6, arbitrary: fc.integer({ min: -2, max: 14 }).map((eighths): Used => ({ eighths })) },
    { weight: 2, arbitrary: some(-20, 50).map((units): Used => ({ units })) },
  ),
  keepsOpen: fc.nat(3).map((n) => n === 0),
})
const extend = fc.record({ do: is('extend'), which: fc.nat(6), time: hours(-1, 25) })
const bare = <K extends 'share' | 'restart' | 'touch' | 'replace'>(kind: K) => fc.record({ do: is(kind) })

const anything: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: grant },
  { weight: 1, arbitrary: unlimited },
  { weight: 8, arbitrary: track },
  { weight: 3, arbitrary: use },
  { weight: 4, arbitrary: refund },
  { weight: 6, arbitrary: update },
  { weight: 3, arbitrary: recalculate },
  { weight: 2, arbitrary: remove },
  { weight: 3, arbitrary: enter },
  { weight: 2, arbitrary: leave },
  { weight: 4, arbitrary: lock },
  { weight: 4, arbitrary: finalize },
  { weight: 1, arbitrary: extend },
  { weight: 1, arbitrary: bare('share') },
  { weight: 3, arbitrary: wait },
  { weight: 4, arbitrary: boundary },
  { weight: 1, arbitrary: bare('restart') },
  { weight: 1, arbitrary: bare('touch') },
)
/** What may happen besides grants and uses. */
const TURNS = [
  ...(['use', 'refund', 'update', 'recalculate', 'delete', 'leave', 'share', 'wait', 'boundary'] as const),
  ...(['lock', 'finalize', 'replace'] as const),
]

/** Uses that are given back, while what they were taken from goes its way. */
const givingBack: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: grant },
  { weight: 6, arbitrary: track.map((one) => ({ ...one, value: Math.abs(one.value) })) },
  { weight: 2, arbitrary: use },
  { weight: 8, arbitrary: refund },
  { weight: 3, arbitrary: boundary },
  { weight: 1, arbitrary: wait },
  { weight: 2, arbitrary: update },
  { weight: 2, arbitrary: update.map((one) => ({ ...one, change: { ...one.change, next: -HOUR } })) },
  { weight: 1, arbitrary: remove },
  { weight: 1, arbitrary: fc.oneof(recalculate, leave, enter, bare('share'), bare('restart')) },
)
/** Time that passes over what resets, rolls over and ends. */
const timePassing: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: grant },
  { weight: 5, arbitrary: track },
  { weight: 6, arbitrary: boundary },
  { weight: 3, arbitrary: wait },
  { weight: 4, arbitrary: update },
  { weight: 2, arbitrary: remove.map((one) => ({ ...one, keepsUse: true, scope: 'one' as const })) },
  { weight: 1, arbitrary: fc.oneof(refund, bare('restart'), bare('touch')) },
)
/** Debts, and what becomes of them. */
const owing: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: grant },
  { weight: 6, arbitrary: track.map((one) => ({ ...one, behavior: 'overflow' as const })) },
  { weight: 4, arbitrary: recalculate },
  { weight: 2, arbitrary: remove.map((one) => ({ ...one, keepsUse: true })) },
  {
    weight: 4,
    arbitrary: update.map((one) => ({
      ...one,
      change: { ...one.change, amount: one.change.amount ?? (['remaining', -5] as const) },
    })),
  },
  { weight: 1, arbitrary: fc.oneof(refund, boundary, enter, leave) },
)

/** What resets and ends within the day that a lock may last. */
const brief = grant.chain((one) =>
  fc
    .record({
      every: fc.option(
        fc.constantFrom<Every>(
          { interval: 'hour', count: 5 },
          { interval: 'day', count: 1 },
          { interval: 'minute', count: 500 },
          { interval: 'month', count: 1 },
        ),
        { freq: 3 },
      ),
      first: fc.option(hours(1, 30), { freq: 1 }),
      life: fc.option(hours(1, 40), { freq: 1 }),
    })
    .map((terms) => ({ ...one, ...terms })),
)
/** What may become of what is held. */
const happening: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: boundary },
  { weight: 1, arbitrary: wait.map((one) => ({ ...one, time: (one.time % (30 * HOUR)) + 1 })) },
  { weight: 3, arbitrary: track },
  { weight: 1, arbitrary: fc.oneof(use, refund) },
  { weight: 2, arbitrary: update },
  { weight: 2, arbitrary: update.map((one) => ({ ...one, change: { ...one.change, next: -HOUR } })) },
  { weight: 2, arbitrary: remove },
  { weight: 1, arbitrary: fc.oneof(recalculate, leave, leave, enter, bare('share'), bare('replace')) },
  { weight: 1, arbitrary: fc.oneof(bare('restart'), bare('touch')) },
)
/** Locks, while what they hold goes its way. */
const holding: fc.Arbitrary<Step[]> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.array(lock, { minLength: 1, maxLength: 2 }), fc.array(happening, { maxLength: 3 }), finalize)
      .map(([locks, between, end]) => [...locks, ...between, end]),
  },
  { weight: 2, arbitrary: fc.oneof(brief, extend, finalize, happening).map((one) => [one]) },
)

/** Features that concern one another, by how they pay for each other. */
const CIRCLES: Feature[][] = [
  ['messages'],
  ['messages', 'seats'],
  ['messages', 'credits'],
  ['messages', 'credits', 'gold'],
  ['messages', 'images', 'credits'],
]
/**
 * What a history is about: who is there from the beginning and with what, which features are used and what may happen. Each
 * leaves out some of it, so that what is left meets more often than it would among everything.
 */
const plotOf = (grants: fc.Arbitrary<Step>) =>
  fc.record({
    names: fc.subarray([...NAMES], { maxLength: 2 }),
    features: fc.oneof(fc.constantFrom(...CIRCLES), fc.subarray([...FEATURES], { minLength: 1, maxLength: 3 })),
    turns: fc.subarray([...TURNS]),
    grants: fc.array(grants, { minLength: 1, maxLength: 6, size: 'medium' }),
  })
const plot = plotOf(fc.oneof({ weight: 7, arbitrary: grant }, { weight: 1, arbitrary: unlimited }))
const several = (step: fc.Arbitrary<Step>) => fc.array(step, { minLength: 1, maxLength: 25, size: 'medium' })
const about = (step: fc.Arbitrary<Step>) =>
  fc.tuple(
    plot.map((one) => ({ ...one, turns: [...TURNS] })),
    several(step),
  )

const aboutLocks = fc.tuple(
  plotOf(fc.oneof({ weight: 20, arbitrary: brief }, { weight: 1, arbitrary: unlimited })).map((one) => ({
    ...one,
    turns: [...TURNS],
  })),
  fc.array(holding, { minLength: 2, maxLength: 9, size: 'medium' }).map((parts) => parts.flat()),
)

/** Plans, while what they give is used and time passes. */
const planning: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: planStep },
  {
    weight: 8,
    arbitrary: track.map((one) => ({ ...one, behavior: one.value < 10 ? one.behavior : ('cap' as const) })),
  },
  { weight: 2, arbitrary: use },
  { weight: 5, arbitrary: boundary },
  { weight: 2, arbitrary: wait },
  { weight: 2, arbitrary: fc.oneof(enter, leave) },
  { weight: 1, arbitrary: fc.oneof(grant, lock, finalize, refund) },
  { weight: 1, arbitrary: update.map((one) => ({ ...one, only: null, change: { ...one.change, expires: null } })) },
  { weight: 1, arbitrary: fc.oneof(recalculate, bare('share'), bare('restart'), bare('touch'), bare('replace')) },
)
const SOLD: Feature[] = ['messages', 'messages', 'images', 'seats', 'credits']

/** What may become of plans, in a catalogue that has them. */
export const planHistory = fc
  .tuple(fc.subarray([...NAMES], { maxLength: 2 }), fc.array(planning, { minLength: 2, maxLength: 30, size: 'medium' }))
  .map(([names, steps]): Step[] => [
    ...names.map((id) => ({ do: 'enter' as const, id })),
    ...steps.map((one) =>
      'feature' in one ? sensible({ ...one, feature: SOLD[FEATURES.indexOf(one.feature)] ?? one.feature }) : one,
    ),
  ])

export const history = fc
  .oneof(
    { weight: 3, arbitrary: fc.tuple(plot, several(anything)) },
    { weight: 2, arbitrary: about(givingBack) },
    { weight: 2, arbitrary: about(timePassing) },
    { weight: 1, arbitrary: about(owing) },
    { weight: 4, arbitrary: aboutLocks },
  )
  .map(([{ names, features, turns, grants }, steps]): Step[] => {
    const among = (one: Feature) => features[FEATURES.indexOf(one) % features.length] ?? one
    const happens = (one: Step) => turns.some((turn) => turn === one.do) || !TURNS.some((turn) => turn === one.do)
    const entering = names.map((id) => ({ do: 'enter' as const, id }))
    return [...entering, ...grants, ...steps.filter(happens)].map((one) =>
      'feature' in one ? sensible({ ...one, feature: among(one.feature) }) : one,
    )
  })

/** What is granted is not refused: seats neither reset nor roll over, and at most four are in a balance, so that not all fit on the first. */
function sensible(one: Step): Step {
  if (one.do !== 'grant') return one
  if (one.feature === 'seats')
    return { ...one, amount: Math.floor(one.amount / 5) / 2, every: null, first: null, keeping: null }
  return one.every === null ? { ...one, first: null, keeping: null } : one
}

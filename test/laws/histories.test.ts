import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, START, type World } from '../world.ts'
import { type Behavior, type Every, type Feature, Model, type Row } from './model.ts'

const long = process.env['GRANARY_TEST_LONG'] === '1'
const FEATURES: readonly Feature[] = ['messages', 'seats', 'credits']

type Step =
  | {
      do: 'grant'
      feature: Feature
      amount: number
      every: Every | null
      rollover: { max: number | null; months: number | null } | null
      life: number | null
    }
  | { do: 'unlimited'; feature: Feature; life: number | null }
  | { do: 'track'; feature: Feature; value: number; behavior: Behavior }
  | { do: 'use'; feature: Feature; value: number }
  | {
      do: 'update'
      feature: Feature
      change: 'remaining' | 'add_to_balance' | 'usage' | 'included_grant'
      value: number
      only: number | null
    }
  | { do: 'delete'; which: number }
  | { do: 'wait'; hours: number }
  | { do: 'boundary' }
  | { do: 'touch' }

const some = (min: number, max: number) => fc.integer({ min: min * 2, max: max * 2 }).map((n) => n / 2)
const feature = fc.constantFrom(...FEATURES)
const life = fc.option(fc.integer({ min: 1, max: 2000 }), { freq: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('grant' as const),
      feature,
      amount: some(0, 40),
      every: fc.option(fc.constantFrom<Every>('day', 'week', 'month', 'year'), { freq: 2 }),
      rollover: fc.option(
        fc.record({ max: fc.option(some(0, 60)), months: fc.option(fc.integer({ min: 1, max: 3 })) }),
      ),
      life,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unlimited' as const), feature, life }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('track' as const),
      feature,
      value: some(-30, 60),
      behavior: fc.constantFrom<Behavior>('cap', 'reject', 'overflow'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('use' as const), feature, value: some(0, 30) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('update' as const),
      feature,
      change: fc.constantFrom(
        'remaining' as const,
        'add_to_balance' as const,
        'usage' as const,
        'included_grant' as const,
      ),
      value: some(-20, 80),
      only: fc.option(fc.nat(5)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), which: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 1500 }) }) },
  { weight: 3, arbitrary: fc.constant({ do: 'boundary' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'touch' as const }) },
)
const history = fc.array(step, { minLength: 1, maxLength: 25 })

/** The application and the model side by side. */
class Pair {
  readonly world: World
  readonly model = new Model(START)
  #grants = 0

  constructor(world: World) {
    this.world = world
  }

  async prepare(): Promise<void> {
    const { world } = this
    await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
    await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
    const credit_schema = [{ metered_feature_id: 'messages', credit_cost: 0.3 }]
    await world.ok('features.create', { feature_id: 'credits', name: 'Credits', type: 'credit_system', credit_schema })
    await world.ok('customers.get_or_create', { customer_id: 'alice' })
  }

  async run(one: Step): Promise<void> {
    switch (one.do) {
      case 'grant':
        return this.#grant(one.feature, one.amount, one.feature === 'seats' ? null : one.every, one.rollover, one.life)
      case 'unlimited':
        return this.#grant(one.feature, null, null, null, one.life)
      case 'track':
        return this.#track(one)
      case 'use':
        return this.#use(one)
      case 'update':
        return this.#update(one)
      case 'delete':
        return this.#delete(one.which)
      case 'wait':
        this.world.clock.advance(one.hours * 3_600_000)
        return this.model.wait(one.hours)
      case 'boundary': {
        // To the very instant of the next boundary or expiry, where being early or late by one would show.
        const due = this.model.nextDue()
        if (due === null) return
        this.world.clock.set(due)
        return this.model.wait((due - this.model.now) / 3_600_000)
      }
      case 'touch':
        await this.world.ok('customers.update', { customer_id: 'alice', metadata: { touched: this.world.clock.now } })
    }
  }

  /** Every read shows what the model says. */
  async compare(): Promise<void> {
    for (const name of FEATURES) {
      const { balance } =
        (await this.world.ok('balances.check', { customer_id: 'alice', feature_id: name })).balance?.feature_id === name
          ? await this.world.ok('balances.check', { customer_id: 'alice', feature_id: name })
          : { balance: (await this.world.ok('customers.get', { customer_id: 'alice' })).balances[name] ?? null }
      const seen = this.model.seen(name)
      expect(balance === null ? null : shown(balance)).toEqual(seen === null ? null : expected(seen))
    }
  }

  async #grant(
    name: Feature,
    amount: number | null,
    every: Every | null,
    rollover: { max: number | null; months: number | null } | null,
    hours: number | null,
  ) {
    const id = `b${this.#grants++}`
    const expires = every !== null || hours === null ? null : this.world.clock.now + hours * 3_600_000
    const keeps = every === null ? null : rollover
    await this.world.ok('balances.create', {
      customer_id: 'alice',
      feature_id: name,
      balance_id: id,
      ...(amount === null ? { unlimited: true } : { included_grant: amount }),
      ...(every === null ? {} : { reset: { interval: every } }),
      ...(expires === null ? {} : { expires_at: expires }),
      ...(keeps === null
        ? {}
        : {
            rollover:
              keeps.months === null
                ? { max: keeps.max, duration: 'forever' }
                : { max: keeps.max, duration: 'month', length: keeps.months },
          }),
    })
    this.model.grant({
      id,
      feature: name,
      unlimited: amount === null,
      allowance: exact(amount ?? 0),
      every,
      rollover: keeps === null ? null : { max: keeps.max === null ? null : exact(keeps.max), months: keeps.months },
      expires,
    })
  }

  async #track(one: Extract<Step, { do: 'track' }>): Promise<void> {
    const reply = await this.world.call('balances.track', {
      customer_id: 'alice',
      feature_id: one.feature,
      value: one.value,
      overage_behavior: one.behavior,
    })
    const paid = this.model.track(one.feature, exact(one.value), one.behavior)
    if (paid === null) {
      expect([reply.status, reply.body.code]).toEqual([400, 'insufficient_balance'])
      return
    }
    expect(reply.status).toBe(200)
    const total = reply.body.deductions.reduce((sum: bigint, { value }: { value: number }) => sum + exact(value), 0n)
    expect(total).toBe([...paid.values()].reduce((a, b) => a + b, 0n))
  }

  async #use(one: Extract<Step, { do: 'use' }>): Promise<void> {
    const body = { customer_id: 'alice', feature_id: one.feature, required_balance: one.value, send_event: true }
    const { allowed } = await this.world.ok('balances.check', body)
    const held = this.model.payers(one.feature).length > 0
    const paid = this.model.track(one.feature, exact(one.value), 'reject')
    expect(allowed).toBe(paid !== null && (held || one.value <= 0))
  }

  async #update(one: Extract<Step, { do: 'update' }>): Promise<void> {
    const ordered = this.model.ordered(one.feature)
    const chosen = one.only === null ? undefined : ordered[one.only % Math.max(1, ordered.length)]
    const rows = chosen === undefined ? ordered : [chosen]
    const target = chosen === undefined ? {} : { balance_id: chosen.id }
    const reply = await this.world.call('balances.update', {
      customer_id: 'alice',
      feature_id: one.feature,
      [one.change]: one.value,
      ...target,
    })
    if (one.change === 'add_to_balance' ? this.model.payers(one.feature).length === 0 : rows.length === 0) {
      expect([reply.status, reply.body.code]).toEqual([404, 'balance_not_found'])
      return
    }
    if (one.change === 'included_grant' && rows[0]?.unlimited) {
      expect([reply.status, reply.body.code]).toEqual([400, 'invalid_request'])
      return
    }
    expect(reply.status).toBe(200)
    this.#apply(one, rows, chosen)
  }

  #apply(one: Extract<Step, { do: 'update' }>, rows: Row[], chosen: Row | undefined): void {
    const value = exact(one.value)
    if (one.change === 'remaining') this.model.setRemaining(rows, value)
    else if (one.change === 'usage') this.model.setUsage(rows, value)
    else if (one.change === 'included_grant') this.model.setGrant(rows, value)
    else if (chosen === undefined) this.model.add(one.feature, value)
    else {
      // One row alone: set aside the others, add, and put them back.
      const others = this.model.rows.filter((row) => row !== chosen)
      const all = this.model.rows
      this.model.rows = [chosen]
      this.model.add(one.feature, value)
      this.model.rows = all.map((row) => others.find((other) => other === row) ?? chosen)
    }
  }

  async #delete(which: number): Promise<void> {
    const row = this.model.rows[which % Math.max(1, this.model.rows.length)]
    if (row === undefined) return
    await this.world.ok('balances.delete', { customer_id: 'alice', feature_id: row.feature, balance_id: row.id })
    this.model.rows = this.model.rows.filter((other) => other !== row)
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the balance object as it came over the wire.
function shown(balance: any) {
  return {
    unlimited: balance.unlimited,
    granted: balance.granted,
    remaining: balance.remaining,
    usage: balance.usage,
    lines: balance.unlimited
      ? []
      : balance.breakdown.map(({ id, remaining, usage }: Record<string, unknown>) => ({ id, remaining, usage })),
  }
}

function expected(seen: NonNullable<ReturnType<Model['seen']>>) {
  return {
    unlimited: seen.unlimited,
    granted: plain(seen.granted),
    remaining: plain(seen.remaining),
    usage: plain(seen.usage),
    lines: seen.lines.map(({ id, remaining, usage }) => ({ id, remaining: plain(remaining), usage: plain(usage) })),
  }
}

/** Through decimal text, as both sides of the wire do it. */
const exact = (value: number) => {
  const [whole, fraction = ''] = value.toFixed(12).split('.')
  return BigInt(`${whole}${fraction}`)
}
const plain = (value: bigint) => Number(`${value}e-12`)

describe('any history of grants, uses, updates and time', () => {
  test('laws 1, 2 and 9: shows what a naive model shows, and every balance is the sum of its postings', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const pair = new Pair(await openWorld())
        await pair.prepare()
        for (const one of steps) {
          await pair.run(one)
          await pair.compare()
        }
        expect(pair.world.faults).toEqual([])
        await expectLedgerToAddUp(pair.world.store, 'alice')
      }),
      { numRuns: long ? 20_000 : 3000 },
    )
  }, 600_000)

  test('law 11: the embedded store answers as the store in memory does', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const pair = new Pair(await openWorld({ store: 'sqlite', cacheWeight: 0 }))
        try {
          await pair.prepare()
          for (const one of steps) await pair.run(one)
          await pair.compare()
          await expectLedgerToAddUp(pair.world.store, 'alice')
        } finally {
          await pair.world.close()
        }
      }),
      { numRuns: long ? 500 : 25 },
    )
  }, 600_000)

  test('law 4: a write that only brings balances up to date changes no later answer', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const [lazy, eager] = [new Pair(await openWorld()), new Pair(await openWorld())]
        for (const pair of [lazy, eager]) await pair.prepare()
        for (const one of steps) {
          if (one.do === 'touch') continue
          await lazy.run(one)
          await eager.run(one)
          if (one.do === 'wait' || one.do === 'boundary') await eager.run({ do: 'touch' })
        }
        const read = async ({ world }: Pair) =>
          JSON.parse(
            JSON.stringify((await world.ok('customers.get', { customer_id: 'alice' })).balances).replaceAll(
              /cus_ent_\w+/g,
              'internal',
            ),
          )
        expect(await read(eager)).toEqual(await read(lazy))
      }),
      { numRuns: long ? 5000 : 1500 },
    )
  }, 600_000)
})

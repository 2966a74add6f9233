import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, type Reply, START, type World, type WorldOptions } from '../world.ts'
import { type Behavior, type Every, type Feature, Model, type Owner, type Row } from './model.ts'

const long = process.env['GRANARY_TEST_LONG'] === '1'
const FEATURES: readonly Feature[] = ['messages', 'seats', 'credits']
const NAMES = ['desk', 'lamp', 'chair'] as const

/** The customer itself, or one of the entities that are there: which one is counted from this number. */
type Who = number | null

type Step =
  | {
      do: 'grant'
      feature: Feature
      who: Who
      amount: number
      every: Every | null
      rollover: { max: number | null; months: number | null } | null
      life: number | null
    }
  | { do: 'unlimited'; feature: Feature; who: Who; life: number | null }
  | { do: 'track'; feature: Feature; who: Who; value: number; behavior: Behavior }
  | { do: 'use'; feature: Feature; who: Who; value: number }
  | {
      do: 'update'
      feature: Feature
      who: Who
      change: 'remaining' | 'add_to_balance' | 'usage' | 'included_grant'
      value: number
      only: number | null
    }
  | { do: 'recalculate'; feature: Feature; who: Who }
  | { do: 'delete'; which: number; scope: 'one' | 'of an owner' | 'of a feature' }
  | { do: 'enter'; id: string | null }
  | { do: 'leave'; who: number }
  | { do: 'share' }
  | { do: 'wait'; hours: number }
  | { do: 'boundary' }
  | { do: 'touch' }

const some = (min: number, max: number) => fc.integer({ min: min * 2, max: max * 2 }).map((n) => n / 2)
const feature = fc.constantFrom(...FEATURES)
const who = fc.option(fc.nat(2), { freq: 2 })
const life = fc.option(fc.integer({ min: 1, max: 2000 }), { freq: 3 })
const grant = fc.record({
  do: fc.constant('grant' as const),
  feature,
  who,
  amount: some(0, 40),
  every: fc.option(fc.constantFrom<Every>('day', 'week', 'month', 'year'), { freq: 2 }),
  rollover: fc.option(fc.record({ max: fc.option(some(0, 60)), months: fc.option(fc.integer({ min: 1, max: 3 })) })),
  life,
})
const unlimited = fc.record({ do: fc.constant('unlimited' as const), feature, who, life })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: grant },
  { weight: 1, arbitrary: unlimited },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('track' as const),
      feature,
      who,
      value: some(-30, 60),
      behavior: fc.constantFrom<Behavior>('cap', 'reject', 'overflow', 'overflow'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('use' as const), feature, who, value: some(0, 30) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('update' as const),
      feature,
      who,
      change: fc.constantFrom(
        'remaining' as const,
        'add_to_balance' as const,
        'usage' as const,
        'included_grant' as const,
      ),
      value: some(-40, 60),
      only: fc.option(fc.nat(5), { freq: 2 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('recalculate' as const), feature, who }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('delete' as const),
      which: fc.nat(9),
      scope: fc.constantFrom('one' as const, 'one' as const, 'of an owner' as const, 'of a feature' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('enter' as const), id: fc.option(fc.constantFrom(...NAMES), { freq: 6 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), who: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'share' as const }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 1500 }) }) },
  { weight: 3, arbitrary: fc.constant({ do: 'boundary' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'touch' as const }) },
)

/** What may happen besides grants and uses. */
const TURNS = ['use', 'update', 'recalculate', 'delete', 'leave', 'share', 'wait', 'boundary'] as const
/**
 * What a history is about: who is there from the beginning and with what, which features are used and what may happen. Each
 * leaves out some of it, so that what is left meets more often than it would among everything.
 */
const plot = fc.record({
  names: fc.subarray([...NAMES], { maxLength: 2 }),
  features: fc.subarray([...FEATURES], { minLength: 1, maxLength: 2 }),
  turns: fc.subarray([...TURNS]),
  grants: fc.array(fc.oneof({ weight: 7, arbitrary: grant }, { weight: 1, arbitrary: unlimited }), {
    maxLength: 6,
    size: 'medium',
  }),
})
const history = fc
  .tuple(plot, fc.array(step, { minLength: 1, maxLength: 25, size: 'medium' }))
  .map(([{ names, features, turns, grants }, steps]): Step[] => {
    const among = (one: Feature) => features[FEATURES.indexOf(one) % features.length] ?? one
    const happens = (one: Step) => turns.some((turn) => turn === one.do) || !TURNS.some((turn) => turn === one.do)
    const entering = names.map((id) => ({ do: 'enter' as const, id }))
    return [...entering, ...grants, ...steps.filter(happens)].map((one) =>
      'feature' in one ? fewSeats({ ...one, feature: among(one.feature) }) : one,
    )
  })

/** At most four in a balance, so that the entities do not all fit on the first. */
function fewSeats(one: Step): Step {
  return one.do === 'grant' && one.feature === 'seats' ? { ...one, amount: Math.floor(one.amount / 5) / 2 } : one
}

/** Opens a world with its features. Histories follow one another in it, which costs far less than a world for each. */
async function open(options: WorldOptions = {}): Promise<World> {
  const world = await openWorld(options)
  await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
  const credit_schema = [{ metered_feature_id: 'messages', credit_cost: 0.3 }]
  await world.ok('features.create', { feature_id: 'credits', name: 'Credits', type: 'credit_system', credit_schema })
  return world
}

/** The application and the model side by side. */
class Pair {
  readonly world: World
  readonly model = new Model(START)
  #grants = 0
  #comparisons = 0

  private constructor(world: World) {
    this.world = world
  }

  /** Every history is that of a new customer, who is called like the one that was just deleted with all it had. */
  static async begin(world: World): Promise<Pair> {
    world.clock.set(START)
    await world.call('customers.delete', { customer_id: 'alice' })
    await world.ok('customers.get_or_create', { customer_id: 'alice' })
    return new Pair(world)
  }

  async run(one: Step): Promise<void> {
    switch (one.do) {
      case 'grant':
        return this.#grant(one, one.amount, one.feature === 'seats' ? null : one.every, one.rollover)
      case 'unlimited':
        return this.#grant(one, null, null, null)
      case 'track':
        return this.#track(one)
      case 'use':
        return this.#use(one)
      case 'update':
        return this.#update(one)
      case 'recalculate':
        return this.#recalculate(one)
      case 'delete':
        return this.#delete(one)
      case 'enter':
        return this.#enter(one.id)
      case 'leave':
        return this.#leave(one.who)
      case 'share': {
        this.model.shares = !this.model.shares
        const config = { disable_pooled_balance: !this.model.shares }
        await this.world.ok('customers.update', { customer_id: 'alice', config })
        return
      }
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

  /** Every read shows what the model says: the customer, each entity, and a check of someone for something. */
  async compare(): Promise<void> {
    for (const owner of [null, ...this.model.entities]) {
      if (owner?.id === null) continue
      const { balances } = await this.read(owner)
      for (const name of FEATURES) expect(shown(balances[name])).toEqual(expected(this.model.seen(name, owner)))
    }
    this.#comparisons += 1
    await this.#check(FEATURES[this.#comparisons % 3] ?? 'messages', this.#owner(this.#comparisons % 4 || null))
  }

  read(owner: Owner): Promise<Reply['body']> {
    return this.world.ok(owner === null ? 'customers.get' : 'entities.get', bodyOf(owner))
  }

  /** Asks for exactly what is shown: a customer may not have it, where it is its entities'. */
  async #check(name: Feature, owner: Owner): Promise<void> {
    const required = this.model.seen(name, owner)?.remaining ?? 0n
    const body = { ...bodyOf(owner), feature_id: name, required_balance: plain(required) }
    const { allowed, balance } = await this.world.ok('balances.check', body)
    expect(allowed).toBe(this.model.mayUse(name, owner, required))
    const answering = balance?.feature_id ?? name
    expect(shown(balance)).toEqual(expected(this.model.seen(answering, owner)))
  }

  /** @param n counted among the entities that can be named; without any of them the customer is meant. */
  #owner(n: Who): Owner {
    const named = this.model.entities.filter(({ id }) => id !== null)
    return n === null ? null : (named[n % Math.max(1, named.length)] ?? null)
  }

  async #grant(
    { feature: name, who: n, life: hours }: Extract<Step, { do: 'grant' | 'unlimited' }>,
    amount: number | null,
    every: Every | null,
    rollover: { max: number | null; months: number | null } | null,
  ) {
    // An entity is a seat and holds none itself.
    const owner = name === 'seats' ? null : this.#owner(n)
    const id = `b${this.#grants++}`
    const expires = every !== null || hours === null ? null : this.world.clock.now + hours * 3_600_000
    const keeps = every === null ? null : rollover
    await this.world.ok('balances.create', {
      ...bodyOf(owner),
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
      owner,
      feature: name,
      unlimited: amount === null,
      allowance: exact(amount ?? 0),
      every,
      rollover: keeps === null ? null : { max: keeps.max === null ? null : exact(keeps.max), months: keeps.months },
      expires,
    })
  }

  async #track(one: Extract<Step, { do: 'track' }>): Promise<void> {
    const owner = this.#owner(one.who)
    const reply = await this.world.call('balances.track', {
      ...bodyOf(owner),
      feature_id: one.feature,
      value: one.value,
      overage_behavior: one.behavior,
    })
    const paid = this.model.track(one.feature, owner, exact(one.value), one.behavior)
    if (paid === null) {
      expect(codeOf(reply)).toBe('400 insufficient_balance')
      return
    }
    expect(reply.status).toBe(200)
    const total = reply.body.deductions.reduce((sum: bigint, { value }: { value: number }) => sum + exact(value), 0n)
    expect(total).toBe([...paid.values()].reduce((a, b) => a + b, 0n))
  }

  async #use(one: Extract<Step, { do: 'use' }>): Promise<void> {
    const owner = this.#owner(one.who)
    const body = { ...bodyOf(owner), feature_id: one.feature, required_balance: one.value, send_event: true }
    const { allowed } = await this.world.ok('balances.check', body)
    const held = this.model.payers(one.feature, owner).length > 0
    const paid = this.model.track(one.feature, owner, exact(one.value), 'reject')
    expect(allowed).toBe(paid !== null && (held || one.value <= 0))
  }

  async #update(one: Extract<Step, { do: 'update' }>): Promise<void> {
    const owner = this.#owner(one.who)
    const all = this.model.within(one.feature, owner)
    const chosen = one.only === null ? undefined : all[one.only % Math.max(1, all.length)]
    const isMeant = (row: Row) => chosen === undefined || row === chosen
    const reply = await this.world.call('balances.update', {
      ...bodyOf(owner),
      feature_id: one.feature,
      [one.change]: one.value,
      ...(chosen === undefined ? {} : { balance_id: chosen.id }),
    })
    const payers = this.model.payers(one.feature, owner).filter(({ row }) => isMeant(row))
    const rows = all.filter(isMeant)
    if (one.change === 'add_to_balance' ? payers.length === 0 : rows.length === 0) {
      expect(codeOf(reply)).toBe('404 balance_not_found')
      return
    }
    if (one.change === 'included_grant' && rows[0]?.unlimited) {
      expect(codeOf(reply)).toBe('400 invalid_request')
      return
    }
    expect(reply.status).toBe(200)
    const value = exact(one.value)
    if (one.change === 'remaining') this.model.setRemaining(rows, value)
    else if (one.change === 'usage') this.model.setUsage(rows, value)
    else if (one.change === 'included_grant') this.model.setGrant(rows, value)
    else this.model.add(payers, value)
  }

  async #recalculate(one: Extract<Step, { do: 'recalculate' }>): Promise<void> {
    const owner = this.#owner(one.who)
    const reply = await this.world.call('balances.recalculate', { ...bodyOf(owner), feature_id: one.feature })
    // Without an entity all owners are looked at.
    const found = this.model.recalculate(one.feature, owner ?? undefined)
    expect(codeOf(reply)).toBe(found ? '200 undefined' : '404 balance_not_found')
  }

  async #delete({ which, scope }: Extract<Step, { do: 'delete' }>): Promise<void> {
    const row = this.model.rows[which % Math.max(1, this.model.rows.length)]
    if (row === undefined) return
    const isMeant = {
      one: (other: Row) => other === row,
      'of an owner': (other: Row) => other.feature === row.feature && other.owner === row.owner,
      'of a feature': (other: Row) => other.feature === row.feature,
    }[row.owner === null && scope === 'of an owner' ? 'of a feature' : scope]
    await this.world.ok('balances.delete', {
      ...bodyOf(scope === 'of a feature' ? null : row.owner),
      feature_id: row.feature,
      ...(scope === 'one' ? { balance_id: row.id } : {}),
    })
    this.model.rows = this.model.rows.filter((other) => !isMeant(other))
  }

  async #enter(id: string | null): Promise<void> {
    const body = { customer_id: 'alice', entity_id: id, feature_id: 'seats' }
    const reply = await this.world.call('entities.create', body)
    const taken = id === null ? '400 entity_id_required' : '409 entity_already_exists'
    expect(codeOf(reply)).toBe(this.model.enter(id) ? '200 undefined' : taken)
  }

  async #leave(n: number): Promise<void> {
    const owner = this.#owner(n)
    if (owner === null) return
    await this.world.ok('entities.delete', bodyOf(owner))
    this.model.leave(owner)
  }
}

function bodyOf(owner: Owner): { customer_id: string; entity_id?: string } {
  return owner?.id == null ? { customer_id: 'alice' } : { customer_id: 'alice', entity_id: owner.id }
}

function codeOf({ status, body }: Reply): string {
  return `${status} ${body.code}`
}

// biome-ignore lint/suspicious/noExplicitAny: the balance object as it came over the wire.
function shown(balance: any) {
  if (balance == null) return null
  return {
    unlimited: balance.unlimited,
    granted: balance.granted,
    remaining: balance.remaining,
    usage: balance.usage,
    next: balance.next_reset_at,
    lines: balance.unlimited
      ? []
      : balance.breakdown.map(({ id, remaining, usage }: Record<string, unknown>) => ({ id, remaining, usage })),
  }
}

function expected(seen: ReturnType<Model['seen']>) {
  if (seen === null) return null
  return {
    unlimited: seen.unlimited,
    granted: plain(seen.granted),
    remaining: plain(seen.remaining),
    usage: plain(seen.usage),
    next: Number.isFinite(seen.next) ? seen.next : null,
    lines: seen.lines.map(({ id, remaining, usage }) => ({ id, remaining: plain(remaining), usage: plain(usage) })),
  }
}

/** Through decimal text, as both sides of the wire do it. */
const exact = (value: number) => {
  const [whole, fraction = ''] = value.toFixed(12).split('.')
  return BigInt(`${whole}${fraction}`)
}
const plain = (value: bigint) => Number(`${value}e-12`)

describe('any history of grants, uses, updates, entities and time', () => {
  test('laws 1, 2 and 9: shows what a naive model shows, and every balance is the sum of its postings', async () => {
    const world = await open()
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const pair = await Pair.begin(world)
        for (const [i, one] of steps.entries()) {
          await pair.run(one)
          if (i % 4 === 3) await pair.compare()
        }
        await pair.compare()
        await expectLedgerToAddUp(world.store, 'alice')
      }),
      { numRuns: long ? 20_000 : 5000 },
    )
    expect(world.faults).toEqual([])
  }, 600_000)

  test('law 11: the embedded store answers as the store in memory does', async () => {
    const world = await open({ store: 'sqlite', cacheWeight: 0 })
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const pair = await Pair.begin(world)
        for (const one of steps) await pair.run(one)
        await pair.compare()
        await expectLedgerToAddUp(world.store, 'alice')
      }),
      { numRuns: long ? 3000 : 150 },
    )
    await world.close()
  }, 600_000)

  test('law 4: a write that only brings balances up to date changes no later answer', async () => {
    const worlds = [await open(), await open()] as const
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const [lazy, eager] = [await Pair.begin(worlds[0]), await Pair.begin(worlds[1])]
        for (const one of steps) {
          if (one.do === 'touch') continue
          await lazy.run(one)
          await eager.run(one)
          if (one.do === 'wait' || one.do === 'boundary') await eager.run({ do: 'touch' })
        }
        const read = async (pair: Pair) => {
          const all = [null, ...pair.model.entities.filter(({ id }) => id !== null)]
          const balances = await Promise.all(all.map(async (owner) => (await pair.read(owner)).balances))
          return JSON.parse(JSON.stringify(balances).replaceAll(/cus_ent_\w+/g, 'internal'))
        }
        expect(await read(eager)).toEqual(await read(lazy))
      }),
      { numRuns: long ? 5000 : 1500 },
    )
  }, 600_000)
})

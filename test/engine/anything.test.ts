import fc from 'fast-check'
import { expect, test } from 'vitest'
import { allBalances } from '../../src/domain/holdings.ts'
import { expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, type Reply, type StoreKind } from '../world.ts'
import { behaving } from './behaving.ts'

const long = process.env['GRANARY_TEST_LONG'] === '1'

type Deed = [operation: string, body: Record<string, unknown>]

const id = fc.constantFrom('a', 'b', 'c')
const email = fc.constantFrom('x@example.com', 'X@example.com', 'y@example.com')
const entity_id = fc.constantFrom(undefined, 'desk')
const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.tuple(
    fc.constant('balances.track'),
    fc.record({ customer_id: id, entity_id, feature_id: fc.constant('messages') }),
  ),
  fc.tuple(
    fc.constant('balances.create'),
    fc.record({
      customer_id: id,
      entity_id,
      feature_id: fc.constant('messages'),
      included_grant: fc.nat(9),
      reset: fc.constant({ interval: 'month' }),
    }),
  ),
  fc.tuple(fc.constant('customers.get_or_create'), fc.record({ customer_id: id, email })),
  fc.tuple(fc.constant('customers.get_or_create'), fc.record({ customer_id: fc.constant(null), email })),
  fc.tuple(fc.constant('customers.get_or_create'), fc.record({ customer_id: id, name: fc.string({ maxLength: 3 }) })),
  fc.tuple(
    fc.constant('customers.update'),
    fc.record({ customer_id: id, new_customer_id: id, email: fc.option(email) }),
  ),
  fc.tuple(fc.constant('customers.delete'), fc.record({ customer_id: id })),
  fc.tuple(fc.constant('customers.get'), fc.record({ customer_id: id })),
  fc.tuple(
    fc.constant('entities.create'),
    fc.record({ customer_id: id, entity_id: fc.constantFrom('desk', null), feature_id: fc.constant('seats') }),
  ),
  fc.tuple(fc.constant('entities.delete'), fc.record({ customer_id: id, entity_id: fc.constant('desk') })),
  fc.tuple(fc.constant('customers.list'), fc.constant({})),
  fc.tuple(fc.constant('features.update'), fc.constant({ feature_id: 'messages', name: 'Texts' })),
)
const clocks: fc.Arbitrary<Deed> = fc.oneof(
  fc.tuple(fc.constant('clock.advance'), fc.record({ by: fc.constantFrom('1s', '20d') })),
  fc.tuple(fc.constant('customers.advance_test_clock'), fc.record({ customer_id: id, days: fc.nat(40) })),
)
const turns = fc.array(
  fc.array(fc.oneof({ weight: 12, arbitrary: deed }, { weight: 1, arbitrary: clocks }), {
    minLength: 1,
    maxLength: 10,
    size: 'medium',
  }),
  {
    minLength: 1,
    maxLength: 5,
    size: 'medium',
  },
)

/** Each question in turn: is it answered, or does it fail, or does someone else write first? */
const luck = fc.infiniteStream(
  fc.constantFrom('answers', 'answers', 'answers', 'answers', 'fails', 'conflicts' as const),
)

const worlds: [string, { kind: StoreKind; cacheWeight?: number; failing?: boolean }][] = [
  ['memory', { kind: 'memory' }],
  ['memory, read anew each time', { kind: 'memory', cacheWeight: 0 }],
  ['memory that often fails', { kind: 'memory', failing: true }],
  ['memory that often fails, read anew each time', { kind: 'memory', cacheWeight: 0, failing: true }],
  ['sqlite, read anew each time', { kind: 'sqlite', cacheWeight: 0 }],
  ['postgres, read anew each time', { kind: 'postgres', cacheWeight: 0 }],
]

test.each(worlds)(
  'whatever is asked at once, nothing is lost, and everybody who is listed is found, once, with books that add up: %s',
  async (_label, { kind, cacheWeight, failing = false }) => {
    let chance: Iterator<'answers' | 'fails' | 'conflicts'> | null = null
    const next = () => chance?.next().value ?? 'answers'
    const world = await openWorld({
      store: kind,
      ...(cacheWeight === undefined ? {} : { cacheWeight }),
      wrap: behaving({
        async commit(ask, batch) {
          const fate = next()
          if (fate === 'fails') throw new Error('disk full')
          return fate === 'conflicts' ? batch.changes.map(() => ({ kind: 'conflict' })) : ask(batch)
        },
        async load(ask, references) {
          if (next() === 'fails') throw new Error('timeout')
          return ask(references)
        },
      }),
    })
    await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
    await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
    const everyone = async (): Promise<{ id: string | null; uid: string; email: string | null }[]> => {
      const query = { env: 'sandbox', order: 'oldest', offset: 0, limit: 100, counted: false } as const
      return (await world.store.listCustomers(query)).rows.map(({ holdings }) => holdings.customer)
    }
    const ask = ([operation, { days, ...body }]: Deed): Promise<Reply> => {
      const frozen_time = world.clock.now + Number(days) * 86_400_000
      return world.call(operation, days === undefined ? body : { ...body, frozen_time })
    }
    /** What was taken from each balance by uses that were answered, and what the books say. */
    const taken = new Map<string, number>()

    await fc.assert(
      fc.asyncProperty(turns, luck, async (all, stream) => {
        chance = null
        taken.clear()
        for (const { uid } of await everyone()) await world.ok('customers.delete', { customer_id: uid })
        if (failing) chance = stream[Symbol.iterator]()
        for (const deeds of all) {
          for (const { status, body } of await Promise.all(deeds.map(ask))) {
            if (status >= 500) expect([failing, status, body.code]).toEqual([true, 503, 'store_unavailable'])
            for (const { balance_id, value } of body.deductions ?? [])
              taken.set(balance_id, (taken.get(balance_id) ?? 0) + value)
          }
        }
        chance = null
        const people = await everyone()
        const names = people.map((one) => one.id ?? one.email?.toLowerCase())
        expect(new Set(names).size).toBe(names.length)
        for (const { id: name, uid } of people) {
          for (const customer_id of name === null ? [uid] : [name, uid]) {
            const found = await world.ok('customers.get', { customer_id, with_autumn_id: true })
            expect([found.id, found.autumn_id]).toEqual([name, uid])
          }
          const { ledger, holdings } = await expectLedgerToAddUp(world.store, uid)
          for (const { uid: balance } of allBalances(holdings)) {
            const uses = ledger.filter((line) => line.balance === balance && line.kind === 'use')
            expect(uses.length).toBe(taken.get(balance) ?? 0)
          }
        }
      }),
      { numRuns: (long ? 20 : 1) * (kind === 'memory' ? 120 : 25) },
    )
    if (!failing) expect(world.faults).toEqual([])
    await world.close()
  },
)

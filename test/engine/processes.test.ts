import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sum } from '../../src/domain/amount.ts'
import { allBalances } from '../../src/domain/holdings.ts'
import type { Store } from '../../src/store/store.ts'
import { expectLedgerToAddUp } from '../ledger.ts'
import type { Reply, World } from '../world.ts'
import { turns } from './behaving.ts'
import { openProcesses } from './shared.ts'

const long = process.env['GRANARY_TEST_LONG'] === '1'

type Deed = [operation: string, body: Record<string, unknown>]

const customer_id = fc.constantFrom('alice', 'alice', 'bob')
const messages = { feature_id: fc.constant('messages') }
const deed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.constant('balances.track'),
      fc.record({
        customer_id,
        ...messages,
        value: fc.integer({ min: 1, max: 6 }),
        overage_behavior: fc.constantFrom('cap', 'reject'),
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constant('balances.check'),
      fc.record({
        customer_id,
        ...messages,
        required_balance: fc.integer({ min: 1, max: 6 }),
        send_event: fc.boolean(),
      }),
    ),
  },
  fc.tuple(fc.constant('balances.create'), fc.record({ customer_id, ...messages, included_grant: fc.nat(9) })),
  fc.tuple(
    fc.constant('balances.update'),
    fc.record({ customer_id, ...messages, add_to_balance: fc.integer({ min: 1, max: 5 }) }),
  ),
  fc.tuple(fc.constant('customers.get'), fc.record({ customer_id })),
  fc.tuple(fc.constant('customers.get_or_create'), fc.record({ customer_id, name: fc.constantFrom('N', 'M') })),
  fc.tuple(
    fc.constant('customers.update'),
    fc.record({ customer_id, new_customer_id: fc.constantFrom('alice', 'bob') }),
  ),
  fc.tuple(fc.constant('customers.delete'), fc.record({ customer_id })),
  fc.tuple(
    fc.constant('features.update'),
    fc.record({ ...messages, event_names: fc.subarray(['said', 'heard'], { minLength: 1 }) }),
  ),
  fc.tuple(fc.constant('balances.track'), fc.record({ customer_id, event_name: fc.constantFrom('said', 'heard') })),
)
/** Deeds of one turn, each at some process. */
const story = fc.array(
  fc.array(fc.tuple(fc.nat(2), deed, fc.boolean()), { minLength: 1, maxLength: 12, size: 'medium' }),
  { minLength: 1, maxLength: 6, size: 'medium' },
)
/** How many turns of the event loop a question is on its way, and its answer. */
const delays = fc.infiniteStream(fc.constantFrom(0, 0, 0, 1, 2, 5))

test.each([2, 3])(
  'whatever %i processes do at once, each acknowledged effect is there once, nothing is overspent and all see the same',
  async (count) => {
    let delay: Iterator<number> | null = null
    const some = () => turns(delay?.next().value ?? 0)
    const slow = (store: Store) =>
      new Proxy(store, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name)
          if (typeof value !== 'function') return value
          return async (...given: unknown[]) => {
            await some()
            const answer: unknown = await value.apply(target, given)
            await some()
            return answer
          }
        },
      })
    const { store, worlds } = await openProcesses(count, { between: slow })
    const at = (i: number) => worlds[i % count] as World
    let keys = 0
    const names = ['alice', 'bob']

    await fc.assert(
      fc.asyncProperty(story, delays, async (all, stream) => {
        delay = null
        for (const customer of names) {
          await at(0).call('customers.delete', { customer_id: customer })
          await at(1).ok('customers.get_or_create', { customer_id: customer })
          await at(0).ok('balances.create', { customer_id: customer, feature_id: 'messages', included_grant: 10 })
        }
        delay = stream[Symbol.iterator]()
        /** Events that were acknowledged, with the balances that they were told to be taken from. */
        const told = new Map<string, readonly string[]>()
        for (const deeds of all) {
          // A key belongs to a customer, and a name may be someone else's when the retry comes.
          const sameNames = deeds.every(([, [operation]]) => !/^customers\.(delete|update)$/.test(operation))
          await Promise.all(
            deeds.map(async ([where, [operation, body], twice]) => {
              // A retry comes while the first is under way, through another process.
              const headers = twice ? { 'idempotency-key': `k${++keys}` } : {}
              const asked = [at(where).call(operation, body, headers)]
              if (twice) asked.push(at(where + 1).call(operation, body, headers))
              const replies = await Promise.all(asked)
              for (const { status, body: said } of replies) expect([status, said.code]).not.toEqual([503, said.code])
              const effects = replies.filter(
                (one) => one.status === 200 && one.headers['idempotent-replayed'] === undefined,
              )
              if (sameNames && operation === 'balances.track') expect(effects.length).toBeLessThanOrEqual(1)
              for (const { body: said } of effects) {
                const from = (said.deductions ?? []).map(({ balance_id }: Reply['body']) => balance_id)
                if (typeof said.event_id === 'string') told.set(said.event_id, from)
              }
            }),
          )
          // Between two turns nothing is under way: what one process says, all say.
          for (const name of names) {
            const views = await Promise.all(worlds.map((world) => world.call('customers.get', { customer_id: name })))
            for (const { status, body } of views) expect([status, body]).toEqual([views[0]?.status, views[0]?.body])
          }
        }
        delay = null
        const query = { env: 'sandbox', order: 'oldest', offset: 0, limit: 100, counted: false } as const
        for (const { holdings } of (await store.listCustomers(query)).rows) {
          const { uid } = holdings.customer
          const { ledger } = await expectLedgerToAddUp(store, uid)
          const recorded = await store.listEvents({ env: 'sandbox', customerId: uid, offset: 0, limit: 1000 })
          const ids = recorded.map((event) => event.uid)
          // Nothing that was not acknowledged, and nothing twice.
          expect([...told.keys()]).toEqual(expect.arrayContaining(ids))
          expect(new Set(ids).size).toBe(ids.length)
          for (const balance of allBalances(holdings)) {
            expect(balance.remaining).toBeGreaterThanOrEqual(0n)
            for (const [event, from] of told) if (from.includes(balance.uid)) expect(ids).toContain(event)
            const lines = recorded
              .flatMap(({ deductions }) => deductions)
              .filter((one) => one.balanceUid === balance.uid)
            const uses = ledger.filter((line) => line.balance === balance.uid && line.kind === 'use')
            expect(sum(lines.map(({ amount }) => amount))).toBe(-sum(uses.map(({ amount }) => amount)))
          }
        }
      }),
      { numRuns: long ? 1500 : 100 },
    )
    expect(worlds.flatMap(({ faults }) => faults)).toEqual([])
  },
)

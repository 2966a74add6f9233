import { describe, expect, test } from 'vitest'
import { type Batch, type CommitResult, OutcomeUnknown, type Store } from '../../src/store/store.ts'
import { expectLedgerToAddUp } from '../ledger.ts'
import type { Reply, World } from '../world.ts'
import { behaving, Gate, turns } from './behaving.ts'
import { openProcesses, openTwo } from './shared.ts'

const alice = { customer_id: 'alice' }
const messages = { ...alice, feature_id: 'messages' }
const exactly = (value: number) => ({ ...messages, value, overage_behavior: 'reject' })

const codes = (replies: readonly Reply[]) => replies.map(({ status, body }) => [status, body.code].join(' ').trim())
const code = (reply: Reply) => codes([reply])[0]
const left = async (world: World) => (await world.ok('balances.check', messages)).balance?.remaining ?? 0

/**
 * As a database does it: a commit holds its rows until it is on disk, so the others who want them wait, and find that they
 * have lost. One turn of the event loop is half of what a small question takes.
 */
function rowLocks(toLose = 0) {
  let last: Promise<unknown> = Promise.resolve()
  const isLate = async (store: Store, { changes }: Batch) => {
    const found = await store.load(changes.map(({ env, uid }) => ({ env, id: uid })))
    return changes.every(({ rows }, i) => rows !== null && rows.expected !== (found[i]?.version ?? null))
  }
  return (store: Store) =>
    behaving({
      async commit(ask, batch) {
        const before = last
        let unlock = () => {}
        last = new Promise<void>((resolve) => {
          unlock = resolve
        })
        await before
        await turns((await isLate(store, batch)) ? toLose : 4)
        const results: unknown = await ask(batch)
        unlock()
        await turns(1)
        return results
      },
      async load(ask, references) {
        await turns(1)
        const found: unknown = await ask(references)
        await turns(1)
        return found
      },
      async versions(ask, references) {
        await turns(1)
        const found: unknown = await ask(references)
        await turns(1)
        return found
      },
    })(store)
}

describe('one customer of whom several processes want something at once', () => {
  test('law 2: as many uses are allowed as the balance covers, and not one more', async () => {
    const { store, worlds } = await openProcesses(3, { between: rowLocks() })
    const [a] = worlds as [World]
    await a.ok('balances.update', { ...messages, remaining: 40 })
    const replies = await Promise.all(
      Array.from({ length: 60 }, (_, i) => (worlds[i % 3] ?? a).call('balances.track', exactly(1))),
    )
    expect(codes(replies).filter((one) => one === '200')).toHaveLength(40)
    expect(codes(replies).filter((one) => one === '400 insufficient_balance')).toHaveLength(20)
    expect(await Promise.all(worlds.map(left))).toEqual([0, 0, 0])
    await expectLedgerToAddUp(store, 'alice')
  })

  test.each([0, 4])(
    'a process that never pauses does not starve another, for whom losing takes %i turns',
    async (toLose) => {
      let commits = 0
      const locks = rowLocks(toLose)
      const counting = behaving({
        commit(ask, batch) {
          commits += 1
          return ask(batch)
        },
      })
      const { store, a, b } = await openTwo({
        between: (store, i) => (i === 0 ? counting(locks(store)) : locks(store)),
      })
      await a.ok('balances.update', { ...messages, remaining: 1_000_000 })
      await left(b)
      let stop = false
      let used = 0
      const client = async () => {
        while (!stop) {
          await a.ok('balances.track', exactly(1))
          used += 1
          // Its next request is a turn later, so that the lane is never empty when a commit ends.
          await turns(1)
        }
      }
      const clients = Array.from({ length: 24 }, (_, i) => turns(i).then(client))
      await turns(50)
      const waits: number[] = []
      for (let i = 0; i < 30; i++) {
        const before = commits
        expect(code(await b.call('balances.track', exactly(1)))).toBe('200')
        waits.push(commits - before)
      }
      stop = true
      await Promise.all(clients)
      // It gets its turn after a few of the other's commits, not after those of a whole rush.
      expect(Math.max(...waits)).toBeLessThan(40)
      expect(await left(b)).toBe(1_000_000 - used - 30)
      await expectLedgerToAddUp(store, 'alice')
    },
  )
})

test('who is told that nobody else writes lets nobody have a turn, and does again as soon as somebody does', async () => {
  const { store, a } = await openTwo()
  await a.ok('balances.update', { ...messages, remaining: 1000 })
  const use = async (times: number) => {
    for (let i = 0; i < times; i++) expect(code(await a.call('balances.track', exactly(1)))).toBe('200')
  }
  store.nobodyElse = true
  const before = store.confirmations
  await use(100)
  expect(store.confirmations).toBe(before)
  store.nobodyElse = false
  // The pause comes after the first of them, and the second waits for it.
  await use(2)
  expect(store.confirmations).toBeGreaterThan(before)
})

describe('a commit of which nobody knows whether it took effect', () => {
  const unknown = (applied: () => boolean | null) =>
    behaving({
      async commit(ask, batch: Batch) {
        const fate = applied()
        if (fate === null) return ask(batch)
        if (fate) await ask(batch)
        throw new OutcomeUnknown('the connection was lost')
      },
    })
  const key = { 'idempotency-key': 'k1' }

  test.each([
    ['linearizable', true],
    ['linearizable', false],
    ['local', true],
    ['local', false],
  ] as const)(
    'is told as that, and a retry with its key has one effect in all (%s reads, applied: %s)',
    async (reads, applied) => {
      let fate: boolean | null = null
      const { store, a, b } = await openTwo({ reads, between: unknown(() => fate) })
      fate = applied
      const lost = await a.call('balances.track', exactly(4), key)
      expect([code(lost), lost.headers['retry-after']]).toEqual(['503 outcome_unknown', '1'])
      expect(lost.body.message).toMatch(/may or may not have been applied.*same idempotency key is safe/)
      fate = null
      expect(await left(a)).toBe(applied ? 6 : 10)
      const retry = await a.call('balances.track', exactly(4), key)
      expect([code(retry), retry.headers['idempotent-replayed']]).toEqual(['200', applied ? 'true' : undefined])
      expect(await left(a)).toBe(6)
      if (reads === 'linearizable') expect(await left(b)).toBe(6)
      await expectLedgerToAddUp(store, 'alice')
    },
  )

  test.each(['linearizable', 'local'] as const)(
    'is looked at before anything else is decided for its customer (%s reads)',
    async (reads) => {
      let fate: boolean | null = null
      const gate = new Gate()
      const { store, a } = await openTwo({
        reads,
        between: (store, i) =>
          i === 0 ? behaving({ commit: (ask, batch) => gate.pass(ask, batch) })(unknown(() => fate)(store)) : store,
      })
      const held = gate.close()
      const first = a.call('balances.track', exactly(6))
      await held
      const second = a.call('balances.track', exactly(6))
      fate = true
      gate.open()
      expect(code(await first)).toBe('503 outcome_unknown')
      fate = null
      expect(code(await second)).toBe('400 insufficient_balance')
      expect(await left(a)).toBe(4)
      await expectLedgerToAddUp(store, 'alice')
    },
  )

  test('of a customer that was being created: whoever comes next finds it if it is there', async () => {
    let fate: boolean | null = null
    const gate = new Gate()
    const { a } = await openTwo({
      reads: 'local',
      between: (store, i) =>
        i === 0 ? behaving({ commit: (ask, batch) => gate.pass(ask, batch) })(unknown(() => fate)(store)) : store,
    })
    const held = gate.close()
    const creating = a.call('customers.get_or_create', { customer_id: 'bob', name: 'Bob' })
    await held
    const using = a.call('balances.track', { ...messages, customer_id: 'bob' })
    fate = true
    gate.open()
    expect(code(await creating)).toBe('503 outcome_unknown')
    fate = null
    expect(code(await using)).toBe('200')
    expect((await a.ok('customers.get', { customer_id: 'bob' })).name).toBe('Bob')
  })

  test('of the catalogue: it is loaded again', async () => {
    let lost = false
    const { a } = await openTwo({
      reads: 'local',
      between: behaving({
        async changeCatalogue(ask, change) {
          const result: unknown = await ask(change)
          if (lost) throw new OutcomeUnknown('the connection was lost')
          return result
        },
      }),
    })
    const texts = { feature_id: 'texts', name: 'Texts', type: 'boolean' }
    lost = true
    expect(code(await a.call('features.create', texts))).toBe('503 outcome_unknown')
    lost = false
    expect((await a.ok('features.get', texts)).name).toBe('Texts')
  })
})

describe('a store that is away for a while', () => {
  /** Rejects whatever it is asked. */
  const away = (isAway: () => boolean) => (store: Store) =>
    new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...given: unknown[]) =>
          isAway() ? Promise.reject(new Error('connection refused')) : value.apply(target, given)
      },
    })

  test.each(['linearizable', 'local'] as const)(
    'gives 503 to what needs it, and everything goes on by itself when it is back (%s reads)',
    async (reads) => {
      let gone = false
      const { store, a, b } = await openTwo({ reads, between: away(() => gone) })
      const all = (bob: object) =>
        Promise.all([
          a.call('balances.track', exactly(1)),
          a.call('balances.track', exactly(1), { 'idempotency-key': `${Math.random()}` }),
          a.call('customers.get_or_create', bob),
          a.call('customers.get', bob),
          a.call('features.update', { feature_id: 'messages', name: `${Math.random()}` }),
          a.call('customers.list', {}),
          a.call('entities.list', {}),
          a.call('events.list', {}),
          ...(reads === 'linearizable' ? [b.call('balances.track', exactly(1))] : []),
        ])
      const reading = () => Promise.all([a.call('balances.check', messages), a.call('features.list', {})])
      for (let round = 0; round < 3; round++) {
        const bob = { customer_id: `bob${round}` }
        gone = true
        const refused = [...(await all(bob)), ...(reads === 'linearizable' ? await reading() : [])]
        expect(codes(refused)).toEqual(refused.map(() => '503 store_unavailable'))
        expect(refused.map(({ headers }) => headers['retry-after'])).toEqual(refused.map(() => '1'))
        gone = false
        const back = codes([...(await all(bob)), ...(await reading())])
        // Reading someone who is being created finds nobody or somebody.
        expect(back.filter((one) => one !== '404 customer_not_found')).toEqual(
          expect.arrayContaining(Array(back.length - 1).fill('200')),
        )
      }
      if (reads === 'linearizable') expect(await left(b)).toBe(1)
      await expectLedgerToAddUp(store, 'alice')
    },
  )

  test('conflicts without end become 503 instead of a hanging request, and it goes on afterwards', async () => {
    let always = false
    const { a } = await openTwo({
      between: behaving({
        commit: async (ask, batch: Batch): Promise<CommitResult[]> =>
          always ? batch.changes.map(() => ({ kind: 'conflict' })) : ask(batch),
      }),
    })
    always = true
    expect(code(await a.call('balances.track', exactly(1)))).toBe('503 store_unavailable')
    always = false
    expect((await a.ok('balances.track', exactly(1))).balance.remaining).toBe(9)
  })
})

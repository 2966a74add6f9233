import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ENDPOINTS } from '../../src/http/routes.ts'
import { VERSIONS } from '../../src/http/versions/version.ts'
import { PostgresStore } from '../../src/store/postgres/postgres.ts'
import type { Store } from '../../src/store/store.ts'
import { closing } from '../borrowed.ts'
import { behaving, Gate } from '../engine/behaving.ts'
import { type OpenedPostgres, openPostgres } from '../postgres/store.ts'
import { type OpenFile, openFile } from '../store/file.ts'
import { LIVE_KEY, openWorld, type World, type WorldOptions } from '../world.ts'
import { BATCHES, type Body, FORMS, FURNITURE, READS, WRITES, type Write } from './writes.ts'

const KEY = { 'idempotency-key': 'k1' }
const HOUR = 3_600_000

interface Named extends Write {
  readonly operation: string
}

/** Every write in all its forms, under a title. */
const ALL: readonly (readonly [title: string, write: Named])[] = [
  ...Object.entries(WRITES).map(([operation, write]) => [operation, { operation, ...write }] as const),
  ...Object.entries(FORMS),
]

/** What may have changed before a request is sent again; not all of it is possible after every write. */
const LATER: readonly (readonly [operation: string, body: Body])[] = [
  ['customers.advance_test_clock', { customer_id: 'alice', frozen_time: Date.UTC(2027, 0, 1) }],
  ['clock.advance', { by: '2d' }],
  ['features.update', { feature_id: 'messages', name: 'Renamed', event_names: ['else'] }],
  ['features.update', { feature_id: 'sounds', new_feature_id: 'noises' }],
  ['balances.track', { customer_id: 'alice', feature_id: 'messages' }],
  ['entities.delete', { customer_id: 'alice', entity_id: 'lamp' }],
  ['features.delete', { feature_id: 'spare' }],
  ['plans.update', { plan_id: 'basic', name: 'Renamed', force_version: true }],
]

/** An answer to the byte. */
interface Answer {
  readonly status: number
  readonly text: string
  readonly replayed: boolean
}

const worlds: World[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) {
    expect(world.faults).toEqual([])
    await world.close()
  }
})

async function open(options: WorldOptions = {}): Promise<World> {
  const world = await openWorld(options)
  worlds.push(world)
  return world
}

async function furnish(world: World, { before = [] }: Write): Promise<void> {
  for (const [operation, body] of [...FURNITURE, ...before]) await world.ok(operation, body)
}

async function furnished(write: Write, options: WorldOptions = {}): Promise<World> {
  const world = await open(options)
  await furnish(world, write)
  return world
}

/** The store, which stays open when it is closed. */
function lent(store: Store): Store {
  return closing(store, async () => {})
}

/** @param headers beside the key. */
async function ask(
  world: World,
  write: Named,
  more: Body = {},
  headers: Record<string, string> = KEY,
): Promise<Answer> {
  const [method = 'POST', path = ''] = (write.path ?? `POST /v1/${write.operation}`).split(' ')
  const all = { authorization: 'Bearer am_sk_test_world', ...headers }
  const body = JSON.stringify({ ...write.body, ...more })
  const reply = await world.handle({ method, path, headers: all, body })
  return { status: reply.status, text: reply.body, replayed: reply.headers['idempotent-replayed'] === 'true' }
}

function codeOf({ status, text }: Answer): string {
  return status === 200 ? '200' : `${status} ${JSON.parse(text).code}`
}

/** All that can be seen, with its ids numbered as they come. */
async function state(world: World): Promise<string> {
  const seen = [
    await world.ok('clock.get', {}),
    await world.ok('features.list', {}),
    await world.ok('plans.list', { all_versions: true }),
    await world.ok('customers.list', { sort_order: 'asc' }),
    await world.ok('entities.list', {}),
    await world.ok('events.list', {}),
  ]
  const everyone = { env: 'sandbox', order: 'oldest', offset: 0, limit: 100, counted: false } as const
  for (const { holdings } of (await world.store.listCustomers(everyone)).rows) {
    const { uid } = holdings.customer
    const ledger = await world.store.ledger(uid)
    seen.push(ledger.map(({ balance, kind, amount, remainingAfter }) => [balance, kind, `${amount} ${remainingAfter}`]))
    seen.push(await world.ok('balances.list', { customer_id: uid }))
  }
  const ids = new Map<string, number>()
  return JSON.stringify(seen, null, 1).replace(
    /\b(cus_ent|cus_prod|cus|ent|evt|feat)_[0-9a-z]{26}(_[0-9a-z]+)*\b/g,
    (id) => {
      const number = ids.get(id) ?? ids.size
      ids.set(id, number)
      return `#${number}`
    },
  )
}

test('every operation is known to be a read or a write', () => {
  const listed = [...Object.keys(READS), ...Object.keys(WRITES), ...BATCHES]
  expect([...ENDPOINTS.keys()].toSorted()).toEqual(listed.toSorted())
  for (const [title, { operation }] of ALL) expect(WRITES[operation], title).toBeDefined()
})

describe('a read ignores the key and commits nothing:', () => {
  test.each(Object.entries(READS))('%s', async (operation, body) => {
    let commits = 0
    const counted = (ask: (given: unknown) => Promise<unknown>, given: unknown) => {
      commits += 1
      return ask(given)
    }
    const wrap = behaving({ commit: counted, changeCatalogue: counted })
    const world = await furnished({ body, other: {}, empty: '' }, { wrap })
    const before = commits
    for (const key of ['', 'k1', 'k1']) {
      const answer = await ask(world, { operation, body, other: {}, empty: '' }, {}, { 'idempotency-key': key })
      expect([answer.status, answer.replayed]).toEqual([200, false])
    }
    expect(commits).toBe(before)
  })
})

// PostgreSQL has its turn below, after a restart and through two processes.
describe.each(['memory', 'sqlite'] as const)('a key on %s:', (store) => {
  test.each(ALL)('%s', async (_title, write) => {
    const world = await furnished(write, { store })
    const first = await ask(world, write)
    expect([codeOf(first), first.replayed]).toEqual(['200', false])
    const once = await state(world)

    // The same again: the same bytes, and nothing else happens.
    expect(await ask(world, write)).toEqual({ ...first, replayed: true })
    expect(await state(world)).toBe(once)

    // Another request under the key is refused.
    expect(codeOf(await ask(world, write, write.other))).toBe('409 idempotency_key_reused')
    expect(await state(world)).toBe(once)

    // Through another version it is the same request, or another one; a second effect it never has.
    for (const version of VERSIONS) {
      const again = await ask(world, write, {}, { ...KEY, 'x-api-version': version })
      expect([version, codeOf(again), again.replayed]).toEqual(
        again.status === 200 ? [version, '200', true] : [version, '409 idempotency_key_reused', false],
      )
    }
    expect(await state(world)).toBe(once)

    // The other environment knows nothing of it.
    const live = await ask(world, write, {}, { ...KEY, authorization: `Bearer ${LIVE_KEY}` })
    expect(live.replayed).toBe(false)

    // It is the same answer as long as the key is kept, whatever has changed since.
    for (const [operation, body] of LATER) await world.call(operation, body)
    world.clock.advance(23 * HOUR)
    expect(await ask(world, write)).toEqual({ ...first, replayed: true })
  })

  test.each(ALL)('%s, twice at the same time', async (_title, write) => {
    const [one, two] = [await furnished(write, { store }), await furnished(write, { store })]
    expect((await ask(one, write)).status).toBe(200)
    const both = await Promise.all([ask(two, write), ask(two, write), ask(two, write)])
    expect(both.map(({ status, text }) => `${status} ${text}`)).toEqual(both.map(() => `200 ${both[0]?.text}`))
    expect(both.filter(({ replayed }) => !replayed)).toHaveLength(1)
    expect(await state(two)).toBe(await state(one))
  })
})

describe('a failed request frees its key:', () => {
  test.each(ALL)('%s, in an empty world and not well formed', async (_title, write) => {
    const world = await open()
    expect(codeOf(await ask(world, write))).toBe(write.empty)
    if (write.empty === '200') return
    await furnish(world, write)
    const first = await ask(world, write)
    expect([codeOf(first), first.replayed]).toEqual(['200', false])
  })

  test.each(ALL)('%s, not well formed', async (_title, write) => {
    const world = await furnished(write)
    const wrong = Object.fromEntries(Object.keys(write.body).map((field) => [field, [1]]))
    expect((await ask(world, write, wrong)).status).toBe(400)
    const first = await ask(world, write)
    expect([codeOf(first), first.replayed]).toEqual(['200', false])
  })

  test.each(ALL)('%s, while the store is away', async (_title, write) => {
    let failing = false
    const failed = (ask: (given: unknown) => Promise<unknown>, given: unknown) =>
      failing ? Promise.reject(new Error('no connection')) : ask(given)
    const world = await furnished(write, { wrap: behaving({ commit: failed, changeCatalogue: failed }) })
    const before = await state(world)
    failing = true
    expect(codeOf(await ask(world, write))).toBe('503 store_unavailable')
    failing = false
    expect(await state(world)).toBe(before)
    world.faults.length = 0
    const first = await ask(world, write)
    expect([codeOf(first), first.replayed]).toEqual(['200', false])
  })

  test.each(ALL.filter(([, { operation }]) => !/^(features|plans|clock)\./.test(operation)))(
    '%s, when too many wait',
    async (_title, write) => {
      const gate = new Gate()
      const wrap = behaving({ commit: (ask, batch) => gate.pass(ask, batch) })
      const world = await furnished(write, { wrap, waitingInAll: 1 })
      const held = gate.close()
      const waiting = world.call('customers.get_or_create', { customer_id: 'somebody' })
      await held
      expect(codeOf(await ask(world, write))).toBe('429 overloaded')
      gate.open()
      expect((await waiting).status).toBe(200)
      const first = await ask(world, write)
      expect([codeOf(first), first.replayed]).toEqual(['200', false])
    },
  )
})

describe.each(['sqlite', 'postgres'] as const)('after a restart on %s the first answer is given again:', (kind) => {
  let opened: OpenFile | OpenedPostgres
  beforeAll(async () => {
    opened = kind === 'sqlite' ? await openFile() : await openPostgres({ connections: 4 })
  })
  afterAll(() => opened.close())

  // To close and open a store takes its time: in its first form only.
  test.each(ALL.slice(0, Object.keys(WRITES).length))('%s', async (_title, write) => {
    await opened.empty()
    const before = await open({ wrap: () => lent(opened.store) })
    await furnish(before, write)
    const first = await ask(before, write)
    const once = await state(before)
    await before.engine.drain()
    await opened.reopen()

    const after = await open({ wrap: () => lent(opened.store) })
    expect(await ask(after, write)).toEqual({ ...first, replayed: true })
    expect(codeOf(await ask(after, write, write.other))).toBe('409 idempotency_key_reused')
    expect(await state(after)).toBe(once)
  })
})

describe('through two processes on one PostgreSQL:', () => {
  let opened: OpenedPostgres
  let other: PostgresStore
  beforeAll(async () => {
    opened = await openPostgres({ connections: 4 })
    other = await PostgresStore.open(opened.url, { connections: 4 })
  })
  afterAll(async () => {
    await other.close()
    await opened.close()
  })

  test.each(ALL)('%s', async (_title, write) => {
    await opened.empty()
    const [a, b] = [await open({ wrap: () => lent(opened.store) }), await open({ wrap: () => lent(other) })]
    await furnish(a, write)
    await state(b)
    const both = await Promise.all([ask(a, write), ask(b, write), ask(b, write), ask(a, write)])
    expect(both.map(({ status, text }) => `${status} ${text}`)).toEqual(both.map(() => `200 ${both[0]?.text}`))
    expect(both.filter(({ replayed }) => !replayed)).toHaveLength(1)
    const once = await state(b)
    for (const world of [b, a]) expect(await ask(world, write)).toEqual({ ...both[0], replayed: true })
    expect(codeOf(await ask(b, write, write.other))).toBe('409 idempotency_key_reused')
    expect(await state(a)).toBe(once)
  })
})

test.each(ALL)('GRANARY_IDEMPOTENCY=reject refuses a repetition of %s (R120, R121)', async (_title, write) => {
  const world = await furnished(write, { idempotency: 'reject' })
  const both = await Promise.all([ask(world, write), ask(world, write)])
  expect(both.map(codeOf).toSorted()).toEqual(['200', '409 duplicate_idempotency_key'])
  expect(codeOf(await ask(world, write))).toBe('409 duplicate_idempotency_key')
  expect(codeOf(await ask(world, write, write.other))).toBe('409 duplicate_idempotency_key')
})

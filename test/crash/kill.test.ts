import { setTimeout as after } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { ONE } from '../../src/domain/amount.ts'
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts'
import { expectLedgerToAddUp } from '../ledger.ts'
import { cleanUp, type Granary, newFolder, start } from '../process/granary.ts'
import { chance, seedOfRun } from './chance.ts'
import { Client, type Request } from './clients.ts'

const KILLS = process.env['GRANARY_TEST_LONG'] === '1' ? 30 : 3
const CLIENTS = 16
const FEATURE = 'messages'

/** Plenty: nobody uses that much here. */
const WEALTHY = Array.from({ length: 14 }, (_, i) => `wealthy-${i}`)
/** Few enough to be used up, by uses that are refused then. */
const POOR = Array.from({ length: 4 }, (_, i) => `poor-${i}`)
const GRANTED_TO_POOR = 20 * KILLS
/** Reset over and over, and carry over what is left. */
const CAREFUL = ['careful-0', 'careful-1']
const CUSTOMERS = [...WEALTHY, ...POOR, ...CAREFUL]

afterEach(cleanUp)

test(`${KILLS} times kill -9 under load: what was acknowledged is there exactly once`, {
  timeout: 30_000 + KILLS * 20_000,
}, async () => {
  const seed = seedOfRun()
  const random = chance(seed)
  const folder = newFolder()
  let granary = await start(folder)
  const { key } = granary
  await furnish(new Client(granary.url, key))
  const history: Request[] = []
  let replayed = 0

  for (let kill = 0; kill < KILLS; kill++) {
    const sent = await loadUntilKilled(granary, key, `${kill}`, random)
    history.push(...sent)
    await expectBooksToAddUp(folder, history)
    granary = await start(folder)
    const client = new Client(granary.url, key)
    replayed += await retry(client, sent)
    await expectEachOnce(client, history)
    client.close()
  }
  await granary.end('SIGTERM')
  await expectBooksToAddUp(folder, history)

  // Otherwise nothing was tried.
  expect(history.filter(({ state }) => state === 'done').length).toBeGreaterThan(KILLS * 50)
  expect(replayed).toBeGreaterThan(0)
})

async function furnish(client: Client): Promise<void> {
  await client.ok('features.create', { feature_id: FEATURE, name: 'Messages', type: 'metered', consumable: true })
  const grants = (id: string): Record<string, unknown> => {
    if (WEALTHY.includes(id)) return { included: 1_000_000 }
    if (POOR.includes(id)) return { included: GRANTED_TO_POOR }
    return { included: 40, reset: { interval: 'month' }, rollover: { duration: 'forever', max: 100 } }
  }
  for (const customer_id of CUSTOMERS) {
    await client.ok('customers.get_or_create', { customer_id })
    await client.ok('balances.create', { customer_id, feature_id: FEATURE, ...grants(customer_id) })
  }
  client.close()
}

/** Clients ask for as much as they get answered, until the server is killed at some moment. @returns all they asked for. */
async function loadUntilKilled(
  granary: Granary,
  key: string,
  name: string,
  random: () => number,
): Promise<readonly Request[]> {
  const sent: Request[] = []
  const killAt = 100 + Math.floor(random() * 1500)
  const delay = random() * 5
  let killed: Promise<unknown> | undefined
  const kill = async () => {
    // Somewhere in the work of a commit, not always at the arrival of a request.
    await after(delay)
    await granary.end('SIGKILL')
  }
  const ask = async (client: Client, one: Request): Promise<boolean> => {
    sent.push(one)
    if (sent.length >= killAt) killed ??= kill()
    const replies = await Promise.all(
      // The second of two at the same time must not count.
      Array.from({ length: one.keyed && one.id.endsWith('7') ? 2 : 1 }, () =>
        client.send(one.operation, one.body, one.headers),
      ),
    )
    for (const reply of replies) {
      if (reply?.status === 200) one.state = 'done'
      else if (reply !== null) {
        expect(reply).toMatchObject({ status: 400, body: { code: 'insufficient_balance' } })
        expect(POOR).toContain(one.customer)
        one.state = 'refused'
      }
    }
    return !replies.includes(null)
  }
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, i) => {
      const client = new Client(granary.url, key)
      const choose = chance(Math.floor(random() * 2 ** 32))
      for (let n = 0; await ask(client, newRequest(`${name}-${i}-${n}`, choose)); n++);
      client.close()
    }),
  )
  await killed
  return sent
}

function newRequest(id: string, random: () => number): Request {
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T
  const [what, how] = [random(), random()]
  const request = (kind: Request['kind'], customer: string, rest: Record<string, unknown>): Request => {
    const operation = kind === 'track' ? 'balances.track' : 'balances.update'
    const headers: Record<string, string> = how < 0.2 ? { 'idempotency-key': id } : {}
    const inBody = kind === 'track' && how > 0.8 ? { idempotency_key: id } : {}
    const body = { customer_id: customer, feature_id: FEATURE, ...rest, ...inBody }
    const keyed = how < 0.2 || 'idempotency_key' in inBody
    return { kind, customer, id, operation, body, headers, keyed, state: 'sent' }
  }
  const use = { value: 1, properties: { id } }
  if (what < 0.1) return request('add', pick(WEALTHY), { add_to_balance: 1 })
  if (what < 0.15) return request('reset', pick(CAREFUL), { next_reset_at: Date.now() })
  if (what < 0.25) return request('track', pick(CAREFUL), use)
  if (what < 0.4) return request('track', pick(POOR), { ...use, overage_behavior: 'reject' })
  return request('track', pick(WEALTHY), what < 0.6 ? { ...use, overage_behavior: 'reject' } : use)
}

/** Sends every request with a key again, as a careful client does after a failure. @returns how many had been done. */
async function retry(client: Client, sent: readonly Request[]): Promise<number> {
  let replayed = 0
  const keyed = sent.filter((one) => one.keyed && one.state !== 'refused')
  await Promise.all(
    keyed.map(async (one) => {
      const reply = await client.send(one.operation, one.body, one.headers)
      const again = reply?.headers['idempotent-replayed'] === 'true'
      if (again) replayed += 1
      if (one.state === 'sent' && reply?.status === 400 && POOR.includes(one.customer)) {
        one.state = 'refused'
        return
      }
      expect(reply, `the retry of ${one.id}`).toMatchObject({ status: 200 })
      if (one.state === 'done') expect(again, `${one.id} was acknowledged, so the retry is a replay`).toBe(true)
      one.state = 'done'
    }),
  )
  return replayed
}

/** What the public API says. Settles what nobody answered: from now on it has happened, or never will. */
async function expectEachOnce(client: Client, history: readonly Request[]): Promise<void> {
  for (const customer of CUSTOMERS) {
    const asked = history.filter((one) => one.customer === customer && one.kind === 'track')
    const events = await eventsOf(client, customer)
    const count = new Map<string, number>()
    for (const { value, properties } of events) {
      expect(value).toBe(1)
      count.set(properties.id, (count.get(properties.id) ?? 0) + 1)
    }
    const wrong = asked.filter(({ id, state }) => {
      const times = count.get(id) ?? 0
      if (state === 'sent') return times > 1
      return times !== (state === 'done' ? 1 : 0)
    })
    expect(wrong, `events of ${customer}`).toEqual([])
    const known = new Set(asked.map(({ id }) => id))
    expect([...count.keys()].filter((id) => !known.has(id))).toEqual([])
    for (const one of asked) if (one.state === 'sent') one.state = count.has(one.id) ? 'done' : 'never'

    if (CAREFUL.includes(customer)) continue
    const { balance } = await client.ok('balances.check', { customer_id: customer, feature_id: FEATURE })
    const adds = history.filter((one) => one.customer === customer && one.kind === 'add')
    const done = adds.filter(({ state }) => state === 'done').length
    const unsure = adds.filter(({ state }) => state === 'sent').length
    // A loose balance that is used up is not shown any more.
    const used = balance === null ? GRANTED_TO_POOR : balance.granted - balance.remaining
    expect(used, `used by ${customer}`).toBeLessThanOrEqual(events.length - done)
    expect(used, `used by ${customer}`).toBeGreaterThanOrEqual(events.length - done - unsure)
  }
}

async function eventsOf(client: Client, customer_id: string) {
  const events: { value: number; properties: { id: string } }[] = []
  for (let start_cursor = ''; ; ) {
    const page = await client.ok('events.list', { customer_id, start_cursor, limit: 700 })
    events.push(...page.list)
    if (page.next_cursor === null) return events
    start_cursor = page.next_cursor
  }
}

/** What the folder says once the server is gone. */
async function expectBooksToAddUp(folder: string, history: readonly Request[]): Promise<void> {
  const store = await SqliteStore.open(folder)
  try {
    for (const id of CUSTOMERS) {
      const { ledger } = await expectLedgerToAddUp(store, id)
      const events = await store.listEvents({ env: 'sandbox', customerId: id, offset: 0, limit: 1_000_000 })
      // Each event's deductions are in the ledger under its name, in the same commit, and nothing else is.
      const used = Map.groupBy(
        ledger.filter(({ kind }) => kind === 'use'),
        ({ cause }) => cause,
      )
      const taken = events.filter(({ deductions }) => deductions.length > 0)
      expect([...used.keys()].toSorted()).toEqual(taken.map(({ uid }) => uid).toSorted())
      for (const { uid, deductions } of taken) {
        expect(deductions.reduce((total, { amount }) => total + amount, 0n)).toBe(ONE)
        expect(used.get(uid)?.reduce((total, { amount }) => total + amount, 0n)).toBe(-ONE)
      }
      if (POOR.includes(id)) expect(events.length).toBeLessThanOrEqual(GRANTED_TO_POOR)
      if (!CAREFUL.includes(id)) expect(taken.length).toBe(events.length)

      const adds = history.filter((one) => one.customer === id && one.kind === 'add')
      const added = ledger.filter(({ kind }) => kind === 'adjust').length
      expect(added).toBeGreaterThanOrEqual(adds.filter(({ state }) => state === 'done').length)
      expect(added).toBeLessThanOrEqual(adds.filter(({ state }) => state !== 'never').length)
    }
  } finally {
    await store.close()
  }
}

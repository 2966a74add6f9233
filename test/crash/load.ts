import { expect } from 'vitest'
import { type Amount, ONE } from '../../src/domain/amount.ts'
import type { Store } from '../../src/store/store.ts'
import { expectBooksToBeProved, expectLedgerToAddUp } from '../ledger.ts'
import type { Client, Reply, Request } from './clients.ts'
import { CLIENTS, type Course, eventsOf, untilKilled, withClients } from './course.ts'

const FEATURE = 'messages'
/** An event that is charged to two features: both or neither. */
const EVENT = 'sent'

/** Plenty: nobody uses that much here. */
const WEALTHY = Array.from({ length: 14 }, (_, i) => `wealthy-${i}`)
/** Few enough to be used up, by uses that are refused then. */
const POOR = Array.from({ length: 4 }, (_, i) => `poor-${i}`)
/** Reset over and over, and carry over what is left. */
const CAREFUL = ['careful-0', 'careful-1']
const CUSTOMERS = [...WEALTHY, ...POOR, ...CAREFUL]

/** Load, kill, look, start again, retry, look; over and over. */
export async function runCourse(course: Course): Promise<void> {
  const { servers, kills, lookEvery } = course
  const began = performance.now()
  const grantedToPoor = 4 * kills
  const history: Request[] = []
  let replayed = 0
  await withClients(course, 1, ([client]) => furnish(client, grantedToPoor))
  for (let kill = 1; kill <= kills; kill++) {
    const sent = await loadUntilKilled(course, `${kill}`)
    history.push(...sent)
    const looks = kill % lookEvery === 0 || kill === kills
    if (looks) await servers.look((store) => expectBooksToAddUp(store, history, grantedToPoor))
    if (looks) await expectBooksToBeProved(servers.books())
    await servers.restart()
    await withClients(course, CLIENTS, async (clients) => {
      replayed += await retry(clients, sent)
      if (looks) await expectEachOnce(clients, history, grantedToPoor)
    })
  }
  await servers.kill()
  await servers.look((store) => expectBooksToAddUp(store, history, grantedToPoor))
  await expectBooksToBeProved(servers.books())

  const count = (...states: Request['state'][]) => history.filter(({ state }) => states.includes(state)).length
  // Otherwise nothing was tried.
  expect(count('done')).toBeGreaterThan(kills * 20)
  expect(count('refused')).toBeGreaterThan(0)
  expect(replayed).toBeGreaterThan(0)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(
    `${course.name}: ${kills + 1} kills, ${history.length} requests, ${count('done')} effects acknowledged or found, ` +
      `${count('refused')} refused, ${count('never')} without effect, ${replayed} retries answered as the first time; ` +
      `0 lost, 0 twice, 0 half applied (${seconds} s)`,
  )
}

async function furnish(client: Client, grantedToPoor: number): Promise<void> {
  const feature = { type: 'metered', consumable: true, event_names: [EVENT] }
  await client.ok('features.create', { feature_id: FEATURE, name: 'Messages', ...feature })
  await client.ok('features.create', { feature_id: 'letters', name: 'Letters', ...feature })
  const grants = (id: string): Record<string, unknown> => {
    if (WEALTHY.includes(id)) return { included: 1_000_000 }
    if (POOR.includes(id)) return { included: grantedToPoor }
    return { included: 40, reset: { interval: 'month' }, rollover: { duration: 'forever', max: 100 } }
  }
  for (const customer_id of CUSTOMERS) {
    await client.ok('customers.get_or_create', { customer_id })
    await client.ok('balances.create', { customer_id, feature_id: FEATURE, ...grants(customer_id) })
    if (WEALTHY.includes(customer_id))
      await client.ok('balances.create', { customer_id, feature_id: 'letters', included: 1_000_000 })
  }
}

/** @returns all that was asked for until something was killed. */
async function loadUntilKilled(course: Course, name: string): Promise<readonly Request[]> {
  const sent: Request[] = []
  await untilKilled(course, ({ clients, i, n, choose }) => {
    const one = newRequest(`${name}-${i}-${n}`, choose)
    sent.push(one)
    return ask(one.keyed && one.id.endsWith('7') ? clients : clients.slice(0, 1), one)
  })
  return sent
}

/** Of two that ask at the same time only one may count. @returns whether all were answered. */
async function ask(clients: readonly Client[], one: Request): Promise<boolean> {
  const replies = await Promise.all(clients.map((client) => client.send(one.operation, one.body, one.headers)))
  const states = replies.map((reply) => stateAfter(one, reply))
  one.state = (['done', 'refused', 'sent', 'never'] as const).find((state) => states.includes(state)) ?? 'sent'
  return !replies.includes(null)
}

/** What one answer says of a request by itself. */
function stateAfter(one: Request, reply: Reply | null): Request['state'] {
  if (reply === null) return 'sent'
  if (reply.status === 200) return 'done'
  if (reply.status === 503) {
    expect(reply.headers['retry-after']).toBe('1')
    expect(['store_unavailable', 'outcome_unknown']).toContain(reply.body.code)
    return reply.body.code === 'store_unavailable' ? 'never' : 'sent'
  }
  expect(reply).toMatchObject({ status: 400, body: { code: 'insufficient_balance' } })
  expect(POOR).toContain(one.customer)
  return 'refused'
}

function newRequest(id: string, random: () => number): Request {
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T
  const [what, how] = [random(), random()]
  const request = (kind: Request['kind'], customer: string, rest: Record<string, unknown>): Request => {
    const operation = kind === 'track' ? 'balances.track' : 'balances.update'
    const headers: Record<string, string> = how < 0.2 ? { 'idempotency-key': id } : {}
    const inBody = kind === 'track' && how > 0.8 ? { idempotency_key: id } : {}
    const of = 'event_name' in rest ? {} : { feature_id: FEATURE }
    const body = { customer_id: customer, ...of, ...rest, ...inBody }
    const keyed = how < 0.2 || 'idempotency_key' in inBody
    return { kind, customer, id, operation, body, headers, keyed, state: 'sent' }
  }
  const use = { value: 1, properties: { id } }
  if (what < 0.1) return request('add', pick(WEALTHY), { add_to_balance: 1 })
  if (what < 0.15) return request('reset', pick(CAREFUL), { next_reset_at: Date.now() })
  if (what < 0.25) return request('track', pick(CAREFUL), use)
  if (what < 0.45) return request('track', pick(POOR), { ...use, overage_behavior: 'reject' })
  if (what < 0.6) return request('track', pick(WEALTHY), { ...use, event_name: EVENT })
  return request('track', pick(WEALTHY), what < 0.75 ? { ...use, overage_behavior: 'reject' } : use)
}

/** Sends every request with a key again, as a careful client does after a failure. @returns how many had been done. */
async function retry(clients: readonly Client[], sent: readonly Request[]): Promise<number> {
  let replayed = 0
  const keyed = sent.filter((one) => one.keyed && one.state !== 'refused')
  await Promise.all(
    keyed.map(async (one, i) => {
      const reply = await clients[i % clients.length]?.send(one.operation, one.body, one.headers)
      const again = reply?.headers['idempotent-replayed'] === 'true'
      if (again) replayed += 1
      if (one.state !== 'done' && reply?.status === 400 && POOR.includes(one.customer)) {
        one.state = 'refused'
        return
      }
      expect(reply, `the retry of ${one.id}`).toMatchObject({ status: 200 })
      if (one.state === 'done') expect(again, `${one.id} was acknowledged, so the retry is a replay`).toBe(true)
      if (one.state === 'never') expect(again, `${one.id} had no effect, so the retry is the first`).toBe(false)
      one.state = 'done'
    }),
  )
  return replayed
}

/** What the public API says. Settles what nobody answered: from now on it has happened, or never will. */
async function expectEachOnce(
  clients: readonly Client[],
  history: readonly Request[],
  grantedToPoor: number,
): Promise<void> {
  await Promise.all(
    CUSTOMERS.map((customer, i) => {
      const client = clients[i % clients.length] as Client
      const asked = history.filter((one) => one.customer === customer)
      return expectEachOnceOf(client, customer, asked, grantedToPoor)
    }),
  )
}

async function expectEachOnceOf(
  client: Client,
  customer: string,
  asked: readonly Request[],
  grantedToPoor: number,
): Promise<void> {
  const tracks = asked.filter(({ kind }) => kind === 'track')
  const events = await eventsOf(client, customer)
  const count = new Map<string, number>()
  for (const { value, properties } of events) {
    expect(value).toBe(1)
    count.set(properties.id, (count.get(properties.id) ?? 0) + 1)
  }
  const wrong = tracks.filter(({ id, state }) => {
    const times = count.get(id) ?? 0
    if (state === 'sent') return times > 1
    return times !== (state === 'done' ? 1 : 0)
  })
  expect(wrong, `events of ${customer}`).toEqual([])
  const known = new Set(tracks.map(({ id }) => id))
  expect([...count.keys()].filter((id) => !known.has(id))).toEqual([])
  for (const one of tracks) if (one.state === 'sent') one.state = count.has(one.id) ? 'done' : 'never'

  if (CAREFUL.includes(customer)) return
  const { balance } = await client.ok('balances.check', { customer_id: customer, feature_id: FEATURE })
  const adds = asked.filter(({ kind }) => kind === 'add')
  const done = adds.filter(({ state }) => state === 'done').length
  const unsure = adds.filter(({ state }) => state === 'sent').length
  // A loose balance that is used up is not shown any more.
  const used = balance === null ? grantedToPoor : balance.granted - balance.remaining
  expect(used, `used by ${customer}`).toBeLessThanOrEqual(events.length - done)
  expect(used, `used by ${customer}`).toBeGreaterThanOrEqual(events.length - done - unsure)
}

/** What the store itself says. */
async function expectBooksToAddUp(store: Store, history: readonly Request[], grantedToPoor: number): Promise<void> {
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
    for (const { uid, name, deductions } of taken) {
      const amount = name === EVENT ? 2n * ONE : ONE
      expect(total(deductions)).toBe(amount)
      expect(total(used.get(uid) ?? [])).toBe(-amount)
    }
    if (POOR.includes(id)) expect(events.length).toBeLessThanOrEqual(grantedToPoor)
    if (!CAREFUL.includes(id)) expect(taken.length).toBe(events.length)

    const adds = history.filter((one) => one.customer === id && one.kind === 'add')
    const added = ledger.filter(({ kind }) => kind === 'adjust').length
    expect(added).toBeGreaterThanOrEqual(adds.filter(({ state }) => state === 'done').length)
    expect(added).toBeLessThanOrEqual(adds.filter(({ state }) => state !== 'never').length)
  }
}

function total(lines: readonly { readonly amount: Amount }[]): Amount {
  return lines.reduce((sum, { amount }) => sum + amount, 0n)
}

import { setTimeout as after } from 'node:timers/promises'
import { expect } from 'vitest'
import { bookOf, expectBooksToBeProved } from '../ledger.ts'
import type { Client, Reply } from './clients.ts'
import { CLIENTS, type Course, eventsOf, type Turn, untilKilled, withClients } from './course.ts'

const FEATURE = 'messages'
/** Plenty. What nobody answered them without a key is found out by asking again. */
const RICH = Array.from({ length: 6 }, (_, i) => `rich-${i}`)
/** Few enough that holds are refused, or cut down, and confirms find nothing more. */
const POOR = Array.from({ length: 3 }, (_, i) => `poor-${i}`)
const CUSTOMERS = [...RICH, ...POOR]

/** One request about a lock, and what its client may believe about it. */
interface Step {
  readonly operation: 'balances.check' | 'balances.finalize'
  readonly body: Record<string, unknown>
  readonly key: string | null
  /** Of a finalize: what is to be used in all; undefined for as much as is held. */
  readonly target?: number | undefined
  /** sent: no answer has come, so it may have happened or not. */
  state: 'sent' | 'done' | 'refused' | 'never'
  answer: Reply['body']
}

/** A lock that a client asked for, and what came of it as far as the client knows. */
interface Job {
  /** Unique; its events carry it. The lock's id may be used again. */
  readonly name: string
  readonly lock: string
  readonly customer: string
  readonly required: number
  readonly lapsesAt: number | null
  isOpen: boolean
  held: number
  used: number
  /** What its events come to: what is used beyond the hold is recorded whole, also where less was there (S25). */
  recorded: number
}

interface Asked {
  readonly job: Job
  readonly step: Step
}

/** What all clients know together. */
class Memory {
  readonly jobs: Job[] = []
  /** Of each client: open locks that it may settle. */
  readonly open: Job[][] = Array.from({ length: CLIENTS }, () => [])
  /** Ids of locks that are known to be settled. */
  readonly free: string[] = []
  /** found: done, and not answered at first; how many is a matter of luck. */
  readonly count = { unanswered: 0, found: 0, replayed: 0, refused: 0, opened: 0, settled: 0, lapsed: 0, reused: 0 }
}

/** Locks are opened and settled, something is killed, everything is started again and retried; over and over. */
export async function runLockCourse(course: Course): Promise<void> {
  const { servers, kills, lookEvery } = course
  const began = performance.now()
  const granted = new Map(CUSTOMERS.map((id) => [id, RICH.includes(id) ? 1_000_030 : 6 * kills + 10]))
  const memory = new Memory()
  await withClients(course, 1, ([client]) => furnish(client, granted))
  for (let kill = 1; kill <= kills; kill++) {
    const looks = kill % lookEvery === 0 || kill === kills
    const asked: Asked[] = []
    await untilKilled(course, (turn) => ask(turn, memory, `${kill}-${turn.i}-${turn.n}`, asked))
    if (looks) await servers.look(async () => expectBooksToBeProved(servers.books()))
    await servers.restart()
    await withClients(course, CLIENTS, async (clients) => {
      await Promise.all(asked.map((one, i) => retry(clients[i % CLIENTS] ?? clients[0], memory, one)))
      await Promise.all(asked.map(({ job }) => hasLapsed(memory, job)))
      if (looks) await expectTotals(clients, memory, granted)
    })
    for (const [i, list] of memory.open.entries()) memory.open[i] = list.filter(({ isOpen }) => isOpen)
  }
  await withClients(course, CLIENTS, async (clients) => {
    await settleAll(clients, memory)
    await expectTotals(clients, memory, granted)
  })
  await servers.kill()
  await servers.look(async (store) => {
    for (const id of CUSTOMERS) expect((await bookOf(store, id)).holdings.locks, id).toBeNull()
    await expectBooksToBeProved(servers.books())
  })

  // Otherwise nothing was tried.
  const { found: _, ...sure } = memory.count
  for (const [what, number] of Object.entries(sure)) expect(number, what).toBeGreaterThan(0)
  const told = Object.entries(memory.count).map(([what, number]) => `${number} ${what}`)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(
    `Locks, ${course.name}: ${kills + 1} kills, ${told.join(', ')}; 0 lost, 0 twice, totals exact (${seconds} s)`,
  )
}

async function furnish(client: Client, granted: ReadonlyMap<string, number>): Promise<void> {
  await client.ok('features.create', { feature_id: FEATURE, name: 'Messages', type: 'metered', consumable: true })
  for (const [customer_id, amount] of granted) {
    await client.ok('customers.get_or_create', { customer_id })
    const parts = RICH.includes(customer_id) ? [30, amount - 30] : [amount / 2, amount / 2]
    for (const [i, included] of parts.entries()) {
      const terms = { balance_id: `part-${i}`, included, reset: { interval: 'year' } }
      await client.ok('balances.create', { customer_id, feature_id: FEATURE, ...terms })
    }
  }
}

/** Opens a lock or settles one. @returns whether all was answered. */
async function ask({ clients, i, choose }: Turn, memory: Memory, name: string, asked: Asked[]): Promise<boolean> {
  const open = memory.open[i] ?? []
  const job = choose() < 0.5 ? open[Math.floor(choose() * open.length)] : undefined
  const one = job === undefined ? newLock(memory, name, choose) : { job, step: newFinalize(job, name, choose) }
  asked.push(one)
  const twice = one.step.key !== null && choose() < 0.15
  const replies = await Promise.all((twice ? clients : clients.slice(0, 1)).map((client) => send(client, one.step)))
  const states = replies.map((reply) => stateAfter(one, reply))
  one.step.state = (['done', 'refused', 'sent', 'never'] as const).find((state) => states.includes(state)) ?? 'sent'
  const done = replies.filter((_, n) => states[n] === 'done')
  expect(done.filter((reply) => !isReplay(reply)).length, `effects of ${name}`).toBeLessThanOrEqual(1)
  for (const reply of done) expect(reply?.body).toEqual(done[0]?.body)
  if (one.step.state === 'done') learn(memory, one, done[0]?.body)
  if (one.step.state === 'refused') memory.count.refused += 1
  const { isOpen, lapsesAt } = one.job
  const mayBeSettled = isOpen && lapsesAt === null && one.step.state === 'done'
  memory.open[i] = [...open.filter((other) => other !== one.job), ...(mayBeSettled ? [one.job] : [])]
  return !replies.includes(null)
}

function newLock(memory: Memory, name: string, choose: () => number): Asked {
  const customer = choose() < 0.6 ? pick(RICH, choose) : pick(POOR, choose)
  const required = (1 + Math.floor(choose() * 20)) / 4
  const lapsesAt = choose() < 0.15 ? Date.now() + Math.floor(choose() * 300) : null
  const again = choose() < 0.5 ? memory.free.shift() : undefined
  if (again !== undefined) memory.count.reused += 1
  const isKeyed = lapsesAt !== null || POOR.includes(customer) || choose() < 0.7
  const lock = {
    enabled: true,
    lock_id: again ?? `lock-${name}`,
    ...(lapsesAt === null ? {} : { expires_at: lapsesAt }),
    overage_behavior: POOR.includes(customer) && choose() < 0.5 ? 'cap' : 'reject',
  }
  const job = { name, lock: lock.lock_id, customer, required, lapsesAt, isOpen: false, held: 0, used: 0, recorded: 0 }
  memory.jobs.push(job)
  const body = {
    customer_id: customer,
    feature_id: FEATURE,
    required_balance: required,
    properties: { id: name },
    lock,
  }
  const step: Step = { operation: 'balances.check', body, key: isKeyed ? name : null, state: 'sent', answer: null }
  return { job, step }
}

function newFinalize(job: Job, name: string, choose: () => number): Step {
  const [what, how] = [choose(), choose()]
  const step = (body: object, target: number | undefined, mayLackKey = true): Step => {
    const key = mayLackKey && RICH.includes(job.customer) && how < 0.3 ? null : `finalize ${name}`
    const whole = { lock_id: job.lock, action: 'confirm', ...body }
    return { operation: 'balances.finalize', body: whole, key, target, state: 'sent', answer: null }
  }
  if (what < 0.2) return step({ action: 'release' }, 0)
  if (what < 0.4) return step({}, undefined)
  const part = Math.floor(choose() * (4 * job.held)) / 4
  if (what < 0.6) return step({ override_value: part }, part)
  if (what < 0.8) return step({ override_value: job.held + 1.5 }, job.held + 1.5)
  return step({ override_value: part, keep_open: true }, part, false)
}

function send(client: Client, { operation, body, key }: Step): Promise<Reply | null> {
  return client.send(operation, body, key === null ? {} : { 'idempotency-key': key })
}

/** What one answer says of a step by itself. */
function stateAfter({ job, step }: Asked, reply: Reply | null): Step['state'] {
  if (reply === null) return 'sent'
  if (reply.status === 503) {
    expect(reply.headers['retry-after']).toBe('1')
    expect(['store_unavailable', 'outcome_unknown']).toContain(reply.body.code)
    return reply.body.code === 'store_unavailable' ? 'never' : 'sent'
  }
  expect(reply, JSON.stringify({ job, step, reply })).toMatchObject({ status: 200 })
  if (step.operation === 'balances.finalize' || reply.body.allowed) return 'done'
  expect(POOR).toContain(job.customer)
  return 'refused'
}

function isReplay(reply: Reply | null): boolean {
  return reply?.headers['idempotent-replayed'] === 'true'
}

/** What the step has done is known now. @param body null where it is only known that it was done. */
function learn({ count, free }: Memory, { job, step }: Asked, body: Reply['body'] | null): void {
  step.answer = body
  if (step.operation === 'balances.check') {
    count.opened += 1
    job.isOpen = true
    job.held = body === null ? job.required : body.lock.held
    job.recorded = job.held
    return
  }
  const target = step.target ?? job.held
  const keepsOpen = step.body['keep_open'] === true
  const within = keepsOpen ? Math.min(job.held, target) : job.held
  const moved = body === null ? target - within : total(body.deductions)
  if (RICH.includes(job.customer)) expect(moved).toBe(target - within)
  expect(moved).toBeLessThanOrEqual(target - within)
  job.used += within + moved
  job.held -= within
  job.recorded += target - within
  if (keepsOpen) {
    expect(body.lock.held).toBe(job.held)
    return
  }
  count.settled += 1
  job.isOpen = false
  free.push(job.lock)
}

/** As a careful client does: with its key again, and without one it is told what came of the first one (docs/agents.md). */
async function retry(client: Client, memory: Memory, one: Asked): Promise<void> {
  const { step, job } = one
  const before = step.state
  if (before === 'sent') memory.count.unanswered += 1
  if (before === 'refused' || (step.key === null && before !== 'sent')) return
  const reply = await send(client, step)
  if (step.key === null) {
    const code = step.operation === 'balances.check' ? 'lock_already_exists' : 'invalid_request'
    const wasDone = reply?.status !== 200 && reply?.body.code === code
    if (wasDone) memory.count.found += 1
    else expect(reply, `again ${job.name}`).toMatchObject({ status: 200 })
    step.state = 'done'
    learn(memory, one, wasDone ? null : reply?.body)
    return
  }
  const state = stateAfter(one, reply)
  if (isReplay(reply)) memory.count.replayed += 1
  if (before === 'done') {
    expect(isReplay(reply), `${job.name} was acknowledged, so the retry is a replay`).toBe(true)
    expect(reply?.body).toEqual(step.answer)
    return
  }
  if (before === 'never') expect(isReplay(reply), `${job.name} had no effect, so the retry is the first`).toBe(false)
  else if (isReplay(reply)) memory.count.found += 1
  step.state = state
  if (state === 'done') learn(memory, one, reply?.body)
  else memory.count.refused += 1
}

/** Waits for the instant at which the lock lapses. */
async function hasLapsed({ count }: Memory, job: Job): Promise<void> {
  if (job.lapsesAt === null || !job.isOpen) return
  while (Date.now() <= job.lapsesAt) await after(job.lapsesAt - Date.now() + 1)
  count.lapsed += 1
  job.isOpen = false
  job.held = 0
  job.recorded = 0
}

async function expectTotals(clients: readonly Client[], { jobs }: Memory, granted: ReadonlyMap<string, number>) {
  await Promise.all(
    CUSTOMERS.map(async (customer_id, i) => {
      const client = clients[i % clients.length] as Client
      // A write records what has lapsed, unless that was recorded.
      await expectFree(client, customer_id, `probe ${customer_id}`)
      const theirs = jobs.filter(({ customer }) => customer === customer_id)
      const sum = (of: (job: Job) => number) => theirs.reduce((all, job) => all + of(job), 0)
      const [held, usage] = [sum((job) => job.held), sum((job) => job.used + job.held)]
      const { balance } = await client.ok('balances.check', { customer_id, feature_id: FEATURE })
      const shown = (balance.breakdown as { held?: number }[]).reduce((all, line) => all + (line.held ?? 0), 0)
      const told = { usage: balance.usage, remaining: balance.remaining, held: shown }
      expect(told, customer_id).toEqual({ usage, remaining: (granted.get(customer_id) ?? 0) - usage, held })
      const events = new Map<string, number>()
      for (const { value, properties } of await eventsOf(client, customer_id))
        events.set(properties.id, value + (events.get(properties.id) ?? 0))
      const wrong = theirs.filter(({ name, recorded }) => (events.get(name) ?? 0) !== recorded)
      expect(wrong, `events of ${customer_id}`).toEqual([])
    }),
  )
}

/** Every open lock can be settled still, every other one cannot, and every id can be used again. */
async function settleAll(clients: readonly Client[], memory: Memory): Promise<void> {
  const open = new Map(memory.jobs.filter(({ isOpen }) => isOpen).map((job) => [job.lock, job]))
  const ids = [...new Set(memory.jobs.map(({ lock }) => lock))]
  await Promise.all(
    clients.map(async (client, i) => {
      for (const id of ids.filter((_, n) => n % clients.length === i)) {
        const job = open.get(id)
        const body = { lock_id: id, action: id.length % 2 === 0 ? 'confirm' : 'release' }
        const reply = await client.send('balances.finalize', body)
        expect(reply?.status, id).toBe(job === undefined ? 400 : 200)
        const target = body.action === 'release' ? 0 : undefined
        const step: Step = { operation: 'balances.finalize', body, key: null, target, state: 'done', answer: null }
        if (job !== undefined) learn(memory, { job, step }, reply?.body)
        await expectFree(
          client,
          pick(CUSTOMERS, () => i / clients.length),
          id,
        )
      }
    }),
  )
}

/** The id can be used, here for nothing. */
async function expectFree(client: Client, customer_id: string, lock_id: string): Promise<void> {
  const lock = { enabled: true, lock_id }
  const about = { customer_id, feature_id: FEATURE, properties: { id: 'free' } }
  const { allowed } = await client.ok('balances.check', { ...about, required_balance: 0, lock })
  expect(allowed).toBe(true)
  await client.ok('balances.finalize', { lock_id, action: 'release' })
}

function pick<T>(list: readonly T[], choose: () => number): T {
  return list[Math.floor(choose() * list.length)] as T
}

function total(lines: readonly { readonly value: number }[]): number {
  return lines.reduce((sum, { value }) => sum + value, 0)
}

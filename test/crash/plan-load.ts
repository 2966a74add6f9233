import { expect } from 'vitest'
import { expectBooksToBeProved, expectPlansToAddUp } from '../ledger.ts'
import type { Client, Reply } from './clients.ts'
import { CLIENTS, type Course, eventsOf, type Turn, untilKilled, withClients } from './course.ts'

const FEATURE = 'messages'
/** Plenty of each, so that the main plan pays for all that is used. */
const GRANTS = { hobby: 1_000_000, starter: 2_000_000, studio: 3_000_000 }
const BOOST = 50
type Main = keyof typeof GRANTS

/** A customer, whom one client alone asks for, and what it has by what was answered. */
interface Account {
  readonly id: string
  main: Main
  /** What comes at the end of the cycle. */
  next: Main | null
  boosts: number
  /** Since the balance of the main plan began or was renewed. */
  used: number
  /** Uses that were acknowledged, by name. */
  readonly tracked: Set<string>
}

interface Step {
  readonly account: Account
  readonly operation: 'billing.attach' | 'billing.update' | 'balances.track'
  readonly body: Record<string, unknown>
  readonly key: string
  /** What it means, once it is known to have happened. */
  readonly then: (account: Account) => void
  /** sent: no answer has come, so it may have happened or not. */
  state: 'sent' | 'done' | 'never'
}

/** Plans are attached, switched and cancelled and what they give is used, something is killed, started again and retried. */
export async function runPlanCourse(course: Course): Promise<void> {
  const { servers, kills, lookEvery } = course
  const began = performance.now()
  const accounts = Array.from({ length: 3 * CLIENTS }, (_, i): Account => {
    return { id: `customer-${i}`, main: 'hobby', next: null, boosts: 0, used: 0, tracked: new Set() }
  })
  const count = { done: 0, plans: 0, unanswered: 0, found: 0, replayed: 0, turned: 0 }
  await withClients(course, 1, ([client]) => furnish(client, accounts))
  for (let kill = 1; kill <= kills; kill++) {
    const looks = kill % lookEvery === 0 || kill === kills
    const asked: Step[] = []
    await untilKilled(course, (turn) => ask(turn, accounts, `${kill}-${turn.i}-${turn.n}`, asked))
    if (looks) await servers.look(async () => expectBooksToBeProved(servers.books()))
    await servers.restart()
    await withClients(course, CLIENTS, async (clients) => {
      // In the order in which they were asked for, so that a customer's are.
      await Promise.all(
        clients.map(async (client, i) => {
          for (const step of asked.filter(({ account }) => ownerOf(account, accounts) === i)) {
            const before = step.state
            const reply = await client.send(step.operation, step.body, { 'idempotency-key': step.key })
            expect(reply, `again ${step.key}`).toMatchObject({ status: 200 })
            const again = reply?.headers['idempotent-replayed'] === 'true'
            if (again) count.replayed += 1
            if (before === 'done') expect(again, `${step.key} was acknowledged, so the retry is a replay`).toBe(true)
            else {
              if (before === 'never') expect(again, `${step.key} had no effect, so the retry is the first`).toBe(false)
              count.unanswered += 1
              if (again) count.found += 1
              step.then(step.account)
            }
            count.done += 1
            if (step.operation !== 'balances.track') count.plans += 1
          }
        }),
      )
      if (looks) await expectTotals(clients, accounts)
      // Over every boundary: balances are renewed, and what is scheduled begins, while the next load is under way.
      if (kill % 2 === 0) return
      await clients[0].ok('clock.advance', { by: '32d' })
      for (const account of accounts) {
        account.used = 0
        if (account.next === null) continue
        count.turned += 1
        account.main = account.next
        account.next = null
      }
    })
  }
  await withClients(course, CLIENTS, (clients) => expectTotals(clients, accounts))
  await servers.kill()
  await servers.look(async (store) => {
    for (const { id } of accounts) await expectPlansToAddUp(store, id)
    await expectBooksToBeProved(servers.books())
  })

  // Otherwise nothing was tried.
  const { found: _, ...sure } = count
  for (const [what, number] of Object.entries(sure)) expect(number, what).toBeGreaterThan(0)
  const told = Object.entries(count).map(([what, number]) => `${number} ${what}`)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(
    `Plans, ${course.name}: ${kills + 1} kills, ${told.join(', ')}; 0 lost, 0 twice, totals exact (${seconds} s)`,
  )
}

async function furnish(client: Client, accounts: readonly Account[]): Promise<void> {
  await client.ok('features.create', { feature_id: FEATURE, name: 'Messages', type: 'metered', consumable: true })
  const prices = { hobby: 0, starter: 10, studio: 24, boost: 5 }
  for (const [plan_id, included] of Object.entries({ ...GRANTS, boost: BOOST })) {
    const amount = prices[plan_id as keyof typeof prices]
    await client.ok('plans.create', {
      ...{ plan_id, name: plan_id, auto_enable: amount === 0, add_on: plan_id === 'boost' },
      ...(amount === 0 ? {} : { price: { amount, interval: 'month' } }),
      items: [{ feature_id: FEATURE, included, reset: { interval: 'month' } }],
    })
  }
  for (const { id } of accounts) await client.ok('customers.get_or_create', { customer_id: id })
}

function ownerOf(account: Account, accounts: readonly Account[]): number {
  return accounts.indexOf(account) % CLIENTS
}

/** @returns whether all was answered. */
async function ask({ clients, i, choose }: Turn, accounts: readonly Account[], name: string, asked: Step[]) {
  const mine = accounts.filter((account) => ownerOf(account, accounts) === i)
  const step = newStep(mine[Math.floor(choose() * mine.length)] as Account, name, choose)
  asked.push(step)
  const headers = { 'idempotency-key': step.key }
  const to = choose() < 0.15 ? clients : clients.slice(0, 1)
  const replies = await Promise.all(to.map((client) => client.send(step.operation, step.body, headers)))
  const states = replies.map((reply) => stateAfter(step, reply))
  step.state = (['done', 'sent', 'never'] as const).find((state) => states.includes(state)) ?? 'sent'
  const first = replies.filter((reply) => reply?.status === 200 && reply.headers['idempotent-replayed'] !== 'true')
  expect(first.length, `effects of ${name}`).toBeLessThanOrEqual(1)
  if (step.state === 'done') step.then(step.account)
  // What comes after would be about another state than this client believes.
  return step.state === 'done' && !replies.includes(null)
}

function stateAfter({ key }: Step, reply: Reply | null): Step['state'] {
  if (reply === null) return 'sent'
  if (reply.status === 503) {
    expect(['store_unavailable', 'outcome_unknown']).toContain(reply.body.code)
    return reply.body.code === 'store_unavailable' ? 'never' : 'sent'
  }
  expect(reply, key).toMatchObject({ status: 200 })
  return 'done'
}

function newStep(account: Account, name: string, choose: () => number): Step {
  const customer_id = account.id
  const step = (operation: Step['operation'], body: object, then: Step['then']): Step => {
    return { account, operation, body: { customer_id, ...body }, key: name, then, state: 'sent' }
  }
  const [what, which] = [choose(), choose()]
  if (what < 0.15) {
    const others = (['starter', 'studio'] as const).filter((one) => one !== account.main)
    const plan_id = others[Math.floor(which * others.length)] ?? 'studio'
    const carries = which > 0.3
    const body = { plan_id, plan_schedule: 'immediate', carry_over_usages: { enabled: carries } }
    return step('billing.attach', body, (one) => {
      Object.assign(one, { main: plan_id, next: null, used: carries ? one.used : 0 })
    })
  }
  if (what < 0.2)
    return step('billing.attach', { plan_id: 'boost' }, (one) => {
      one.boosts += 1
    })
  if (what < 0.27 && account.main !== 'hobby') {
    const body = { plan_id: account.main, cancel_action: 'cancel_immediately' }
    return step('billing.update', body, (one) => Object.assign(one, { main: 'hobby', next: null, used: 0 }))
  }
  if (what < 0.37 && account.main === 'studio')
    return step('billing.attach', { plan_id: 'starter' }, (one) => {
      one.next = 'starter'
    })
  if (what < 0.42 && account.next === null && account.main !== 'hobby') {
    const body = { plan_id: account.main, cancel_action: 'cancel_end_of_cycle' }
    return step('billing.update', body, (one) => {
      one.next = 'hobby'
    })
  }
  if (what < 0.47 && account.next !== null) {
    const body = { plan_id: account.main, cancel_action: 'uncancel' }
    return step('billing.update', body, (one) => {
      one.next = null
    })
  }
  const use = { feature_id: FEATURE, value: 1, properties: { id: name } }
  return step('balances.track', use, (one) => {
    one.used += 1
    one.tracked.add(name)
  })
}

async function expectTotals(clients: readonly Client[], accounts: readonly Account[]): Promise<void> {
  await Promise.all(
    accounts.map(async ({ id, main, next, boosts, used, tracked }, i) => {
      const client = clients[i % clients.length] as Client
      const { subscriptions, balances } = await client.ok('customers.get', { customer_id: id })
      const plans = (status: string) =>
        subscriptions.flatMap((one: { plan_id: string; status: string }) => (one.status === status ? one.plan_id : []))
      const { usage, granted } = balances[FEATURE]
      expect({ active: plans('active').toSorted(), scheduled: plans('scheduled'), usage, granted }, id).toEqual({
        active: [...Array.from({ length: boosts }, () => 'boost'), main].toSorted(),
        scheduled: next === null ? [] : [next],
        usage: used,
        granted: GRANTS[main] + boosts * BOOST,
      })
      const events = (await eventsOf(client, id)).map(({ properties }) => properties.id)
      expect(events.toSorted(), `events of ${id}`).toEqual([...tracked].toSorted())
    }),
  )
}

import { runVerify } from '../../src/cli/verify.ts'
import type { Books } from '../../src/store/store.ts'
import type { Granary } from './granary.ts'

export const LIVE_KEY = `am_sk_live_${'x'.repeat(40)}`
export const WELL = /: \d+ customers, \d+ balances, \d+ postings, \d+ events in \d+\.\d s\. all is well\n$/
export const WRONG = / in \d+\.\d s\. wrong: \d+\n$/

/** Fails unless the request is answered. */
async function ok(server: Granary, operation: string, body: object, key = server.key) {
  const answer = await server.call(operation, body, key)
  if (answer.status !== 200) throw new Error(`${operation}: ${JSON.stringify(answer)}`)
  return answer.body
}

/** Everything there is. */
export async function furnish(server: Granary): Promise<void> {
  const messages = { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true }
  const alice = { customer_id: 'alice', feature_id: 'messages' }
  for (const key of [server.key, LIVE_KEY]) await ok(server, 'features.create', messages, key)
  await ok(server, 'features.create', { ...messages, feature_id: 'trial', name: 'Trial' })
  await ok(server, 'features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })

  // Rollovers, refunds, a balance that is deleted.
  await ok(server, 'customers.get_or_create', { customer_id: 'alice' })
  const rollover = { max: 40, duration: 'month', length: 3 }
  await ok(server, 'balances.create', { ...alice, included: 100, reset: { interval: 'month' }, rollover })
  await ok(server, 'balances.create', { ...alice, included: 7, balance_id: 'gift' })
  const { event_id } = await ok(server, 'balances.track', { ...alice, value: 30 })
  await ok(server, 'balances.track', { customer_id: 'alice', refund_of: event_id, value: -10 })
  await ok(server, 'balances.delete', { ...alice, balance_id: 'gift' })

  // A balance that expires and is not cleared away before its feature goes.
  await ok(server, 'customers.get_or_create', { customer_id: 'idle' })
  const trial = { feature_id: 'trial', included: 5, expires_at: Date.now() + 86_400_000 }
  await ok(server, 'balances.create', { customer_id: 'idle', ...trial })
  await ok(server, 'clock.advance', { by: '32d' })
  await ok(server, 'features.delete', { feature_id: 'trial' })
  await ok(server, 'balances.track', { ...alice, value: 15 })
  // Open locks: of a rollover, and below of an entity's balance.
  await ok(server, 'balances.check', { ...alice, required_balance: 4, lock: { enabled: true, lock_id: 'job-alice' } })

  // A plan that is paid for, and another one that it will be followed by.
  await ok(server, 'customers.get_or_create', { customer_id: 'paul' })
  for (const [plan_id, amount] of [
    ['studio', 24],
    ['starter', 10],
  ] as const) {
    const price = { amount: 1, interval: 'month', billing_method: 'usage_based' }
    const items = [{ feature_id: 'messages', included: amount, price }]
    await ok(server, 'plans.create', { plan_id, name: plan_id, price: { amount, interval: 'month' }, items })
    await ok(server, 'billing.attach', { customer_id: 'paul', plan_id })
  }
  await ok(server, 'balances.track', { customer_id: 'paul', feature_id: 'messages', value: 30 })

  // Entities with balances of their own, one seat more than was granted; one entity goes.
  await ok(server, 'customers.get_or_create', { customer_id: 'acme' })
  await ok(server, 'balances.create', { customer_id: 'acme', feature_id: 'seats', included: 1 })
  for (const entity_id of ['desk', 'lamp', 'door']) {
    await ok(server, 'entities.create', { customer_id: 'acme', entity_id, feature_id: 'seats' })
    await ok(server, 'balances.create', { customer_id: 'acme', entity_id, feature_id: 'messages', included: 3 })
    await ok(server, 'balances.track', { customer_id: 'acme', entity_id, feature_id: 'messages', value: 2 })
  }
  await ok(server, 'entities.delete', { customer_id: 'acme', entity_id: 'door' })
  const desk = { customer_id: 'acme', entity_id: 'desk', feature_id: 'messages' }
  await ok(server, 'balances.check', { ...desk, required_balance: 0.75, lock: { enabled: true, lock_id: 'job-desk' } })

  // Somebody in live data, somebody without a balance, somebody without an id, and somebody who is gone.
  await ok(server, 'customers.get_or_create', { customer_id: 'bob' }, LIVE_KEY)
  await ok(server, 'balances.create', { customer_id: 'bob', feature_id: 'messages', unlimited: true }, LIVE_KEY)
  await ok(server, 'balances.track', { customer_id: 'bob', feature_id: 'messages', value: 2 }, LIVE_KEY)
  await ok(server, 'customers.get_or_create', { customer_id: 'empty' })
  await ok(server, 'customers.get_or_create', { customer_id: null, email: 'eve@example.com' })
  await ok(server, 'customers.get_or_create', { customer_id: 'gone' })
  await ok(server, 'balances.create', { customer_id: 'gone', feature_id: 'messages', included: 1 })
  await ok(server, 'customers.delete', { customer_id: 'gone' })
}

/** Of the customer with an id, in SQL. */
export const KEY = (id: string) => `(select key from customers where id = '${id}')`
/** Alice's balance that resets. */
const MAIN = `customer = ${KEY('alice')} and reset_interval is not null`
/** Its own lines. */
export const OF_MAIN = `customer = ${KEY('alice')} and rollover is null and balance = (select uid from balances where ${MAIN})`

const ATTACHED = (customer: string, env: string) => `
  insert into attachments (customer, env, uid, plan, plan_id, version, status, starts_at, anchor, quantities, created_at)
  values (${customer}, '${env}', 'cus_prod_1', 'plan_1', 'pro', 1, 'active', 0, 0, '[]', 0)`

/** What may happen to the rows of any SQL store, and what is then told. */
export const DAMAGE: readonly (readonly [change: string, sql: string, finding: RegExp])[] = [
  [
    'a balance',
    `update balances set remaining = '1000' where ${MAIN}`,
    /^sandbox alice \(cus_\w+\): cus_ent_\w+: 1000 remains, and its lines sum to \d+$/m,
  ],
  [
    'an allowance',
    `update balances set allowance = '1000' where ${MAIN}`,
    /^sandbox alice .*: 1000 is granted, and its lines grant 100$/m,
  ],
  [
    'a rollover',
    `update balances set rollovers = replace(rollovers, '"$amount":"21"', '"$amount":"26"') where ${MAIN}`,
    /^sandbox alice .*: cus_ent_\w+ roll_\w+: 26 remains, and its lines sum to 21$/m,
  ],
  [
    'what is held of a balance',
    `update balances set held = '0.5' where held is not null and customer = ${KEY('acme')}`,
    /^sandbox acme .*: cus_ent_\w+: 0\.5 is held of it, and its lines hold 0\.75$/m,
  ],
  [
    'what is held of a rollover',
    `update balances set rollovers = replace(rollovers, '"$amount":"4"', '"$amount":"5"') where ${MAIN}`,
    /^sandbox alice .*: cus_ent_\w+ roll_\w+: 5 is held of it, and its lines hold 4$/m,
  ],
  [
    'what a line held',
    `update postings set held = '0.5' where held is not null and customer = ${KEY('acme')}`,
    /^sandbox acme .*: cus_ent_\w+: 0\.75 is held of it, and its lines hold 0\.5$/m,
  ],
  [
    'a lock that is gone',
    "delete from locks where id = 'job-desk'",
    /^sandbox acme .*: cus_ent_\w+: 0\.75 is held of it, and open locks hold 0$/m,
  ],
  [
    'what a lock holds of a balance',
    `update locks set lines = replace(lines, '"0.75"', '"0.5"') where id = 'job-desk'`,
    /^sandbox acme .*: cus_ent_\w+: 0\.75 is held of it, and open locks hold 0\.5$/m,
  ],
  [
    'what a lock says that it holds',
    "update locks set held = '0.5' where id = 'job-desk'",
    /^sandbox acme .*: lock job-desk holds 0\.5, and its lines come to 0\.75$/m,
  ],
  [
    'the balance of a lock',
    `update locks set lines = replace(lines, '"cus_ent_', '"cus_ent_x') where id = 'job-desk'`,
    /^sandbox acme .*: cus_ent_\w+: 0\.75 is held of it, and open locks hold 0$/m,
  ],
  [
    'what a line took',
    `update postings set amount = '-1' where ${OF_MAIN} and amount = '-30'`,
    /^sandbox alice .*: line 2 says that 70 remained after it, and the lines so far sum to 99/m,
  ],
  [
    'what remained after a line',
    `update postings set remaining_after = '71' where ${OF_MAIN} and remaining_after = '70'`,
    /^sandbox alice .*: line 2 says that 71 remained after it, and the lines so far sum to 70$/m,
  ],
  [
    'a permit',
    `update postings set permit = null where permit is not null and customer = ${KEY('acme')}`,
    /^sandbox acme .*: line \d takes it to -\d without a permit/m,
  ],
  [
    'a posting that is gone',
    `delete from postings where ${OF_MAIN} and amount = '-30'`,
    /^sandbox alice .*: the customer counts \d+ postings, and there are \d+$/m,
  ],
  [
    'a balance that is gone',
    `delete from balances where customer = ${KEY('bob')}`,
    /^live bob .*: cus_ent_\w+: is gone, and by its lines holds -2 of 0$/m,
  ],
  [
    'the use of a balance that is gone',
    `update postings set granted = '0' where customer = ${KEY('alice')} and kind = 'void'`,
    /^sandbox alice .*: is gone, and by its lines holds 0 of 7$/m,
  ],
  [
    'a balance without a past',
    `insert into balances (customer, uid, feature, terms, allowance, remaining, adjustment, seats, created_at)
       select ${KEY('empty')}, 'cus_ent_new', feature, terms, '5', '5', '0', 0, created_at from balances where ${MAIN}`,
    /^sandbox empty .*: cus_ent_new: holds 5 of 5, and the ledger has no line of it$/m,
  ],
  [
    'the count of postings',
    `update customer_states set postings = postings + 1 where customer = ${KEY('alice')}`,
    /^sandbox alice .*: the customer counts \d+ postings, and there are \d+$/m,
  ],
  [
    'a line for another feature',
    `update postings set feature = 'feat_else' where ${OF_MAIN} and amount = '-30'`,
    /^sandbox alice .*: line 2 is of feat_else, and the first one of feat_\w+$/m,
  ],
  [
    'an entity that is gone',
    `delete from entities where id = 'desk'`,
    /^1 balances belong to an entity that is not there, such as cus_ent_\w+$/m,
  ],
  [
    'one seat too many',
    `update balances set seats = seats + 1 where seats > 0 and customer = ${KEY('acme')}`,
    /^sandbox acme .*: 3 seats of feat_\w+ are taken, and its entities number 2$/m,
  ],
  [
    'a feature that is gone',
    `delete from features where env = 'live'`,
    /^live bob .*: cus_ent_\w+: is of the feature feat_\w+, which is not there$/m,
  ],
  ...(['postings', 'balances', 'events', 'refunds', 'locks', 'customer_states', 'entities'] as const).map(
    (table) =>
      [
        `${table} of a customer that is gone`,
        `delete from customers where id = '${table === 'entities' ? 'acme' : 'alice'}'`,
        new RegExp(
          `^\\d+ rows of ${table} belong to a customer that is not there, such as (seq |cus_ent_|evt_|ent_|job-|key )\\w+( of key \\d+)?$`,
          'm',
        ),
      ] as const,
  ),
  [
    'a plan of a customer that is gone',
    ATTACHED('999', 'sandbox'),
    /^1 rows of attachments belong to a customer that is not there, such as cus_prod_1$/m,
  ],
  [
    'a plan that is gone, of which there is a balance',
    `delete from attachments where plan_id = 'studio'`,
    /^sandbox paul .*: cus_ent_\w+: comes from cus_prod_\w+, which is not a plan that the customer has now$/m,
  ],
  [
    'a plan that has ended, of which there is a balance',
    `update attachments set status = 'ended' where plan_id = 'studio'`,
    /^sandbox paul .*: cus_ent_\w+: comes from cus_prod_\w+, which is not a plan that the customer has now$/m,
  ],
  [
    'a revision that is gone',
    `delete from plans where id = 'starter'`,
    /^sandbox paul .*: cus_prod_\w+: is of plan_\w+, a revision of plan starter that is not there$/m,
  ],
  [
    'a balance of a plan that is gone',
    `delete from balances where customer = ${KEY('paul')}`,
    /^sandbox paul .*: cus_prod_\w+: gives no balance of item 0 of plan studio$/m,
  ],
  [
    'a plan of an entity that is gone',
    `update attachments set entity = 'ent_gone' where plan_id = 'starter'`,
    /^sandbox paul .*: cus_prod_\w+: belongs to the entity ent_gone, which is not there$/m,
  ],
  [
    'a plan of another environment',
    ATTACHED(KEY('alice'), 'live'),
    /^1 rows of attachments stand in another environment than their customer, such as cus_prod_1$/m,
  ],
  [
    'the state of a customer that is gone',
    `delete from customer_states where customer = ${KEY('alice')}`,
    /^1 customers have no row in customer_states, without which nobody finds them, such as cus_\w+$/m,
  ],
  [
    'a customer that is about to be cleared away',
    `insert into deletions (customer) values (${KEY('alice')})`,
    /^1 customers that are there are to be cleared away like deleted ones, such as cus_\w+$/m,
  ],
  [
    'somebody who was to be anonymised and is neither there nor deleted',
    "insert into former_customers (key, uid, env) values (999, 'cus_former', 'sandbox')",
    /^1 former customers are neither anonymised nor about to be, such as cus_former$/m,
  ],
  [
    'what was said of the events of somebody who is anonymised',
    `update events set properties = '{}' where customer = ${KEY('alice')};
     insert into former_customers (key, uid, env, anonymised) values (${KEY('alice')}, 'cus_former', 'sandbox', 1)`,
    /^\d events of former customers tell what was said of them, such as evt_\w+$/m,
  ],
  [
    'an event that was given back and is gone',
    `delete from events where uid in (select event from refunds)`,
    /^1 refunds belong to an event that is not there, such as evt_\w+$/m,
  ],
  [
    'events of another environment',
    `update events set env = 'live' where customer = ${KEY('alice')}`,
    /^\d rows of events stand in another environment than their customer, such as evt_\w+$/m,
  ],
  [
    'an entity of another environment',
    `update entities set env = 'live' where id = 'desk'`,
    /^1 rows of entities stand in another environment than their customer, such as ent_\w+$/m,
  ],
  [
    'a lock of another environment',
    "update locks set env = 'live' where id = 'job-desk'",
    /^1 rows of locks stand in another environment than their customer, such as lock_\w+$/m,
  ],
  [
    'an amount that is none',
    `update balances set remaining = 'NaN' where ${MAIN}`,
    /^sandbox cus_\w+: its rows cannot be read: not an exact amount: NaN$/m,
  ],
  [
    'a posting whose amount is none',
    `update postings set amount = 'NaN' where ${OF_MAIN} and amount = '-30'`,
    /^sandbox alice .*: a posting cannot be read: not an exact amount: NaN$/m,
  ],
]

/** What `granary verify` prints of these books. */
export async function printed(books: Books, isTTY = false) {
  const [out, err] = [new Printer(isTTY), new Printer(isTTY)]
  const code = await runVerify(books, 'here', out, err).finally(() => books.close())
  return { code, out: out.text, err: err.text }
}

class Printer {
  readonly isTTY: boolean
  text = ''

  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }

  write(text: string): void {
    this.text += text
  }
}

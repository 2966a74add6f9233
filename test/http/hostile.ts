import fc from 'fast-check'
import { END_OF_TIME } from '../../src/domain/time.ts'
import { LIVE_KEY, SANDBOX_KEY, START } from '../world.ts'

/** One request to one endpoint, some time after the one before. */
export interface Step {
  readonly path: string
  readonly body: string
  readonly headers: Record<string, string>
  readonly later: number
}

const DAY = 86_400_000

/** What breaks programs, and what this one gives a meaning to. */
const interesting = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, true, false, 0, -0, 1, -1, 0.1, 0.2, 1e-13, 5e-324, 1e15, -1e15, 1e15 + 1, 1e16, 1e308, 2 ** 53, 3, 100],
    ...[
      START,
      START - 1,
      START + 1,
      START + DAY,
      START - 365 * DAY,
      START + 400 * DAY,
      1,
      END_OF_TIME,
      END_OF_TIME + 1,
    ],
    ...['', ' ', '0', '1', '-1', '0.1', '1e3', '1e-400', '1e999', '0x10', 'NaN', 'Infinity', '-', '.', 'true', 'null'],
    ...[
      'alice',
      'bob',
      'nobody',
      'messages',
      'seats',
      'sso',
      'credits',
      'sent',
      '__proto__',
      'constructor',
      'b1',
      'b2',
    ],
    ...['minute', 'hour', 'day', 'week', 'month', 'quarter', 'semi_annual', 'year', 'one_off', 'forever', 'lifetime'],
    ...[
      'cap',
      'reject',
      'overflow',
      'allow',
      'metered',
      'boolean',
      'credit_system',
      'ai_credit_system',
      'a@example.com',
    ],
    ...['\ud800', '\u0000', '👍🏽', '\u2028', 'x'.repeat(257), 'x'.repeat(10_000), '9'.repeat(400), 'balances.feature'],
    ...[[], {}, [[]], [null], [{}], { a: null }, { interval: 'month' }, { interval: 'minute', interval_count: 3 }],
    ...[{ interval: 'year', interval_count: 10_000 }, { duration: 'forever' }, { max: 0, length: 1 }, { length: 0 }],
    ...[{ max_percentage: 50, duration: 'forever' }, { max: 5, duration: 'month', length: 1200 }, ['messages', 'sso']],
    ...[
      { start: 1, end: END_OF_TIME },
      { start: END_OF_TIME, end: 1 },
      [{ metered_feature_id: 'messages', credit_cost: 0 }],
    ],
    JSON.parse('{"__proto__": {"a": 1}, "constructor": 1}'),
    JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`),
    JSON.parse(`${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}`),
  ),
  fc.jsonValue(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -50, max: 50 }),
  fc.integer({ min: START - 40 * DAY, max: START + 400 * DAY }),
  fc.string({ unit: 'binary' }),
)

/** Every field that any endpoint knows, and some that none does. */
const FIELDS = [
  ...['customer_id', 'new_customer_id', 'feature_id', 'event_name', 'entity_id', 'balance_id', 'product_id', 'name'],
  ...['email', 'fingerprint', 'stripe_id', 'metadata', 'send_email_receipts', 'currency', 'billing_controls', 'config'],
  ...['expand', 'entity_data', 'type', 'consumable', 'display', 'credit_schema', 'event_names', 'invoice_credit'],
  ...['included', 'included_grant', 'granted_balance', 'unlimited', 'reset', 'rollover', 'expires_at', 'next_reset_at'],
  ...['remaining', 'current_balance', 'add_to_balance', 'usage', 'interval', 'recalculate_balances', 'value', 'lock'],
  ...['required_balance', 'required_quantity', 'properties', 'send_event', 'with_preview', 'skip_event', 'timestamp'],
  ...['idempotency_key', 'overage_behavior', 'async', 'refund_of', 'custom_range', 'start_cursor', 'offset', 'limit'],
  ...['filter_by', 'unheard_of', '__proto__', 'constructor', 'toString', ''],
]

const subject = {
  customer_id: fc.constantFrom('alice', 'alice', 'bob', 'nobody'),
  feature_id: fc.constantFrom('messages', 'messages', 'credits', 'seats', 'sso'),
}
const quantity = fc.constantFrom<unknown>(0, 1, 5, -3, 0.3, '2.5', 1000, 1e15, -1e15, 1e-12)
const time = fc.oneof(
  fc.constantFrom(START - DAY, START + DAY, 1, END_OF_TIME),
  fc.integer({ min: START - 40 * DAY, max: START + 100 * DAY }),
)
const balanceId = fc.constantFrom('b1', 'b2', 'b3')
const interval = fc.constantFrom('minute', 'hour', 'day', 'week', 'month', 'quarter', 'year')
const reset = fc.record({ interval, interval_count: fc.integer({ min: 1, max: 5 }) }, { requiredKeys: ['interval'] })
const rollover = fc.oneof(
  fc.record({ duration: fc.constant('forever'), max: fc.constantFrom(1, 50, 1e15) }, { requiredKeys: ['duration'] }),
  fc.record({ length: fc.integer({ min: 0, max: 3 }), max_percentage: fc.constantFrom(1, 50, 100) }),
)

const customer = fc.record(
  {
    customer_id: fc.constantFrom('alice', 'bob', 'carol'),
    new_customer_id: fc.constantFrom('bob', 'dave'),
    name: fc.string(),
    email: fc.constantFrom('a@example.com', null),
    metadata: fc.dictionary(fc.string(), fc.jsonValue()),
    expand: fc.constantFrom('invoices', ['balances.feature', 'flags.feature']),
  },
  { requiredKeys: ['customer_id'] },
)

/** Bodies as they are meant, by operation. */
const VALID: Record<string, fc.Arbitrary<object>> = {
  'features.create': fc.record(
    {
      feature_id: fc.constantFrom('new', 'newer', 'messages', '__proto__'),
      name: fc.string({ minLength: 1 }),
      type: fc.constantFrom('metered', 'boolean', 'credit_system'),
      consumable: fc.boolean(),
      event_names: fc.constantFrom([], ['sent'], ['sent', 'opened']),
      credit_schema: fc.constantFrom(null, [
        { metered_feature_id: 'messages', credit_cost: 0.3 },
        { metered_feature_id: 'seats', credit_cost: 2 },
      ]),
    },
    { requiredKeys: ['feature_id', 'name', 'type'] },
  ),
  'features.get': fc.record({ feature_id: subject.feature_id }),
  'features.list': fc.constant({}),
  'customers.get_or_create': customer,
  'customers.get': customer,
  'customers.update': customer,
  'balances.create': fc.record(
    {
      ...subject,
      included: fc.constantFrom(0, 1, 50, 1e15),
      unlimited: fc.boolean(),
      reset,
      rollover,
      expires_at: time,
      next_reset_at: time,
      balance_id: balanceId,
    },
    { requiredKeys: ['customer_id', 'feature_id'] },
  ),
  'balances.update': fc.record(
    {
      ...subject,
      remaining: quantity,
      add_to_balance: quantity,
      usage: quantity,
      included: quantity,
      next_reset_at: time,
      expires_at: time,
      interval,
      balance_id: balanceId,
    },
    { requiredKeys: ['customer_id', 'feature_id'] },
  ),
  'balances.delete': fc.record({ ...subject, balance_id: balanceId, interval }, { requiredKeys: ['customer_id'] }),
  'balances.check': fc.record(
    {
      ...subject,
      required_balance: quantity,
      send_event: fc.boolean(),
      with_preview: fc.boolean(),
      expand: fc.constantFrom('balance.feature', ['flag.feature']),
    },
    { requiredKeys: ['customer_id', 'feature_id'] },
  ),
  'balances.track': fc.oneof(
    fc.record(
      {
        ...subject,
        value: quantity,
        overage_behavior: fc.constantFrom('cap', 'reject', 'overflow'),
        properties: fc.dictionary(fc.string(), fc.jsonValue()),
        timestamp: time,
        idempotency_key: fc.constantFrom('k1', 'k2'),
      },
      { requiredKeys: ['customer_id', 'feature_id'] },
    ),
    fc.record({ customer_id: subject.customer_id, event_name: fc.constantFrom('sent', 'opened'), value: quantity }),
  ),
  'events.list': fc.record(
    {
      customer_id: subject.customer_id,
      feature_id: fc.constantFrom('messages', ['messages', 'credits']),
      custom_range: fc.record({ start: time, end: time }, { requiredKeys: [] }),
      start_cursor: fc.constantFrom('', 'e30', 'eyJpZCI6IngiLCJ0IjoxfQ', 'eyJpZCI6MSwidCI6IngifQ', '!'),
      limit: fc.integer({ min: 1, max: 100 }),
      offset: fc.integer({ min: 0, max: 100 }),
    },
    { requiredKeys: [] },
  ),
}

const ALIASES: Record<string, string> = {
  check: 'balances.check',
  entitled: 'balances.check',
  track: 'balances.track',
  events: 'balances.track',
}

type Change = readonly ['set' | 'drop' | 'inside', string, unknown]

/** A body as it is meant, with a few fields set to something else, dropped, or changed inside. */
function mutated(path: string): fc.Arbitrary<string> {
  const name = path.slice('/v1/'.length)
  const valid = VALID[ALIASES[name] ?? name] ?? fc.constant({})
  const change: fc.Arbitrary<Change> = fc.tuple(
    fc.constantFrom('set', 'set', 'drop', 'inside'),
    fc.constantFrom(...FIELDS),
    interesting,
  )
  const changes = fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.array(change, { maxLength: 3 }))
  return fc.tuple(valid, changes).map(([body, all]) => JSON.stringify(all.reduce(changed, body)))
}

function changed(body: object, [how, field, value]: Change): object {
  const entries = Object.entries(body).filter(([name]) => how === 'inside' || name !== field)
  if (how === 'set') return Object.fromEntries([...entries, [field, value]])
  if (how === 'drop') return Object.fromEntries(entries)
  const inside = ([name, old]: [string, unknown]) =>
    typeof old === 'object' && old !== null && !Array.isArray(old) ? [name, { ...old, [field]: value }] : [name, old]
  return Object.fromEntries(entries.map(inside))
}

/** Nearly JSON: a body that is cut off or has something in it. */
function damaged(path: string): fc.Arbitrary<string> {
  return fc
    .tuple(
      mutated(path),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom('', ',', '}', '"', '\\', '\u0000', '\ud800', "'"),
    )
    .map(([text, where, insert]) => {
      const at = Math.floor(where * text.length)
      return text.slice(0, at) + (insert === '' ? '' : insert + text.slice(at))
    })
}

/** JSON with numbers that no JavaScript number can hold, or that two of them could stand for. */
function numbered(path: string): fc.Arbitrary<string> {
  const number = fc.constantFrom('1e999', '-1e999', '1e-999', '-0', '9007199254740993', '0.1e1', `1${'0'.repeat(400)}`)
  return fc.tuple(mutated(path), number).map(([text, one]) => text.replace(/(?<=[:[,])-?\d[\d.e+-]*/, one))
}

function bodies(path: string): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 8, arbitrary: mutated(path) },
    { weight: 1, arbitrary: damaged(path) },
    { weight: 1, arbitrary: numbered(path) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  )
}

const headers = fc
  .record({
    key: fc.constantFrom(SANDBOX_KEY, SANDBOX_KEY, SANDBOX_KEY, SANDBOX_KEY, LIVE_KEY),
    version: fc.constantFrom('2.1', '2.2', '2.3', '2.4', '2.4', '2.0', '7'),
    idempotency: fc.constantFrom(null, null, null, 'k1', 'k2', 'x'.repeat(256)),
  })
  .map(
    ({ key, version, idempotency }): Record<string, string> => ({
      authorization: `Bearer ${key}`,
      'x-api-version': version,
      ...(idempotency === null ? {} : { 'idempotency-key': idempotency }),
    }),
  )

export function steps(paths: readonly string[]): fc.Arbitrary<Step> {
  const later = fc.constantFrom(0, 0, 0, 1, 60_000, DAY, 31 * DAY, 500 * DAY)
  return fc
    .constantFrom(...paths)
    .chain((path) => fc.record({ path: fc.constant(path), body: bodies(path), headers, later }))
}

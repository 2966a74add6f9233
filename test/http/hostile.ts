import fc from 'fast-check'
import { END_OF_TIME } from '../../src/domain/time.ts'
import { LIVE_KEY, SANDBOX_KEY, START } from '../world.ts'

/** One request to one endpoint, some time after the one before. */
export interface Step {
  /** What was aimed at: a path, or the method and path of the older surface with its parameters in braces. */
  readonly route: string
  /** As `World.call` takes it. */
  readonly request: string
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
      'e1',
      'e2',
    ],
    ...['1s', '31d', '1mo', '8000y', '0d', '-1d', '1e3d', '99999999999999999999y'],
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
      [
        { entity_id: 'e1', feature_id: 'seats' },
        { entity_id: null, feature_id: 'seats' },
      ],
      [
        { feature_id: 'messages', balance: 1 },
        { feature_id: 'messages', balance: -1e15 },
      ],
      { disable_pooled_balance: true },
      { 'custom/own': { markup: 20, input_cost: 1e15 } },
      { custom: { markup: -100 } },
      { feature_id: 'seats', name: null },
      [{ feature_id: 'messages', included: 5 }],
      [{ feature_id: 'messages', quantity: 7 }],
      { enabled: true, feature_ids: ['messages'] },
      { price: null, items: [] },
      [{ plan_id: 'basic' }, { plan_id: 'basic' }],
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
  ...['id', 'entities', 'new_feature_id', 'archived', 'customer_data', 'auto_create', 'balances', 'balance', 'search'],
  ...[
    'customer_entitlement_id',
    'with_autumn_id',
    'with_counts',
    'sort_order',
    'created_at_range',
    'plans',
    'by',
    'to',
  ],
  ...['model_id', 'input_tokens', 'output_tokens', 'audio_input_tokens', 'cache_write_tokens'],
  ...['model_markups', 'default_markup', 'provider_markups'],
  ...[
    'plan_id',
    'new_plan_id',
    'items',
    'price',
    'free_trial',
    'auto_enable',
    'add_on',
    'group',
    'version',
    'force_version',
    ...['subscription_id', 'feature_quantities', 'customize', 'plan_schedule', 'starts_at', 'ends_at', 'discounts'],
    ...['billing_cycle_anchor', 'carry_over_usages', 'remove_plan_ids', 'cancel_action', 'invoice_mode'],
  ],
  ...['frozen_time', 'delete_in_stripe', 'filter_by', 'unheard_of', '__proto__', 'constructor', 'toString', ''],
]

const entityId = fc.constantFrom('e1', 'e1', 'e2', 'nobody')
const subject = {
  customer_id: fc.constantFrom('alice', 'alice', 'bob', 'nobody'),
  feature_id: fc.constantFrom('messages', 'messages', 'credits', 'seats', 'sso'),
}
type Fields = Readonly<Record<string, fc.Arbitrary<unknown>>>

/** A body with all that it needs and at most three of the things that it may have, because those often exclude each other. */
function withSome(needed: Fields, possible: Fields): fc.Arbitrary<object> {
  const some = fc.array(fc.constantFrom(...Object.entries(possible)), { maxLength: 3 })
  return some.chain((fields) => fc.record({ ...needed, ...Object.fromEntries(fields) }))
}

const quantity = fc.constantFrom<unknown>(0, 1, 5, -3, 0.3, '2.5', 1000, 1e15, -1e15, 1e-12)
const time = fc.oneof(
  fc.constantFrom(START - DAY, START + DAY, 1, END_OF_TIME),
  fc.integer({ min: START - 40 * DAY, max: START + 100 * DAY }),
)
const future = fc.integer({ min: START + DAY, max: START + 2000 * DAY })
const tokens = fc.constantFrom(0, 1, 1000, 1_000_000, Number.MAX_SAFE_INTEGER, -1, 0.5)
const balanceId = fc.constantFrom('b1', 'b2', 'b3')
const lockId = fc.constantFrom('l1', 'l1', 'l2')
const lapse = fc.constantFrom(START - DAY, START + 1, START + DAY / 2, START + DAY)
const lock = fc.record(
  {
    enabled: fc.constant(true),
    lock_id: lockId,
    expires_at: lapse,
    overage_behavior: fc.constantFrom('cap', 'reject', 'overflow'),
  },
  { requiredKeys: ['enabled', 'lock_id'] },
)
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
    config: fc.record({ disable_pooled_balance: fc.boolean() }),
    expand: fc.constantFrom('invoices', ['balances.feature', 'flags.feature', 'entities']),
    with_autumn_id: fc.boolean(),
  },
  { requiredKeys: ['customer_id'] },
)
const newcomer = fc.record(
  {
    customer_id: fc.constantFrom('alice', 'carol', 'dave', null),
    email: fc.constantFrom('a@example.com', 'b@example.com'),
    name: fc.string(),
    entity_id: entityId,
    entity_data: fc.constant({ feature_id: 'seats' }),
    expand: fc.constantFrom('entities', ['invoices', 'flags.feature']),
  },
  { requiredKeys: ['customer_id'] },
)
const creation = {
  auto_create: fc.boolean(),
  customer_data: fc.record({ name: fc.string(), email: fc.constantFrom('a@example.com', null) }, { requiredKeys: [] }),
  entity_data: fc.constantFrom({ feature_id: 'seats' }, { feature_id: 'seats', name: 'E' }, { feature_id: 'messages' }),
}
const page = {
  start_cursor: fc.constantFrom(
    '',
    '',
    'e30',
    'eyJpZCI6IngiLCJ0IjoxfQ',
    'eyJpZCI6MSwidCI6IngifQ',
    'eyJ2IjowLCJvIjoxfQ',
  ),
  limit: fc.integer({ min: 1, max: 100 }),
  offset: fc.integer({ min: 0, max: 100 }),
  search: fc.constantFrom('ALI', 'e', '%', '_', '\\', ' '),
}
const creditSchema = fc.constantFrom(null, [
  { metered_feature_id: 'messages', credit_cost: 0.3 },
  { metered_feature_id: 'seats', credit_cost: 2 },
  {
    metered_feature_id: 'messages',
    tier_behavior: 'graduated',
    tiers: [
      { to: 10, credit_cost: 0 },
      { to: 'inf', credit_cost: 0.7 },
    ],
  },
])
const feature = {
  name: fc.string({ minLength: 1 }),
  type: fc.constantFrom('metered', 'boolean', 'credit_system', 'ai_credit_system'),
  consumable: fc.boolean(),
  event_names: fc.constantFrom([], ['sent'], ['sent', 'opened']),
  credit_schema: creditSchema,
}
const planId = fc.constantFrom('basic', 'basic', 'pro', '__proto__')
const item = fc.record(
  {
    feature_id: subject.feature_id,
    included: fc.constantFrom(0, 5, 100),
    unlimited: fc.boolean(),
    reset: fc.constantFrom({ interval: 'month' }, { interval: 'one_off' }, { interval: 'day', interval_count: 2 }),
    price: fc.constantFrom(
      { amount: 1, interval: 'month', billing_method: 'usage_based' },
      { amount: 0.3, interval: 'one_off', billing_method: 'prepaid', billing_units: 10 },
      {
        tiers: [
          { to: 200, amount: 1 },
          { to: 'inf', amount: 0 },
        ],
        interval: 'month',
        billing_method: 'prepaid',
      },
    ),
    rollover: fc.constantFrom({ max: 5 }, { expiry_duration_type: 'forever' }),
    entity_feature_id: fc.constant('seats'),
  },
  { requiredKeys: ['feature_id'] },
)
const plan = {
  price: fc.constantFrom(null, { amount: 10, interval: 'month' }, { amount: 0, interval: 'year', interval_count: 2 }),
  items: fc.array(item, { maxLength: 3 }),
  free_trial: fc.constantFrom(null, { duration_length: 7, duration_type: 'day', card_required: false }),
  auto_enable: fc.boolean(),
  add_on: fc.boolean(),
  group: fc.constantFrom('', 'main'),
  metadata: fc.dictionary(fc.string(), fc.string()),
  expand: fc.constant(['items.feature']),
}
const trial = fc.constantFrom(null, { duration_length: 3 }, { duration_length: 1, duration_type: 'day' })
const order = fc.record({ feature_id: subject.feature_id, quantity: fc.constantFrom(0, 1, 15, 300) })
const carry = fc.record({ enabled: fc.boolean(), feature_ids: fc.constantFrom(null, ['messages'], ['nothing']) })
const anchor = fc.oneof(fc.constant('now'), time)
const customize = fc.oneof(
  fc.record({ price: fc.constantFrom(null, { amount: 3, interval: 'month' }), free_trial: trial }),
  fc.record({ items: fc.array(item, { maxLength: 2 }) }),
  fc.record({ add_items: fc.array(item, { maxLength: 2 }), remove_items: fc.constant([{ feature_id: 'messages' }]) }),
)
const attached = {
  entity_id: entityId,
  version: fc.constantFrom(1, 2),
  feature_quantities: fc.array(order, { maxLength: 2 }),
  customize,
  subscription_id: fc.constantFrom('s1', 's2'),
}
const customerId = fc.constantFrom('alice', 'alice', 'bob')
const attaching = withSome(
  { customer_id: customerId, plan_id: planId },
  {
    ...attached,
    free_trial: trial,
    plan_schedule: fc.constantFrom('immediate', 'end_of_cycle'),
    starts_at: time,
    ends_at: time,
    billing_cycle_anchor: anchor,
    carry_over_usages: carry,
    carry_over_balances: carry,
    remove_plan_ids: fc.constantFrom([], ['basic'], ['pro', 'pro']),
    new_billing_subscription: fc.boolean(),
    no_billing_changes: fc.boolean(),
  },
)
const attachingSeveral = withSome(
  {
    customer_id: customerId,
    plans: fc.array(withSome({ plan_id: planId }, attached), { minLength: 1, maxLength: 3 }),
  },
  { entity_id: entityId, free_trial: trial, starts_at: time, billing_cycle_anchor: anchor },
)
const changingPlan = fc
  .constantFrom(
    fc.record({ cancel_action: fc.constantFrom('cancel_immediately', 'cancel_end_of_cycle', 'uncancel') }),
    fc.record({ feature_quantities: attached.feature_quantities }),
    fc.record({ customize }),
    fc.record({ version: attached.version, recalculate_balances: fc.record({ enabled: fc.boolean() }) }),
    fc.record({ billing_cycle_anchor: anchor }),
    fc.record({ carry_over_usages: carry, free_trial: trial }),
  )
  .chain((change) =>
    fc
      .tuple(
        change,
        withSome(
          { customer_id: customerId, plan_id: planId },
          { entity_id: entityId, subscription_id: attached.subscription_id },
        ),
      )
      .map(([one, whose]) => ({ ...whose, ...one })),
  )
const totals = fc.array(
  fc.record({ feature_id: fc.constantFrom('messages', 'messages', 'messages', 'seats', 'sso'), balance: quantity }),
  { minLength: 1, maxLength: 2 },
)
const recalculation = withSome(subject, { entity_id: entityId, interval })
const oneEntity = fc.record(
  { customer_id: subject.customer_id, entity_id: entityId, name: fc.string(), expand: fc.constant('balances.feature') },
  { requiredKeys: ['entity_id'] },
)
const newEntity = fc.record(
  { entity_id: fc.constantFrom('e2', 'e3', 7, null), feature_id: fc.constantFrom('seats', 'seats', 'messages') },
  { requiredKeys: ['entity_id', 'feature_id'] },
)

const use = fc.oneof(
  withSome(subject, {
    ...creation,
    entity_id: entityId,
    value: quantity,
    overage_behavior: fc.constantFrom('cap', 'reject', 'overflow'),
    properties: fc.dictionary(fc.string(), fc.jsonValue()),
    timestamp: time,
    idempotency_key: fc.constantFrom('k1', 'k2'),
    async: fc.boolean(),
    skip_event: fc.boolean(),
  }),
  fc.record({ customer_id: subject.customer_id, event_name: fc.constantFrom('sent', 'opened'), value: quantity }),
)

const useOfModel = withSome(
  {
    customer_id: subject.customer_id,
    model_id: mostly(fc.constant('custom/own'), 'custom/other', 'own', ''),
    input_tokens: tokens,
    output_tokens: tokens,
  },
  {
    ...creation,
    feature_id: fc.constantFrom('ai', 'ai', 'messages'),
    entity_id: entityId,
    cache_read_tokens: tokens,
    reasoning_tokens: tokens,
    overage_behavior: fc.constantFrom('cap', 'reject', 'overflow'),
    properties: fc.dictionary(fc.string(), fc.jsonValue()),
    idempotency_key: fc.constantFrom('k1', 'k2'),
  },
)

/** Bodies as they are meant, by operation. */
const VALID: Record<string, fc.Arbitrary<object>> = {
  'features.create': fc.record(
    { feature_id: fc.constantFrom('new', 'newer', 'messages', '__proto__'), ...feature },
    { requiredKeys: ['feature_id', 'name', 'type'] },
  ),
  'features.get': fc.record({ feature_id: subject.feature_id }),
  'features.list': fc.constant({}),
  'features.update': fc.record(
    {
      feature_id: subject.feature_id,
      new_feature_id: fc.constantFrom('new', 'sso'),
      archived: fc.boolean(),
      ...feature,
    },
    { requiredKeys: ['feature_id'] },
  ),
  'features.delete': fc.record({ feature_id: fc.constantFrom('seats', 'sso', 'credits', 'messages') }),
  'plans.create': withSome(
    { plan_id: fc.constantFrom('pro', 'max', '__proto__'), name: fc.string({ minLength: 1 }) },
    plan,
  ),
  'plans.get': fc.record({ plan_id: planId, version: fc.constantFrom(1, 2) }, { requiredKeys: ['plan_id'] }),
  'plans.list': fc.record({ include_archived: fc.boolean(), all_versions: fc.boolean() }, { requiredKeys: [] }),
  'plans.update': withSome(
    { plan_id: planId },
    {
      ...plan,
      version: fc.constantFrom(1, 2),
      new_plan_id: fc.constantFrom('pro', 'basic'),
      archived: fc.boolean(),
      force_version: fc.boolean(),
      all_versions: fc.boolean(),
    },
  ),
  'plans.delete': fc.record({ plan_id: planId, all_versions: fc.boolean() }, { requiredKeys: ['plan_id'] }),
  'billing.attach': attaching,
  'billing.preview_attach': attaching,
  'billing.multi_attach': attachingSeveral,
  'billing.preview_multi_attach': attachingSeveral,
  'billing.update': changingPlan,
  'billing.preview_update': changingPlan,
  'customers.get_or_create': newcomer,
  'customers.get': customer,
  'customers.update': customer,
  'customers.delete': fc.record({ customer_id: fc.constantFrom('alice', 'bob', 'carol') }),
  'customers.list': fc.record(
    {
      ...page,
      sort_order: fc.constantFrom('asc', 'desc'),
      created_at_range: fc.record({ start: time, end: time }, { requiredKeys: [] }),
      expand: fc.constant('balances.feature'),
      with_counts: fc.boolean(),
    },
    { requiredKeys: [] },
  ),
  'customers.advance_test_clock': fc.record({ customer_id: subject.customer_id, frozen_time: future }),
  'customers.set_balances': withSome({ balances: totals }, { entity_id: entityId }),
  'entities.create': fc.oneof(
    fc.record(
      {
        customer_id: fc.constantFrom('alice', 'bob', 'carol'),
        entity_id: fc.constantFrom('e2', 'e3', null),
        feature_id: fc.constantFrom('seats', 'seats', 'messages'),
        name: fc.string(),
        customer_data: creation.customer_data,
      },
      { requiredKeys: ['customer_id', 'entity_id', 'feature_id'] },
    ),
    fc.record({ customer_id: subject.customer_id, entities: fc.array(newEntity, { maxLength: 4 }) }),
  ),
  'entities.get': oneEntity,
  'entities.update': oneEntity,
  'entities.delete': oneEntity,
  'entities.list': fc.record({ ...page, customer_id: subject.customer_id }, { requiredKeys: [] }),
  'balances.create': fc.oneof(
    withSome({ ...subject, included: fc.constantFrom(0, 1, 50) }, { reset, balance_id: balanceId }),
    withSome(
      { ...subject, included: fc.constantFrom(0, 1, 50, 1e15) },
      { entity_id: entityId, reset, rollover, expires_at: time, next_reset_at: time, balance_id: balanceId },
    ),
    withSome({ ...subject, unlimited: fc.boolean() }, { entity_id: entityId, reset, expires_at: time }),
  ),
  'balances.update': withSome(subject, {
    entity_id: entityId,
    remaining: quantity,
    add_to_balance: quantity,
    usage: quantity,
    included: quantity,
    next_reset_at: time,
    expires_at: time,
    interval,
    balance_id: balanceId,
    customer_entitlement_id: balanceId,
  }),
  'balances.delete': fc.oneof(
    fc.record(subject),
    withSome(subject, { entity_id: entityId, balance_id: balanceId, interval }),
  ),
  'balances.recalculate': recalculation,
  'balances.preview_recalculate': recalculation,
  'balances.list': withSome(
    { customer_id: subject.customer_id },
    { feature_id: subject.feature_id, entity_id: entityId },
  ),
  'balances.check': withSome(subject, {
    ...creation,
    entity_id: entityId,
    required_balance: quantity,
    send_event: fc.boolean(),
    lock,
    with_preview: fc.boolean(),
    expand: fc.constantFrom('balance.feature', ['flag.feature']),
  }),
  'balances.track': use,
  'balances.batch_track': fc.array(use, { minLength: 1, maxLength: 3 }),
  'balances.track_tokens': useOfModel,
  'balances.batch_track_tokens': fc.array(useOfModel, { minLength: 1, maxLength: 3 }),
  'balances.finalize': withSome(
    { lock_id: lockId, action: fc.constantFrom('confirm', 'confirm', 'release') },
    { override_value: quantity, keep_open: fc.boolean(), properties: fc.constant({ a: 1 }) },
  ),
  'balances.extend': fc.record({ lock_id: lockId, expires_at: lapse }),
  'usage.set': withSome(
    { ...subject, value: quantity },
    { entity_id: entityId, customer_data: creation.customer_data },
  ),
  'events.list': fc.record(
    {
      ...page,
      customer_id: subject.customer_id,
      entity_id: entityId,
      feature_id: fc.constantFrom('messages', ['messages', 'credits']),
      custom_range: fc.record({ start: time, end: time }, { requiredKeys: [] }),
      filter_by: fc.dictionary(fc.constantFrom('a', 'a.b', '0'), fc.string(), { maxKeys: 5 }),
    },
    { requiredKeys: [] },
  ),
  'events.aggregate': fc.record(
    {
      feature_id: fc.constantFrom('messages', ['messages', 'credits']),
      customer_id: subject.customer_id,
      entity_id: entityId,
      range: fc.constantFrom('24h', '7d', '30d', '90d', 'last_cycle', '1bc', '3bc'),
      custom_range: fc.record({ start: time, end: time }),
      bin_size: fc.constantFrom('hour', 'day', 'week', 'month'),
      group_by: fc.constantFrom(
        'properties.a',
        'properties.a.b',
        '$customer_id',
        '$entity_id',
        '$plan_id',
        '$feature_id',
      ),
      filter_by: fc.dictionary(fc.constantFrom('a', 'a.b', '0'), fc.string(), { maxKeys: 5 }),
      max_groups: fc.integer({ min: 1, max: 250 }),
      aggregate_on: fc.constant('deducted'),
    },
    { requiredKeys: ['feature_id'] },
  ),
  'clock.get': fc.constant({}),
  'clock.advance': fc.oneof(
    fc.record({ by: fc.constantFrom('1d', '31d', '90m', '2mo', '1y', '400y') }),
    fc.record({ to: fc.oneof(time, fc.constantFrom(Date.UTC(9999, 0, 1), Date.UTC(9999, 0, 1) + 1)) }),
  ),
}

const ALIASES: Record<string, string> = {
  check: 'balances.check',
  entitled: 'balances.check',
  track: 'balances.track',
  events: 'balances.track',
  track_tokens: 'balances.track_tokens',
  usage: 'usage.set',
}

/** The older surface: its paths with what their bodies are made from, and what the id in a body is called there. */
const OLDER: readonly (readonly [route: string, operation: string, id?: string])[] = [
  ['GET /v1/customers', 'customers.list'],
  ['POST /v1/customers', 'customers.get_or_create', 'customer_id'],
  ['GET /v1/customers/{customer}', 'customers.get'],
  ['POST /v1/customers/{customer}', 'customers.update', 'new_customer_id'],
  ['PATCH /v1/customers/{customer}', 'customers.update', 'new_customer_id'],
  ['DELETE /v1/customers/{customer}', 'customers.delete'],
  ['POST /v1/customers/{customer}/balances', 'customers.set_balances'],
  ['GET /v1/customers/{customer}/entities', 'entities.list'],
  ['POST /v1/customers/{customer}/entities', 'entities.create', 'entity_id'],
  ['GET /v1/customers/{customer}/entities/{entity}', 'entities.get'],
  ['DELETE /v1/customers/{customer}/entities/{entity}', 'entities.delete'],
  ['GET /v1/features', 'features.list'],
  ['POST /v1/features', 'features.create', 'feature_id'],
  ['GET /v1/features/{feature}', 'features.get'],
  ['POST /v1/features/{feature}', 'features.update', 'new_feature_id'],
  ['DELETE /v1/features/{feature}', 'features.delete'],
  ['GET /v1/balances/list', 'balances.list'],
]

/** Parts of a path as they stand in it, most of them as they are meant. */
const strangePart = fc.oneof(
  fc.constantFrom('', '.', '..', '%', '%zz', '%2F', '%00', '%ED%A0%80', 'a b', '%61lice', '{customer}', '__proto__'),
  fc.string({ unit: 'grapheme', maxLength: 300 }).map(encodeURIComponent),
)
const PARTS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  '{customer}': fc.constantFrom('alice', 'alice', 'bob', 'carol', 'nobody'),
  '{entity}': entityId,
  '{feature}': fc.constantFrom('messages', 'seats', 'sso', 'credits', 'new'),
}

type Change = readonly ['set' | 'drop' | 'inside', string, unknown]

/** A body as it is meant. */
function validFor(route: string): fc.Arbitrary<object> {
  const older = OLDER.find(([known]) => known === route)
  const name = route.slice('/v1/'.length).replace('/', '.')
  const [, operation, id] = older ?? [route, ALIASES[name] ?? name]
  const valid = VALID[operation] ?? fc.constant({})
  return id === undefined ? valid : valid.map((body) => renamed(body, id))
}

function renamed(body: object, id: string): object {
  return Object.fromEntries(Object.entries(body).map(([name, value]) => [name === id ? 'id' : name, value]))
}

/** A body as it is meant, with a few fields set to something else, dropped, or changed inside. */
function mutated(route: string): fc.Arbitrary<string> {
  const change: fc.Arbitrary<Change> = fc.tuple(
    fc.constantFrom('set', 'set', 'drop', 'inside'),
    fc.constantFrom(...FIELDS),
    interesting,
  )
  const changes = fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(change, { maxLength: 3 }))
  return fc.tuple(validFor(route), changes).map(([body, all]) => {
    // Of a list, its first item.
    const [first, ...others] = Array.isArray(body) ? body : [body]
    const one = all.reduce(changed, first)
    return JSON.stringify(Array.isArray(body) ? [one, ...others] : one)
  })
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
function damaged(route: string): fc.Arbitrary<string> {
  return fc
    .tuple(
      mutated(route),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom('', ',', '}', '"', '\\', '\u0000', '\ud800', "'"),
    )
    .map(([text, where, insert]) => {
      const at = Math.floor(where * text.length)
      return text.slice(0, at) + (insert === '' ? '' : insert + text.slice(at))
    })
}

/** JSON with numbers that no JavaScript number can hold, or that two of them could stand for. */
function numbered(route: string): fc.Arbitrary<string> {
  const number = fc.constantFrom('1e999', '-1e999', '1e-999', '-0', '9007199254740993', '0.1e1', `1${'0'.repeat(400)}`)
  return fc.tuple(mutated(route), number).map(([text, one]) => text.replace(/(?<=[:[,])-?\d[\d.e+-]*/, one))
}

function bodies(route: string): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 16, arbitrary: mutated(route) },
    { weight: 1, arbitrary: damaged(route) },
    { weight: 1, arbitrary: numbered(route) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: route.startsWith('GET ') ? 20 : 1, arbitrary: fc.constant('') },
  )
}

/** What follows the question mark: fields of a body as texts, and what looks like nothing. */
const query = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc
      .array(
        fc.tuple(fc.constantFrom(...FIELDS), fc.oneof(interesting.map(inQuery), fc.constantFrom('alice', 'e1', '1'))),
        {
          maxLength: 3,
        },
      )
      .map((pairs) => `?${new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value]))}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('?', '?customer_id=alice', '?limit=2&expand=balances.feature', '?%zz&=&a=%ff'),
  },
)

/** Not every object can be made a text by `String`: some have no prototype. */
function inQuery(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** The route with its parameters filled in, and a query. */
function requests(route: string): fc.Arbitrary<string> {
  const parts = route.split(/(\{\w+\})/).map((part) => {
    const known = PARTS[part]
    return known === undefined
      ? fc.constant(part)
      : fc.oneof({ weight: 8, arbitrary: known }, { weight: 1, arbitrary: strangePart })
  })
  return fc.tuple(fc.tuple(...parts), query).map(([all, after]) => all.join('') + after)
}

/** Mostly the first, sometimes one of the others. */
function mostly<T>(usual: fc.Arbitrary<T>, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...others) })
}

const headers = fc
  .record({
    key: mostly(fc.constant(SANDBOX_KEY), LIVE_KEY),
    version: mostly(fc.constantFrom('1.2', 'beta', '2.0', '2.1', '2.2', '2.3', '2.4', '2.4', '2.4'), '1.1', '7'),
    idempotency: mostly(fc.constantFrom(null, null, null, 'k1', 'k2'), 'x'.repeat(256)),
  })
  .map(
    ({ key, version, idempotency }): Record<string, string> => ({
      authorization: `Bearer ${key}`,
      'x-api-version': version,
      ...(idempotency === null ? {} : { 'idempotency-key': idempotency }),
    }),
  )

/** @param paths at which requests are posted; the older surface comes on top. */
export function steps(paths: readonly string[]): fc.Arbitrary<Step> {
  const later = fc.constantFrom(0, 0, 0, 1, 60_000, DAY, 31 * DAY, 500 * DAY)
  return fc
    .constantFrom(...paths, ...OLDER.map(([route]) => route))
    .chain((route) =>
      fc.record({ route: fc.constant(route), request: requests(route), body: bodies(route), headers, later }),
    )
}

/** Operations that change nothing, each with a body that is answered in the furnished world. They ignore idempotency keys. */
export const READS: Readonly<Record<string, Body>> = {
  'balances.list': { customer_id: 'alice' },
  'balances.preview_recalculate': { customer_id: 'alice', feature_id: 'messages' },
  'billing.preview_attach': { customer_id: 'alice', plan_id: 'basic' },
  'billing.preview_multi_attach': { customer_id: 'alice', plans: [{ plan_id: 'basic' }] },
  'billing.preview_update': { customer_id: 'dora', recalculate_balances: { enabled: true } },
  'clock.get': {},
  'customers.get': { customer_id: 'alice' },
  'customers.list': {},
  'entities.get': { customer_id: 'alice', entity_id: 'desk' },
  'entities.list': {},
  'events.aggregate': { customer_id: 'alice', feature_id: 'messages' },
  'events.list': {},
  'features.get': { feature_id: 'messages' },
  'features.list': {},
  'plans.get': { plan_id: 'basic' },
  'plans.list': {},
}

const OPEN_LOCK: readonly [operation: string, body: Body] = [
  'balances.check',
  { customer_id: 'alice', feature_id: 'images', required_balance: 3, lock: { enabled: true, lock_id: 'job' } },
]

/** A plan whose units are bought in packs. */
const PACKS: readonly [operation: string, body: Body] = [
  'plans.create',
  {
    ...{ plan_id: 'packs', name: 'Packs', add_on: true },
    items: [
      {
        feature_id: 'images',
        price: { amount: 2, interval: 'month', billing_units: 10, billing_method: 'prepaid' },
      },
    ],
  },
]

/** Operations that change something. Whoever adds one adds its row here, and keys are tried on it in every way. */
export const WRITES: Readonly<Record<string, Write>> = {
  'balances.check': {
    body: { customer_id: 'alice', feature_id: 'messages', required_balance: 2, send_event: true },
    other: { required_balance: 3 },
    empty: '404 feature_not_found',
  },
  'balances.create': {
    body: { customer_id: 'alice', feature_id: 'messages', included_grant: 5 },
    other: { included_grant: 6 },
    empty: '404 feature_not_found',
  },
  'balances.delete': {
    body: { customer_id: 'alice', balance_id: 'gift' },
    other: { balance_id: 'other' },
    empty: '404 customer_not_found',
  },
  'balances.extend': {
    before: [OPEN_LOCK],
    body: { lock_id: 'job', expires_at: Date.UTC(2026, 1, 1, 6) },
    other: { expires_at: Date.UTC(2026, 1, 1, 7) },
    empty: '400 invalid_request',
  },
  'balances.finalize': {
    before: [OPEN_LOCK],
    body: { lock_id: 'job', action: 'confirm', override_value: 1.5 },
    other: { override_value: 2 },
    empty: '400 invalid_request',
  },
  'balances.recalculate': {
    body: { customer_id: 'alice', feature_id: 'images' },
    other: { feature_id: 'messages' },
    empty: '404 feature_not_found',
  },
  'balances.track': {
    body: { customer_id: 'alice', feature_id: 'messages', value: 3, properties: { model: 'large' } },
    other: { value: 4 },
    empty: '404 feature_not_found',
  },
  'balances.track_tokens': {
    body: { customer_id: 'alice', model_id: 'custom/own', input_tokens: 1000, output_tokens: 500 },
    other: { output_tokens: 501 },
    empty: '404 customer_not_found',
  },
  'balances.update': {
    body: { customer_id: 'alice', feature_id: 'messages', add_to_balance: 5 },
    other: { add_to_balance: 6 },
    empty: '404 feature_not_found',
  },
  'billing.attach': {
    body: { customer_id: 'alice', plan_id: 'basic' },
    other: { plan_schedule: 'immediate' },
    empty: '404 customer_not_found',
  },
  'billing.multi_attach': {
    body: { customer_id: 'alice', plans: [{ plan_id: 'basic' }] },
    other: { plans: [{ plan_id: 'basic', version: 1 }] },
    empty: '404 customer_not_found',
  },
  'billing.update': {
    before: [['billing.attach', { customer_id: 'alice', plan_id: 'basic' }]],
    body: { customer_id: 'alice', plan_id: 'basic', cancel_action: 'cancel_immediately' },
    other: { cancel_action: 'cancel_end_of_cycle' },
    empty: '404 customer_not_found',
  },
  'clock.advance': { body: { by: '1d' }, other: { by: '2d' }, empty: '200' },
  'customers.advance_test_clock': {
    body: { customer_id: 'alice', frozen_time: Date.UTC(2026, 5, 1) },
    other: { frozen_time: Date.UTC(2026, 6, 1) },
    empty: '404 customer_not_found',
  },
  'customers.delete': {
    body: { customer_id: 'alice' },
    other: { delete_in_stripe: false },
    empty: '404 customer_not_found',
  },
  'customers.get_or_create': {
    body: { customer_id: 'carol', name: 'Carol', expand: ['balances.feature'] },
    other: { name: 'Karola' },
    empty: '200',
  },
  'customers.set_balances': {
    path: 'POST /v1/customers/alice/balances',
    body: { balances: [{ feature_id: 'messages', balance: 20 }] },
    other: { balances: [{ feature_id: 'messages', balance: 21 }] },
    empty: '404 feature_not_found',
  },
  'customers.update': {
    body: { customer_id: 'alice', name: 'Alice', expand: ['balances.feature', 'flags.feature', 'entities'] },
    other: { name: 'Alicia' },
    empty: '404 customer_not_found',
  },
  'entities.create': {
    body: { customer_id: 'alice', entity_id: 'lamp', feature_id: 'seats' },
    other: { entity_id: 'chair' },
    empty: '404 feature_not_found',
  },
  'entities.delete': {
    body: { customer_id: 'alice', entity_id: 'desk' },
    other: { entity_id: 'chair' },
    empty: '404 customer_not_found',
  },
  'entities.update': {
    body: { customer_id: 'alice', entity_id: 'desk', name: 'Desk', expand: ['balances.feature'] },
    other: { name: 'Table' },
    empty: '404 customer_not_found',
  },
  'features.create': {
    body: { feature_id: 'sso', name: 'SSO', type: 'boolean' },
    other: { name: 'Single sign-on' },
    empty: '200',
  },
  'features.delete': { body: { feature_id: 'spare' }, other: { feature_id: 'else' }, empty: '404 feature_not_found' },
  'features.update': {
    body: { feature_id: 'messages', name: 'Texts' },
    other: { name: 'Words' },
    empty: '404 feature_not_found',
  },
  'plans.create': {
    body: { plan_id: 'pro', name: 'Pro', price: { amount: 20, interval: 'month' } },
    other: { price: { amount: 21, interval: 'month' } },
    empty: '200',
  },
  'plans.delete': {
    body: { plan_id: 'spare' },
    other: { all_versions: true },
    empty: '404 product_not_found',
  },
  'plans.update': {
    body: { plan_id: 'basic', items: [{ feature_id: 'messages', included: 7 }] },
    other: { force_version: true },
    empty: '404 product_not_found',
  },
  'usage.set': {
    path: 'POST /v1/usage',
    body: { customer_id: 'alice', feature_id: 'messages', value: 7 },
    other: { value: 8 },
    empty: '404 feature_not_found',
  },
}

/** Many commands in one request, each with a key of its own: see `test/scenarios/batch.test.ts`. */
export const BATCHES: readonly string[] = ['balances.batch_track', 'balances.batch_track_tokens']

/** Further forms of the same operations, in which a key has to find its customer in another way. */
export const FORMS: Readonly<Record<string, Write & { readonly operation: string }>> = {
  'balances.check that creates on the way': {
    operation: 'balances.check',
    body: { customer_id: 'carol', feature_id: 'messages', required_balance: 0, send_event: true, auto_create: true },
    other: { required_balance: 1 },
    empty: '404 feature_not_found',
  },
  'balances.check with all that it can show': {
    operation: 'balances.check',
    body: { ...{ customer_id: 'alice', feature_id: 'credits' }, send_event: true, expand: ['balance.feature'] },
    other: { required_balance: 2 },
    empty: '404 feature_not_found',
  },
  'balances.check with a lock': {
    operation: 'balances.check',
    body: {
      customer_id: 'alice',
      feature_id: 'messages',
      required_balance: 4,
      lock: { enabled: true, lock_id: 'new' },
    },
    other: { lock: { enabled: true, lock_id: 'other' } },
    empty: '404 feature_not_found',
  },
  'plans.update that makes a version': {
    operation: 'plans.update',
    body: { plan_id: 'basic', name: 'Base', force_version: true },
    other: { name: 'Bass' },
    empty: '404 product_not_found',
  },
  'balances.delete that makes itself impossible': {
    operation: 'balances.delete',
    body: { customer_id: 'alice', feature_id: 'messages' },
    other: { feature_id: 'images' },
    empty: '404 feature_not_found',
  },
  'balances.track by an event name': {
    operation: 'balances.track',
    body: { customer_id: 'alice', event_name: 'chat' },
    other: { event_name: 'talk' },
    empty: '404 invalid_request',
  },
  'balances.track that creates on the way': {
    operation: 'balances.track',
    body: {
      ...{ customer_id: 'alice', feature_id: 'messages', auto_create: true },
      ...{ entity_id: 'lamp', entity_data: { feature_id: 'seats' } },
    },
    other: { value: 2 },
    empty: '404 feature_not_found',
  },
  'billing.attach of bought units, for an entity': {
    operation: 'billing.attach',
    before: [PACKS],
    body: {
      ...{ customer_id: 'alice', entity_id: 'desk', plan_id: 'packs' },
      feature_quantities: [{ feature_id: 'images', quantity: 25 }],
    },
    other: { feature_quantities: [{ feature_id: 'images', quantity: 30 }] },
    empty: '404 entity_not_found',
  },
  'billing.update of what was bought': {
    operation: 'billing.update',
    before: [PACKS, ['billing.attach', { customer_id: 'alice', plan_id: 'packs' }]],
    body: {
      ...{ customer_id: 'alice', plan_id: 'packs' },
      feature_quantities: [{ feature_id: 'images', quantity: 20 }],
    },
    other: { feature_quantities: [{ feature_id: 'images', quantity: 10 }] },
    empty: '404 customer_not_found',
  },
  'customers.get_or_create that begins with a plan': {
    operation: 'customers.get_or_create',
    before: [
      [
        'plans.create',
        { plan_id: 'start', name: 'Start', auto_enable: true, items: [{ feature_id: 'images', included: 2 }] },
      ],
    ],
    body: { customer_id: 'carol', name: 'Carol' },
    other: { name: 'Karola' },
    empty: '200',
  },
  'customers.get_or_create by an e-mail alone': {
    operation: 'customers.get_or_create',
    body: { customer_id: null, email: 'eve@example.com' },
    other: { name: 'Eve' },
    empty: '200',
  },
  'customers.get_or_create that claims an e-mail': {
    operation: 'customers.get_or_create',
    before: [['customers.get_or_create', { customer_id: null, email: 'eve@example.com' }]],
    body: { customer_id: 'eve', email: 'eve@example.com' },
    other: { name: 'Eve' },
    empty: '200',
  },
  'customers.update that changes the id': {
    operation: 'customers.update',
    body: { customer_id: 'alice', new_customer_id: 'anna' },
    other: { new_customer_id: 'alicia' },
    empty: '404 customer_not_found',
  },
  'entities.create that creates its customer': {
    operation: 'entities.create',
    body: { customer_id: 'carol', entity_id: 'lamp', feature_id: 'seats' },
    other: { entity_id: 'chair' },
    empty: '404 feature_not_found',
  },
  'entities.delete by the id of the entity alone': {
    operation: 'entities.delete',
    body: { entity_id: 'desk' },
    other: { note: 'which is ignored' },
    empty: '404 entity_not_found',
  },
  'entities.update by the id of the entity alone': {
    operation: 'entities.update',
    body: { entity_id: 'desk', name: 'Desk' },
    other: { name: 'Table' },
    empty: '404 entity_not_found',
  },
  'features.update that changes the id': {
    operation: 'features.update',
    body: { feature_id: 'spare', new_feature_id: 'extra' },
    other: { new_feature_id: 'else' },
    empty: '404 feature_not_found',
  },
}

export type Body = Readonly<Record<string, unknown>>

export interface Write {
  /** Where it is asked, if not at `POST /v1/<operation>`. */
  readonly path?: string
  /** What it needs beside the furnished world. */
  readonly before?: readonly (readonly [operation: string, body: Body])[]
  readonly body: Body
  /** What another request under the same key says in place of that. */
  readonly other: Body
  /** What the same request is answered in an empty world. */
  readonly empty: string
}

/** All that `WRITES` and `READS` need. */
export const FURNITURE: readonly (readonly [operation: string, body: Body])[] = [
  ['clock.advance', { by: '1h' }],
  [
    'features.create',
    { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true, event_names: ['chat'] },
  ],
  [
    'features.create',
    { feature_id: 'images', name: 'Images', type: 'metered', consumable: true, event_names: ['chat'] },
  ],
  ['features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false }],
  ['features.create', { feature_id: 'spare', name: 'Spare', type: 'boolean' }],
  ['plans.create', { plan_id: 'basic', name: 'Basic', items: [{ feature_id: 'messages', included: 5 }] }],
  ['plans.create', { plan_id: 'spare', name: 'Spare' }],
  ['customers.get_or_create', { customer_id: 'alice', email: 'alice@example.com' }],
  ['balances.create', { customer_id: 'alice', feature_id: 'messages', included_grant: 10 }],
  ['balances.create', { customer_id: 'alice', feature_id: 'messages', included_grant: 5, balance_id: 'gift' }],
  ['balances.create', { customer_id: 'alice', feature_id: 'images', included_grant: 9 }],
  ['balances.create', { customer_id: 'alice', feature_id: 'images', included_grant: 1, balance_id: 'few' }],
  ['balances.update', { customer_id: 'alice', feature_id: 'images', balance_id: 'few', add_to_balance: -3 }],
  ['features.create', { feature_id: 'sounds', name: 'Sounds', type: 'metered', consumable: true }],
  [
    'features.create',
    {
      ...{ feature_id: 'credits', name: 'Credits', type: 'credit_system' },
      credit_schema: [{ metered_feature_id: 'sounds', credit_cost: 2 }],
    },
  ],
  ['balances.create', { customer_id: 'alice', feature_id: 'credits', included_grant: 8 }],
  [
    'features.create',
    {
      ...{ feature_id: 'ai', name: 'AI', type: 'ai_credit_system' },
      model_markups: { 'custom/own': { input_cost: 2, output_cost: 8 } },
    },
  ],
  ['balances.create', { customer_id: 'alice', feature_id: 'ai', included_grant: 3 }],
  ['features.create', { feature_id: 'beta', name: 'Beta', type: 'boolean' }],
  ['balances.create', { customer_id: 'alice', feature_id: 'beta' }],
  ['entities.create', { customer_id: 'alice', entity_id: 'desk', feature_id: 'seats' }],
  ['customers.get_or_create', { customer_id: 'dora', auto_enable_plan_id: 'basic' }],
]

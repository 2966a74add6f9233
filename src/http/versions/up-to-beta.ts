import { type Amount, readAmount } from '../../domain/amount.ts'
import type { Wire, WireObject } from '../wire/wire.ts'
import { productsHeld } from './held-plans.ts'
import { fromProduct, productOf, withoutFeatures } from './product.ts'
import { amountOf, eachListed, expansionsOf, listOf, mapped, objectOf, oneOrListed, orNull, sumOf } from './values.ts'
import type { Body, UpgradedBody, VersionChange } from './version.ts'

/** Answers with a customer or an entity in them. */
const SUBJECTS = [
  'customers.get_or_create',
  'customers.get',
  'customers.update',
  'customers.list',
  'entities.create',
  'entities.get',
  'entities.update',
  'entities.list',
]

const OF_SUBJECTS = ['balances.feature', 'flags.feature', 'subscriptions.plan', 'purchases.plan', 'items.feature']

/** `beta` and 1.2 know features where newer versions know balances (B64), and one type where those have two fields (B227). */
export const upToBeta: VersionChange = {
  upTo: 'beta',
  about:
    'A check answers with the fields of the feature itself, a track with a placeholder; customers and entities hold features and products; a feature has a single type; plans are products.',
  request: {
    'balances.check': expanding('balance.feature', 'flag.feature'),
    'balances.track': withValue,
    ...Object.fromEntries(SUBJECTS.map((operation) => [operation, expanding(...OF_SUBJECTS)])),
    'features.create': withType,
    'features.update': withType,
    'plans.create': fromProductExpanding,
    'plans.update': fromProductExpanding,
    'plans.get': expanding('items.feature'),
    'plans.list': expanding('items.feature'),
  },
  response: {
    feature,
    features: (answer) => eachListed(answer, feature),
    plan: (answer, body) => (expansionsOf(body)?.includes('items.feature') === true ? answer : withoutFeatures(answer)),
    product: (answer) => productOf(answer, itemTypeOf),
    plans: (answer) => eachListed(answer, (one) => productOf(one, itemTypeOf)),
    customer: subject,
    customers: (answer) => eachListed(answer, subject),
    entity: (answer) => oneOrListed(answer, subject),
    entities: (answer) => eachListed(answer, subject),
    check: ({ allowed, customer_id, entity_id, required_balance, preview, balance }, body) => ({
      allowed,
      code: 'feature_found',
      customer_id,
      feature_id: objectOf(balance)['feature_id'] ?? textOf(body['feature_id']),
      entity_id,
      required_balance,
      ...orNull(balance, view),
      preview,
    }),
    track: ({ customer_id, entity_id, event_name, balance, balances }, body) => ({
      id: 'placeholder',
      code: 'event_received',
      customer_id,
      entity_id,
      event_name,
      // Source: R61.
      feature_id:
        objectOf(balance)['feature_id'] ??
        Object.keys(objectOf(balances))[0] ??
        textOf(body['feature_id'] ?? body['event_name']),
    }),
  },
}

/** Name, type and credit schema of a feature are part of these answers, whether asked for or not (B66, R12). */
function expanding(...wanted: string[]): (body: Body) => UpgradedBody {
  return (body) => {
    const asked = expansionsOf(body)
    return { body: asked === undefined ? body : { ...body, expand: [...new Set([...asked, ...wanted])] } }
  }
}

function fromProductExpanding(body: Body): UpgradedBody {
  const upgraded = fromProduct(body)
  return 'body' in upgraded ? expanding('items.feature')(upgraded.body) : upgraded
}

/** The value of a use may be among its properties, where it never stays (R12). */
function withValue(body: Body): UpgradedBody {
  const { properties } = body
  if (typeof properties !== 'object' || properties === null || Array.isArray(properties)) return { body }
  const { value, ...rest } = properties as Body
  const taken = body['value'] === undefined && isNumeric(value)
  return { body: { ...body, ...(taken ? { value } : {}), properties: rest } }
}

/** A number that is out of reach is one too: validation says so. */
function isNumeric(value: unknown): boolean {
  return (typeof value === 'number' || typeof value === 'string') && readAmount(value) !== 'not_a_number'
}

const NEWER_TYPES = new Map<unknown, Body>([
  ['static', { type: 'boolean' }],
  ['single_use', { type: 'metered', consumable: true }],
  ['continuous_use', { type: 'metered', consumable: false }],
])

function withType(body: Body): UpgradedBody {
  return { body: { ...body, ...NEWER_TYPES.get(body['type']) } }
}

function feature({ consumable, ...value }: WireObject): WireObject {
  return { ...value, type: typeOf(value['type'], consumable) }
}

/** Source: B227. */
function typeOf(type: Wire | undefined, consumable: Wire | undefined): Wire | undefined {
  if (type === 'metered') return consumable === true ? 'single_use' : 'continuous_use'
  return type === 'boolean' ? 'static' : type
}

/** Of a customer or an entity. */
function subject(answer: WireObject): WireObject {
  const { balances, subscriptions: _, scheduled_subscriptions: _scheduled, ...value } = answer
  return { ...value, products: productsHeld(answer, itemTypeOf), features: mapped(balances, item) }
}

/** A balance as a feature that a subject has (B64). */
function item(balance: WireObject): WireObject {
  const { name, type, consumable } = objectOf(balance['feature'])
  return { id: balance['feature_id'], type: itemTypeOf(type, consumable), name, ...view(balance) }
}

function itemTypeOf(type: Wire | undefined, consumable: Wire | undefined): string {
  return itemType(typeOf(type, consumable))
}

/** As the type of a feature, but a credit system counts like what is used once. */
function itemType(type: Wire | undefined): string {
  if (type === 'single_use' || type === 'credit_system') return 'single_use'
  return type === 'continuous_use' ? 'continuous_use' : 'static'
}

/** What there is to say of a feature that is held; nothing is counted of one that is static or unlimited (R25). */
function view(balance: WireObject): WireObject {
  const { unlimited } = balance
  const { type, credit_schema } = objectOf(balance['feature'])
  return {
    unlimited,
    ...(unlimited === true || type === 'boolean' ? UNCOUNTED : counted(balance)),
    // Source: R29.
    credit_schema: type === 'credit_system' ? listOf(credit_schema).map(creditOf) : undefined,
  }
}

const UNCOUNTED = {
  interval: null,
  interval_count: null,
  balance: 0,
  usage: 0,
  included_usage: 0,
  next_reset_at: null,
  overage_allowed: false,
}

function creditOf({ metered_feature_id, credit_cost }: WireObject): WireObject {
  return { feature_id: metered_feature_id, credit_amount: credit_cost }
}

function counted(balance: WireObject): WireObject {
  const lines = listOf(balance['breakdown'])
  const prepaid = sumOf(lines, 'prepaid_quantity')
  return {
    ...numbersOf(balance, prepaid, amountOf(balance['purchased_balance']) - prepaid),
    breakdown: lines.map(lineOf),
    rollovers: Array.isArray(balance['rollovers'])
      ? listOf(balance['rollovers']).map((one) => ({ balance: one['balance'], expires_at: one['expires_at'] }))
      : undefined,
  }
}

function lineOf(line: WireObject): WireObject {
  const prepaid = amountOf(line['prepaid_quantity'])
  // A line shows its debt only where that is meant to be paid for; the balance as a whole always does.
  const debt = line['overage_allowed'] === true ? amountOf(line['purchased_balance']) - prepaid : 0n
  return { ...numbersOf(line, prepaid, debt), expires_at: line['expires_at'] }
}

/** What a balance and a line of its breakdown have in common. */
function numbersOf(value: WireObject, prepaid: Amount, debt: Amount): WireObject {
  const included = amountOf(value['granted_balance']) + prepaid
  const most = value['max_purchase'] ?? null
  const limited = amountOf(most) !== 0n
  return {
    ...cycleOf(objectOf(value['reset'])),
    balance: amountOf(value['current_balance']) - debt,
    usage: value['usage'],
    included_usage: included,
    overage_allowed: most === null && value['overage_allowed'] === true,
    usage_limit: limited ? amountOf(most) + included : undefined,
  }
}

function cycleOf({ interval, interval_count, resets_at }: WireObject): WireObject {
  return {
    interval: interval === 'one_off' ? 'lifetime' : (interval ?? null),
    interval_count: interval === 'multiple' ? null : (interval_count ?? 1),
    next_reset_at: resets_at ?? null,
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

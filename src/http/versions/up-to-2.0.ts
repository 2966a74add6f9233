import type { Amount } from '../../domain/amount.ts'
import type { WireObject } from '../wire/wire.ts'
import { olderHeld } from './held-plans.ts'
import { OPTIONAL } from './optional.ts'
import { fromOlderPlan, olderPlan, strippedPlan } from './plan-2.0.ts'
import { previewWith } from './preview.ts'
import {
  amountOf,
  eachListed,
  expansionsOf,
  listOf,
  mapped,
  objectOf,
  oneOrListed,
  orNull,
  stripped,
  sumOf,
} from './values.ts'
import type { Body, UpgradedBody, VersionChange } from './version.ts'

/** Balances by their older names (B60), flags among them (B62), and no key without something in it. */
export const upTo20: VersionChange = {
  upTo: '2.0',
  about:
    'Balances hold granted_balance, purchased_balance and current_balance; a flag is a balance of zero; check and track create a missing customer or entity; plans hold features with granted_balance.',
  request: {
    'balances.check': creating,
    'balances.track': creating,
    'balances.track_tokens': creating,
    'plans.create': fromOlderPlan,
    'plans.update': fromOlderPlan,
  },
  response: {
    feature,
    features: (answer) => eachListed(answer, feature),
    plan: (answer) => strippedPlan(answer, feature),
    product,
    plans: (answer) => eachListed(answer, product),
    customer: subject,
    customers: (answer, body) => eachListed(answer, (one) => subject(one, body)),
    entity: (answer, body) => oneOrListed(answer, (one) => subject(one, body)),
    entities: (answer, body) => eachListed(answer, (one) => subject(one, body)),
    check({ flag, event_id: _event, lock: _lock, reason: _reason, available_at: _at, ...answer }, body) {
      const { balance, ...rest } = withBalances(strippedUnless(answer, OPTIONAL.check, askedOfCheck(body)))
      return { ...rest, balance: balance ?? orNull(flag, balanceOfFlag) }
    },
    // Source: R186.
    aggregate: (answer) =>
      eachListed(answer, ({ period, values, grouped_values }) => ({ ...objectOf(grouped_values ?? values), period })),
    billed: (answer) => stripped(answer, OPTIONAL.billed),
    preview,
    track: ({ deductions: _, event_id: _event, lock: _lock, ...answer }) =>
      withBalances(stripped(answer, OPTIONAL.track)),
  },
}

/** Newer versions refuse an unknown customer or entity (R11). */
function creating(body: Body): UpgradedBody {
  return { body: { ...body, auto_create: true } }
}

/** A preview that was asked for is null where access is allowed (R27). */
function askedOfCheck(body: Body): readonly unknown[] {
  return body['with_preview'] === true ? ['preview'] : []
}

/** Of a customer or an entity. */
function subject(answer: WireObject, body: Body): WireObject {
  const { purchases: _purchases, licenses: _licenses, config: _config, flags, ...value } = answer
  return {
    ...strippedUnless(value, OPTIONAL.customer, expansionsOf(body) ?? []),
    billing_controls: stripped(objectOf(value['billing_controls']), OPTIONAL.billingControls),
    ...olderHeld(answer, feature),
    balances: { ...mapped(value['balances'], balance), ...mapped(flags, balanceOfFlag) },
  }
}

/** What was asked for stays, even where it is null. */
function strippedUnless(value: WireObject, keys: readonly string[], asked: readonly unknown[]): WireObject {
  return stripped(
    value,
    keys.filter((key) => !asked.includes(key)),
  )
}

function withBalances(answer: WireObject): WireObject {
  const { balances } = answer
  const held = { ...answer, balance: orNull(answer['balance'], balance) }
  return balances === undefined ? held : { ...held, balances: mapped(balances, balance) }
}

function preview(value: WireObject): WireObject {
  const line = (one: WireObject) => stripped(one, OPTIONAL.line)
  const change = (one: WireObject) => stripped({ ...one, plan: orNull(one['plan'], product) }, OPTIONAL.planChange)
  return stripped(previewWith(value, line, change), OPTIONAL.preview)
}

function product(value: WireObject): WireObject {
  return olderPlan(strippedPlan(value, feature))
}

function feature(value: WireObject): WireObject {
  return stripped(value, OPTIONAL.feature)
}

/** Source: B60. */
function balance(value: WireObject): WireObject {
  const lines = listOf(value['breakdown'])
  return stripped(
    {
      feature_id: value['feature_id'],
      feature: orNull(value['feature'], feature),
      unlimited: value['unlimited'],
      granted_balance: amountOf(value['granted']) - sumOf(lines, 'prepaid_grant'),
      purchased_balance: lines.reduce((sum, line) => sum + purchased(line), 0n),
      current_balance: value['remaining'],
      usage: value['usage'],
      overage_allowed: value['overage_allowed'],
      max_purchase: value['max_purchase'],
      reset: resetOf(value, lines),
      plan_id: planOf(lines),
      breakdown: lines.map(lineOf),
      rollovers: value['rollovers'],
    },
    OPTIONAL.balance,
  )
}

function lineOf(line: WireObject): WireObject {
  const price = objectOf(line['price'])
  return {
    id: line['id'],
    plan_id: line['plan_id'],
    granted_balance: line['included_grant'],
    purchased_balance: purchased(line),
    current_balance: line['remaining'],
    usage: line['usage'],
    overage_allowed: price['billing_method'] === 'usage_based',
    max_purchase: price['max_purchase'] ?? null,
    reset: orNull(line['reset'], (reset) => stripped(reset, OPTIONAL.reset)),
    prepaid_quantity: line['prepaid_grant'],
    expires_at: line['expires_at'],
  }
}

/** What was bought in advance, and what was used beyond all grants. */
function purchased(line: WireObject): Amount {
  const prepaid = amountOf(line['prepaid_grant'])
  if (line['unlimited'] === true) return prepaid
  const overage = amountOf(line['usage']) + amountOf(line['remaining']) - amountOf(line['included_grant']) - prepaid
  return overage > 0n ? prepaid + overage : prepaid
}

/** Source: B61. Intervals count as different by their name alone. */
function resetOf(value: WireObject, lines: readonly WireObject[]): WireObject | null {
  const resets = lines.map((line) => line['reset']).filter((reset) => reset != null)
  if (new Set(resets.map((reset) => objectOf(reset)['interval'])).size > 1)
    return { interval: 'multiple', resets_at: null }
  return orNull(resets[0], (reset) => ({ ...stripped(reset, OPTIONAL.reset), resets_at: value['next_reset_at'] }))
}

function planOf(lines: readonly WireObject[]): string | null {
  const [plan, another] = new Set(lines.map((line) => line['plan_id']))
  return typeof plan === 'string' && another === undefined ? plan : null
}

/** Source: R26, B62. */
function balanceOfFlag(flag: WireObject): WireObject {
  const { id, plan_id, expires_at } = flag
  const zero = {
    plan_id,
    granted_balance: 0,
    purchased_balance: 0,
    current_balance: 0,
    usage: 0,
    overage_allowed: false,
    max_purchase: null,
    reset: null,
  }
  return stripped(
    {
      feature_id: flag['feature_id'],
      feature: orNull(flag['feature'], feature),
      unlimited: false,
      ...zero,
      breakdown: [{ id, ...zero, prepaid_quantity: 0, expires_at }],
    },
    OPTIONAL.flag,
  )
}

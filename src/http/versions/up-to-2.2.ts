import type { WireObject } from '../wire/wire.ts'
import { filledHeld } from './held-plans.ts'
import { OPTIONAL } from './optional.ts'
import { filledPlan } from './plan-2.2.ts'
import { previewWith } from './preview.ts'
import { eachListed, filled, listOf, mapped, objectOf, oneOrListed, orNull } from './values.ts'
import type { Body, UpgradedBody, VersionChange } from './version.ts'

/** How many rows a page has when the caller does not say (R171, B209), and at the most. */
const EVENTS_PAGE = 100
const SUBJECTS_PAGE = 10
const LARGEST_PAGE = 1000
const LARGEST_OFFSET = 1_000_000

/**
 * Clients of 2.1 and 2.2 refuse an answer in which an optional key is absent (K3, K23), and they page by offset.
 */
export const upTo22: VersionChange = {
  upTo: '2.2',
  about:
    'Every optional key is present, null where there is nothing; events, customers and entities are paged by offset and limit.',
  request: {
    'events.list': (body) => fromOffset(body, EVENTS_PAGE),
    'customers.list': (body) => fromOffset({ ...body, with_counts: true }, SUBJECTS_PAGE),
    'entities.list': (body) => fromOffset({ ...body, with_counts: true }, SUBJECTS_PAGE),
  },
  response: {
    feature,
    features: (answer) => eachListed(answer, feature),
    plan,
    product: plan,
    plans: (answer) => eachListed(answer, plan),
    customer,
    customers: (answer, body) => countedPage(eachListed(answer, customer), body),
    entity: (answer) => oneOrListed(answer, entity),
    entities: (answer, body) => countedPage(eachListed(answer, entity), body),
    check: (answer) => ({
      ...withBalances(filled(answer, OPTIONAL.check)),
      flag: orNull(answer['flag'], flag),
    }),
    track: (answer) => withBalances(filled(answer, OPTIONAL.track)),
    billed: (answer) => filled(answer, OPTIONAL.billed),
    preview,
    events: (answer, body) => page(answer, body, EVENTS_PAGE),
    aggregate: (answer) => eachListed(answer, (bin) => filled(bin, OPTIONAL.bin)),
  },
  // Source: K9. A batch is newer than these versions, and its clients insist on 202.
  plain: ['track'],
}

/** The newest shape knows no offset, but a cursor may stand for one. */
function fromOffset({ offset = 0, limit, ...body }: Body, usual: number): UpgradedBody {
  const size = limit === undefined ? usual : limit
  if (!isWhole(offset, 0, LARGEST_OFFSET)) return { problem: `offset: must be a whole number, 0 to ${LARGEST_OFFSET}` }
  if (!isWhole(size, 1, LARGEST_PAGE)) return { problem: `limit: must be a whole number, 1 to ${LARGEST_PAGE}` }
  const cursor = Buffer.from(JSON.stringify({ v: 0, o: offset })).toString('base64url')
  return { body: { ...body, limit: size, start_cursor: cursor } }
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
}

/** @param body as the caller sent it. @param usual how many rows there are when it does not say. */
function page(answer: WireObject, body: Body, usual: number): WireObject {
  return {
    list: answer['list'],
    has_more: (answer['next_cursor'] ?? null) !== null,
    offset: Number(body['offset'] ?? 0),
    limit: Number(body['limit'] ?? usual),
    // The number on this page: that is what these versions mean by it (R171, B209).
    total: listOf(answer['list']).length,
  }
}

function countedPage(answer: WireObject, body: Body): WireObject {
  const { total_count, total_filtered_count } = answer
  return { ...page(answer, body, SUBJECTS_PAGE), total_count, total_filtered_count }
}

function customer(value: WireObject): WireObject {
  return subject(filled(value, OPTIONAL.customer))
}

function entity(value: WireObject): WireObject {
  return subject(filled(value, OPTIONAL.entity))
}

function subject(value: WireObject): WireObject {
  return {
    ...value,
    billing_controls: filled(objectOf(value['billing_controls']), OPTIONAL.billingControls),
    ...filledHeld(value, feature),
    balances: mapped(value['balances'], balance),
    flags: mapped(value['flags'], flag),
  }
}

function preview(value: WireObject): WireObject {
  const line = (one: WireObject) => filled(one, OPTIONAL.line)
  const change = (one: WireObject) => ({ ...filled(one, OPTIONAL.planChange), plan: orNull(one['plan'], plan) })
  return filled(previewWith(value, line, change), OPTIONAL.preview)
}

function plan(value: WireObject): WireObject {
  return filledPlan(value, feature)
}

function feature(value: WireObject): WireObject {
  const { credit_schema } = value
  return filled(
    credit_schema === undefined ? value : { ...value, credit_schema: listOf(credit_schema).map(flatCost) },
    OPTIONAL.feature,
  )
}

/** Clients of these versions refuse an item without a single cost (trap 10): where it has tiers, that of the first. */
function flatCost({ tier_behavior: _, tiers, ...item }: WireObject): WireObject {
  return tiers === undefined ? item : { ...item, credit_cost: listOf(tiers)[0]?.['credit_cost'] }
}

function flag(value: WireObject): WireObject {
  return { ...filled(value, OPTIONAL.flag), feature: orNull(value['feature'], feature) }
}

function balance(value: WireObject): WireObject {
  return {
    ...filled(value, OPTIONAL.balance),
    feature: orNull(value['feature'], feature),
    breakdown: listOf(value['breakdown']).map(({ held: _, ...line }) => ({
      ...line,
      reset: orNull(line['reset'], reset),
      price: orNull(line['price'], price),
    })),
  }
}

function reset(value: WireObject): WireObject {
  return filled(value, OPTIONAL.reset)
}

function price(value: WireObject): WireObject {
  return filled(value, OPTIONAL.price)
}

/** Clients of these versions refuse a null inside the map of balances (trap 12), so what is not held is left out. */
function withBalances(answer: WireObject): WireObject {
  const balances = answer['balances']
  if (balances == null) return { ...answer, balance: orNull(answer['balance'], balance), balances: null }
  const held = Object.fromEntries(Object.entries(objectOf(balances)).filter(([, value]) => value !== null))
  return { ...answer, balance: orNull(answer['balance'], balance), balances: mapped(held, balance) }
}

import type { Wire, WireObject } from '../wire/wire.ts'
import type { VersionChange } from './version.ts'

/** How many events a page has when the caller does not say, and at the most (R171). */
const PAGE = 100
const LARGEST_PAGE = 1000
const LARGEST_OFFSET = 1_000_000

/**
 * Clients of 2.1 and 2.2 refuse an answer in which an optional key is absent (K3, K23), and they page events by offset.
 */
export const upTo22: VersionChange = {
  upTo: '2.2',
  about: 'Every optional key is present, null where there is nothing; events are paged by offset and limit.',
  request: {
    'events.list': ({ start_cursor: _, offset = 0, limit = PAGE, ...body }) => {
      if (!isWhole(offset, 0, LARGEST_OFFSET))
        return { problem: `offset: must be a whole number, 0 to ${LARGEST_OFFSET}` }
      if (!isWhole(limit, 1, LARGEST_PAGE)) return { problem: `limit: must be a whole number, 1 to ${LARGEST_PAGE}` }
      return { body: { ...body, limit, start_cursor: cursorAt(offset) } }
    },
  },
  response: {
    feature,
    features: (answer) => ({ list: listOf(answer['list']).map(feature) }),
    customer: (answer) => ({
      ...NO_EXPANSIONS,
      ...answer,
      billing_controls: { ...NO_CONTROLS, ...objectOf(answer['billing_controls']) },
      balances: mapped(answer['balances'], balance),
      flags: mapped(answer['flags'], flag),
    }),
    check: (answer) => ({
      ...withBalances(answer),
      entity_id: answer['entity_id'] ?? null,
      required_balance: answer['required_balance'] ?? null,
      flag: orNull(answer['flag'], flag),
      preview: answer['preview'] ?? null,
    }),
    track: (answer) => ({
      ...withBalances(answer),
      entity_id: answer['entity_id'] ?? null,
      event_name: answer['event_name'] ?? null,
    }),
    events: (answer, body) => ({
      list: answer['list'],
      has_more: (answer['next_cursor'] ?? null) !== null,
      offset: Number(body['offset'] ?? 0),
      limit: Number(body['limit'] ?? PAGE),
      // The number on this page: that is what these versions mean by it (R171).
      total: listOf(answer['list']).length,
    }),
  },
}

const NO_EXPANSIONS = {
  invoices: null,
  entities: null,
  trials_used: null,
  rewards: null,
  referrals: null,
  payment_method: null,
}

const NO_CONTROLS = {
  auto_topups: null,
  spend_limits: null,
  usage_limits: null,
  usage_alerts: null,
  overage_allowed: null,
}

function feature(value: WireObject): WireObject {
  return { ...value, credit_schema: value['credit_schema'] ?? null, display: value['display'] ?? null }
}

function flag(value: WireObject): WireObject {
  return { ...value, feature: orNull(value['feature'], feature) }
}

function balance(value: WireObject): WireObject {
  return {
    ...value,
    feature: orNull(value['feature'], feature),
    breakdown: listOf(value['breakdown']).map((line) => ({ ...line, reset: orNull(line['reset'], reset) })),
    rollovers: value['rollovers'] ?? null,
  }
}

function reset(value: WireObject): WireObject {
  return { ...value, interval_count: value['interval_count'] ?? null }
}

/** Clients of these versions refuse a null inside the map of balances (trap 12), so what is not held is left out. */
function withBalances(answer: WireObject): WireObject {
  const balances = answer['balances']
  if (balances == null) return { ...answer, balance: orNull(answer['balance'], balance), balances: null }
  const held = Object.fromEntries(Object.entries(objectOf(balances)).filter(([, value]) => value !== null))
  return { ...answer, balance: orNull(answer['balance'], balance), balances: mapped(held, balance) }
}

function mapped(value: Wire | undefined, change: (item: WireObject) => WireObject): WireObject {
  return Object.fromEntries(Object.entries(objectOf(value)).map(([key, item]) => [key, orNull(item, change)]))
}

function orNull(value: Wire | undefined, change: (item: WireObject) => WireObject): WireObject | null {
  return value == null ? null : change(objectOf(value))
}

function objectOf(value: Wire | undefined): WireObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as WireObject) : {}
}

function listOf(value: Wire | undefined): readonly WireObject[] {
  return Array.isArray(value) ? value.map(objectOf) : []
}

/** A cursor that passes over a number of rows; the newest shape knows no offset. */
function cursorAt(offset: number): string {
  return Buffer.from(JSON.stringify({ v: 0, o: offset })).toString('base64url')
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
}

import { ONE } from '../domain/amount.ts'
import type { Flag, Summary } from '../domain/summary.ts'
import { createBalance, deleteBalance, updateBalance } from '../operations/balances.ts'
import { check, checkAndUse } from '../operations/check.ts'
import { type CustomerView, getCustomer, getOrCreateCustomer, updateCustomer } from '../operations/customers.ts'
import type { Context } from '../operations/decide.ts'
import { listEvents } from '../operations/events.ts'
import { createFeature, type FeatureView, getFeature, listFeatures, viewOf } from '../operations/features.ts'
import { track } from '../operations/track.ts'
import { type Endpoint, endpoint } from './endpoint.ts'
import {
  balancesToWire,
  balanceToWire,
  deductionToWire,
  featureToWire,
  flagToWire,
  lastingBalanceToWire,
  type ShowFeature,
} from './wire/balance.ts'
import {
  adjustmentOf,
  createBalanceInput,
  deleteBalanceInput,
  grantRequest,
  targetOf,
  updateBalanceInput,
} from './wire/balances.ts'
import {
  customerToWire,
  detailsOf,
  getCustomerInput,
  getOrCreateCustomerInput,
  updateCustomerInput,
} from './wire/customers.ts'
import { createFeatureInput, featureIdInput, featureType, nothingInput } from './wire/features.ts'
import { quickCheck, quickTrack } from './wire/quick.ts'
import { checkInput, listEventsInput, previewToWire, trackInput } from './wire/usage.ts'
import type { WireObject } from './wire/wire.ts'

const features: Endpoint[] = [
  endpoint({
    operation: 'features.create',
    shape: 'feature',
    input: createFeatureInput,
    kind: 'write',
    run: (context, input) =>
      createFeature(context, {
        id: input.feature_id,
        name: input.name,
        type: featureType(input),
        eventNames: input.event_names ?? [],
        display:
          input.display == null
            ? null
            : { singular: input.display.singular ?? null, plural: input.display.plural ?? null },
      }),
    show: showView,
  }),
  endpoint({
    operation: 'features.get',
    shape: 'feature',
    input: featureIdInput,
    kind: 'read',
    run: (context, input) => getFeature(context, input.feature_id),
    show: showView,
  }),
  endpoint({
    operation: 'features.list',
    shape: 'features',
    input: nothingInput,
    kind: 'read',
    run: (context) => listFeatures(context),
    show: (views) => ({ list: views.map(showView) }),
  }),
]

const customers: Endpoint[] = [
  endpoint({
    operation: 'customers.get_or_create',
    shape: 'customer',
    input: getOrCreateCustomerInput,
    kind: 'write',
    run: (context, input) => getOrCreateCustomer(context, input.customer_id ?? '', detailsOf(input)),
    show: (view, input, context) => showCustomer(view, input.expand, context),
  }),
  endpoint({
    operation: 'customers.get',
    shape: 'customer',
    input: getCustomerInput,
    kind: 'read',
    run: (context, input) => getCustomer(context, input.customer_id),
    show: (view, input, context) => showCustomer(view, input.expand, context),
  }),
  endpoint({
    operation: 'customers.update',
    shape: 'customer',
    input: updateCustomerInput,
    kind: 'write',
    run: (context, input) => updateCustomer(context, input.customer_id, detailsOf(input), input.new_customer_id),
    show: (view, input, context) => showCustomer(view, input.expand, context),
  }),
]

const balances: Endpoint[] = [
  endpoint({
    operation: 'balances.create',
    shape: 'success',
    input: createBalanceInput,
    kind: 'write',
    run: (context, input) => createBalance(context, subjectOf(input), grantRequest(input)),
    show: (success) => success,
  }),
  endpoint({
    operation: 'balances.update',
    shape: 'success',
    input: updateBalanceInput,
    kind: 'write',
    run: (context, input) => updateBalance(context, subjectOf(input), targetOf(input), adjustmentOf(input)),
    show: (success) => success,
  }),
  endpoint({
    operation: 'balances.delete',
    shape: 'success',
    input: deleteBalanceInput,
    kind: 'write',
    run: (context, { customer_id, feature_id, entity_id, ...filters }) =>
      deleteBalance(
        context,
        { customerId: customer_id, featureId: feature_id, entityId: entity_id },
        targetOf(filters),
      ),
    show: (success) => success,
  }),
]

const usage: Endpoint[] = [
  endpoint({
    operation: 'balances.check',
    shape: 'check',
    input: checkInput,
    quick: quickCheck,
    kind: (body) => (fieldOf(body, 'send_event') === true ? 'write' : 'read'),
    run: (context, input) =>
      input.send_event === true
        ? checkAndUse(context, subjectOf(input), input.required, input.properties ?? {})
        : check(context, subjectOf(input), input.required),
    show: ({ access, customerId, summaries }, input, context) => {
      const { allowed, required, summary, flag, feature } = access
      const { with_preview, expand = NOTHING, send_event } = input
      return {
        allowed,
        customer_id: customerId,
        required_balance: required,
        balance:
          summary === null
            ? null
            : showBalance(summary, expanding(expand, 'balance.feature', context), send_event !== true),
        balances: summaries === null ? undefined : balancesToWire(summaries, null),
        flag: flag === null ? null : flagToWire(flag, expanding(expand, 'flag.feature', context)),
        preview: with_preview === true ? previewToWire(allowed, feature, summary !== null) : undefined,
      }
    },
  }),
  endpoint({
    operation: 'balances.track',
    shape: 'track',
    input: trackInput,
    quick: quickTrack,
    kind: 'write',
    bodyKey: (body) => {
      const key = fieldOf(body, 'idempotency_key')
      return typeof key === 'string' && key !== '' ? key : undefined
    },
    run: (context, input) =>
      track(context, {
        customerId: input.customer_id,
        entityId: input.entity_id,
        of: input.of,
        value: input.value ?? ONE,
        properties: input.properties ?? {},
        timestamp: input.timestamp,
        behavior: input.overage_behavior ?? 'cap',
      }),
    show: (answer) => ({
      customer_id: answer.customerId,
      event_name: answer.eventName ?? undefined,
      value: answer.value,
      balance: answer.summary === null ? null : balanceToWire(answer.summary, null),
      balances: answer.summaries === null ? undefined : balancesToWire(answer.summaries, null),
      deductions: answer.deductions.map(deductionToWire),
    }),
  }),
]

const events: Endpoint[] = [
  endpoint({
    operation: 'events.list',
    shape: 'events',
    input: listEventsInput,
    kind: 'read',
    run: (context, input) =>
      listEvents(context, {
        customerId: input.customer_id,
        entityId: input.entity_id,
        names: input.feature_id,
        from: input.custom_range?.start,
        to: input.custom_range?.end,
        cursor: input.start_cursor ?? '',
        limit: input.limit ?? 50,
      }),
    show: ({ events: rows, nextCursor }) => ({
      list: rows.map((event) => ({
        id: event.uid,
        timestamp: event.timestamp,
        feature_id: event.name,
        customer_id: event.customerId,
        value: event.value,
        properties: event.properties,
        deductions: event.deductions.length === 0 ? null : event.deductions.map(deductionToWire),
      })),
      next_cursor: nextCursor,
    }),
  }),
]

/** Every path of the API, all of them `POST`. */
export const ROUTES: ReadonlyMap<string, Endpoint> = new Map([
  ...[...features, ...customers, ...balances, ...usage, ...events].map((one) => [`/v1/${one.operation}`, one] as const),
  ...aliases('balances.check', '/v1/check', '/v1/entitled'),
  ...aliases('balances.track', '/v1/track', '/v1/events'),
])

function aliases(operation: string, ...paths: string[]): (readonly [string, Endpoint])[] {
  const target = usage.find((one) => one.operation === operation)
  return target === undefined ? [] : paths.map((path) => [path, target] as const)
}

function subjectOf(input: { customer_id: string; feature_id: string; entity_id?: string | undefined }) {
  return { customerId: input.customer_id, featureId: input.feature_id, entityId: input.entity_id }
}

/** @param often whether the same summary will be shown again: after a read it will, after a use there is a new one. */
function showBalance(summary: Summary, showFeature: ShowFeature | null, often: boolean): WireObject {
  return often && showFeature === null ? lastingBalanceToWire(summary) : balanceToWire(summary, showFeature)
}

const NOTHING: readonly string[] = []

function showView({ feature, memberIds }: FeatureView): WireObject {
  return featureToWire(feature, (uid) => memberIds[uid] ?? uid)
}

function showCustomer(
  { customer, summaries, flags }: CustomerView,
  expand: readonly string[] = [],
  context: Context,
): WireObject {
  const ofBalances = expanding(expand, 'balances.feature', context)
  const ofFlags = expanding(expand, 'flags.feature', context)
  const flagMap = Object.fromEntries(flags.map((flag: Flag) => [flag.feature.id, flagToWire(flag, ofFlags)]))
  const balanceMap = Object.fromEntries(
    summaries.map((summary) => [summary.feature.id, showBalance(summary, ofBalances, true)]),
  )
  return customerToWire(customer, balanceMap, flagMap, expand)
}

/** How to show a feature inside another object, or null where that was not asked for. */
function expanding(expand: readonly string[], wanted: string, { engine, env }: Context): ShowFeature | null {
  if (!expand.includes(wanted)) return null
  return (feature) => showView(viewOf(feature, engine.catalogue(env).byUid))
}

function fieldOf(body: unknown, field: string): unknown {
  return typeof body === 'object' && body !== null ? Reflect.get(body, field) : undefined
}

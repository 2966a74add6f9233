import type * as z from 'zod'
import { ONE } from '../../domain/amount.ts'
import { setUsage } from '../../operations/balances.ts'
import { check, checkAndUse } from '../../operations/check.ts'
import { type Newcomer, withNewcomer } from '../../operations/ensure.ts'
import { checkProduct } from '../../operations/product-check.ts'
import { type RefundRequest, refundUse } from '../../operations/refunds.ts'
import { type TrackRequest, track } from '../../operations/track.ts'
import { type Endpoint, either, endpoint } from '../endpoint.ts'
import type { Status } from '../versions/version.ts'
import { balancesToWire, flagToWire } from '../wire/balance.ts'
import { newcomerTerms } from '../wire/customers.ts'
import { lockToWire } from '../wire/locks.ts'
import { paywallToWire, productCheckToWire } from '../wire/offers.ts'
import { quickCheck, quickTrack } from '../wire/quick.ts'
import { checkInput, productCheckInput, setUsageInput, trackInput } from '../wire/usage.ts'
import { expanding, NOTHING, showBalance, showProduct, showTracked } from './show.ts'

const featureCheck = endpoint({
  operation: 'balances.check',
  shape: 'check',
  input: checkInput,
  quick: quickCheck,
  kind: (body) => (fieldOf(body, 'send_event') === true || fieldOf(body, 'lock') != null ? 'write' : 'read'),
  run(context, input) {
    const subject = subjectOf(input)
    const properties = input.properties ?? {}
    const act = () =>
      input.send_event === true || input.lock != null
        ? checkAndUse(
            context,
            subject,
            input.required,
            properties,
            input.skip_event !== true,
            input.lock ?? null,
            input.with_preview === true,
          )
        : check(context, subject, input.required, properties, input.with_preview === true)
    return input.auto_create === true ? withNewcomer(context, subject, newcomerOf(input), act) : act()
  },
  show({ access, denial, customerId, eventId, lock, summaries, offers, memberIds }, input) {
    const { allowed, required, summary, flag, feature } = access
    const { with_preview, expand = NOTHING } = input
    return {
      allowed,
      customer_id: customerId,
      entity_id: input.entity_id,
      required_balance: required,
      balance:
        summary === null
          ? null
          : showBalance(
              summary,
              expanding(expand, 'balance.feature', memberIds),
              input.send_event !== true && lock === null,
            ),
      balances: summaries === null ? undefined : balancesToWire(summaries, null),
      flag: flag === null ? null : flagToWire(flag, expanding(expand, 'flag.feature', memberIds)),
      event_id: eventId ?? undefined,
      lock: lock === null ? undefined : lockToWire(lock),
      reason: denial?.reason,
      available_at: denial === null ? undefined : denial.availableAt,
      preview:
        with_preview !== true
          ? undefined
          : offers === null
            ? null
            : paywallToWire(feature, summary !== null, offers, showProduct),
    }
  },
})

/** Whether a plan is had, which older clients ask in the same way (R53). */
const productCheck = endpoint({
  operation: 'balances.check',
  shape: 'other',
  input: productCheckInput,
  kind: 'read',
  run: (context, input) =>
    checkProduct(
      context,
      { customerId: input.customer_id, entityId: input.entity_id ?? undefined },
      input.product_id,
      newcomerOf(input),
    ),
  show: (answer, input) => productCheckToWire(answer, input, showProduct),
})

export const usage: readonly Endpoint[] = [
  either(
    featureCheck,
    (body) => fieldOf(body, 'product_id') != null && fieldOf(body, 'feature_id') == null,
    productCheck,
  ),
  endpoint({
    operation: 'balances.track',
    shape: 'track',
    input: trackInput,
    quick: quickTrack,
    kind: 'write',
    bodyKey: trackKey,
    run(context, input) {
      const request = trackRequest(input, input.async !== true)
      if ('eventId' in request) return refundUse(context, request)
      const act = () => track(context, request)
      return input.auto_create === true ? withNewcomer(context, request, newcomerOf(input), act) : act()
    },
    show: showTracked,
    status: trackStatus,
  }),
  endpoint({
    operation: 'usage.set',
    shape: 'success',
    input: setUsageInput,
    kind: 'write',
    run: (context, input) => setUsage(context, subjectOf(input), input.value, newcomerTerms(input.customer_data ?? {})),
    show: (success) => success,
  }),
]

/** The key that the body of a use may carry. */
export function trackKey(body: unknown): string | undefined {
  const key = fieldOf(body, 'idempotency_key')
  return typeof key === 'string' && key !== '' ? key : undefined
}

/** A use is done before it is answered, also where the caller would not wait for that. */
export function trackStatus(input: { readonly async?: boolean | null | undefined }): Status {
  return input.async === true ? 202 : 200
}

/** @param tellsBalance whether the answer shows what is left. */
export function trackRequest(input: z.infer<typeof trackInput>, tellsBalance: boolean): TrackRequest | RefundRequest {
  const { of } = input
  const common = {
    customerId: input.customer_id,
    entityId: input.entity_id,
    properties: input.properties ?? {},
    timestamp: input.timestamp,
    recorded: input.skip_event !== true,
    tellsBalance,
  }
  if ('eventId' in of) return { ...common, ...of, name: input.feature_id ?? input.event_name }
  const behavior = input.overage_behavior ?? 'cap'
  return { ...common, of, value: input.value ?? ONE, behavior, lock: input.lock ?? undefined }
}

export function subjectOf(input: { customer_id: string; feature_id: string; entity_id?: string | undefined }) {
  return { customerId: input.customer_id, featureId: input.feature_id, entityId: input.entity_id }
}

/** What is said of who may have to be created. */
export type Creation = Pick<z.infer<typeof trackInput>, 'auto_create' | 'customer_data' | 'entity_data'>

export function newcomerOf({ customer_data, entity_data }: Creation): Newcomer {
  return {
    ...newcomerTerms(customer_data ?? {}),
    entity: entity_data == null ? undefined : { name: entity_data.name ?? null, featureId: entity_data.feature_id },
  }
}

function fieldOf(body: unknown, field: string): unknown {
  return typeof body === 'object' && body !== null ? Reflect.get(body, field) : undefined
}

import type * as z from 'zod'
import { ONE } from '../../domain/amount.ts'
import { setUsage } from '../../operations/balances.ts'
import { check, checkAndUse } from '../../operations/check.ts'
import { type Newcomer, withNewcomer } from '../../operations/ensure.ts'
import { refundUse } from '../../operations/refunds.ts'
import { type TrackRequest, track } from '../../operations/track.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { balancesToWire, balanceToWire, deductionsToWire, flagToWire } from '../wire/balance.ts'
import { detailsOf } from '../wire/customers.ts'
import { lockToWire } from '../wire/locks.ts'
import { quickCheck, quickTrack } from '../wire/quick.ts'
import { checkInput, previewToWire, setUsageInput, trackInput } from '../wire/usage.ts'
import { expanding, NOTHING, showBalance } from './show.ts'

export const usage: readonly Endpoint[] = [
  endpoint({
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
          ? checkAndUse(context, subject, input.required, properties, input.lock ?? null)
          : check(context, subject, input.required, properties)
      return input.auto_create === true ? withNewcomer(context, subject, newcomerOf(input), act) : act()
    },
    show({ access, denial, customerId, eventId, lock, summaries }, input, context) {
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
            : showBalance(summary, expanding(expand, 'balance.feature', context), eventId === null),
        balances: summaries === null ? undefined : balancesToWire(summaries, null),
        flag: flag === null ? null : flagToWire(flag, expanding(expand, 'flag.feature', context)),
        event_id: eventId ?? undefined,
        lock: lock === null ? undefined : lockToWire(lock),
        reason: denial?.reason,
        available_at: denial === null ? undefined : denial.availableAt,
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
    run(context, input) {
      const subject = { customerId: input.customer_id, entityId: input.entity_id }
      const what = { properties: input.properties ?? {}, timestamp: input.timestamp }
      if ('eventId' in input.of) {
        return refundUse(context, { ...subject, ...what, ...input.of, name: input.feature_id ?? input.event_name })
      }
      const [value, behavior] = [input.value ?? ONE, input.overage_behavior ?? 'cap'] as const
      const request: TrackRequest = {
        ...subject,
        ...what,
        of: input.of,
        value,
        behavior,
        lock: input.lock ?? undefined,
      }
      const act = () => track(context, request)
      return input.auto_create === true ? withNewcomer(context, request, newcomerOf(input), act) : act()
    },
    show: (answer, input) => ({
      customer_id: answer.customerId,
      entity_id: input.entity_id,
      event_id: answer.eventId,
      event_name: answer.eventName ?? undefined,
      value: answer.value,
      balance: answer.summary === null ? null : balanceToWire(answer.summary, null),
      balances: answer.summaries === null ? undefined : balancesToWire(answer.summaries, null),
      deductions: deductionsToWire(answer.deductions),
      lock: answer.lock === null ? undefined : lockToWire(answer.lock),
    }),
  }),
  endpoint({
    operation: 'usage.set',
    shape: 'success',
    input: setUsageInput,
    kind: 'write',
    run: (context, input) => setUsage(context, subjectOf(input), input.value, detailsOf(input.customer_data ?? {})),
    show: (success) => success,
  }),
]

export function subjectOf(input: { customer_id: string; feature_id: string; entity_id?: string | undefined }) {
  return { customerId: input.customer_id, featureId: input.feature_id, entityId: input.entity_id }
}

function newcomerOf({ customer_data, entity_data }: z.infer<typeof checkInput> | z.infer<typeof trackInput>): Newcomer {
  return {
    details: detailsOf(customer_data ?? {}),
    entity: entity_data == null ? undefined : { name: entity_data.name ?? null, featureId: entity_data.feature_id },
  }
}

function fieldOf(body: unknown, field: string): unknown {
  return typeof body === 'object' && body !== null ? Reflect.get(body, field) : undefined
}

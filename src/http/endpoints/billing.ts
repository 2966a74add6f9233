import type { BillingPreview } from '../../domain/plan-view.ts'
import { attachPlan, attachPlans, updatePlan } from '../../operations/billing.ts'
import { previewAttach, previewAttaches, previewUpdate } from '../../operations/previews.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import {
  attachInput,
  billedToWire,
  multiAttachInput,
  ordersOf,
  planOrder,
  planUpdate,
  updateInput,
} from '../wire/billing.ts'
import {
  previewAttachInput,
  previewMultiAttachInput,
  previewToWire,
  previewUpdateInput,
  type ShowChanged,
  settlementOf,
} from '../wire/previews.ts'
import type { WireObject } from '../wire/wire.ts'
import { NOTHING, showPlan } from './show.ts'

export const billing: readonly Endpoint[] = [
  endpoint({
    operation: 'billing.attach',
    shape: 'billed',
    input: attachInput,
    kind: 'write',
    run: (context, input) => attachPlan(context, subjectOf(input), planOrder(input)),
    show: billedToWire,
  }),
  endpoint({
    operation: 'billing.multi_attach',
    shape: 'billed',
    input: multiAttachInput,
    kind: 'write',
    run: (context, input) => attachPlans(context, subjectOf(input), ordersOf(input)),
    show: billedToWire,
  }),
  endpoint({
    operation: 'billing.update',
    shape: 'billed',
    input: updateInput,
    kind: 'write',
    run: (context, input) => updatePlan(context, subjectOf(input), planUpdate(input)),
    show: billedToWire,
  }),
  endpoint({
    operation: 'billing.preview_attach',
    shape: 'preview',
    input: previewAttachInput,
    kind: 'read',
    run: (context, input) => previewAttach(context, subjectOf(input), planOrder(input), settlementOf(input)),
    show: showPreview,
  }),
  endpoint({
    operation: 'billing.preview_multi_attach',
    shape: 'preview',
    input: previewMultiAttachInput,
    kind: 'read',
    run: (context, input) => previewAttaches(context, subjectOf(input), ordersOf(input), settlementOf(input)),
    show: showPreview,
  }),
  endpoint({
    operation: 'billing.preview_update',
    shape: 'preview',
    input: previewUpdateInput,
    kind: 'read',
    run: (context, input) => previewUpdate(context, subjectOf(input), planUpdate(input), settlementOf(input)),
    show: showPreview,
  }),
]

function showPreview(
  preview: BillingPreview,
  { expand = NOTHING }: { readonly expand?: readonly string[] | undefined },
): WireObject {
  const showing = (side: string): ShowChanged =>
    expand.includes(`${side}.plan`)
      ? ({ uid }) => {
          const view = preview.plans.get(uid)
          return view === undefined ? {} : showPlan(view)
        }
      : null
  return previewToWire(preview, showing('incoming'), showing('outgoing'))
}

function subjectOf(input: { customer_id: string; entity_id?: string | null | undefined }) {
  return { customerId: input.customer_id, entityId: input.entity_id ?? undefined }
}

import type { Environment } from './customer.ts'
import type { Due } from './due.ts'
import type { Eligibility } from './eligibility.ts'
import type { Feature, MemberIds } from './feature.ts'
import type { Plan } from './plan.ts'
import type { Intent } from './update-attachment.ts'

/** What there is to show of plans, and of what would become of them. */

/** A plan, and what else has to be known to show it. */
export interface PlanView {
  readonly plan: Plan
  readonly env: Environment
  /** Those of its items, by internal id. */
  readonly features: Readonly<Record<string, Feature>>
  readonly memberIds: MemberIds
  /** What somebody may do with it, or null where nobody was named. */
  readonly eligibility: Eligibility | null
}

/** What an action would change and make due. Nothing is done, and nothing is ever collected. */
export interface BillingPreview extends Due {
  readonly customerId: string
  /** The plans of all that changes, on the terms that hold for it, by the internal id of the attachment. */
  readonly plans: ReadonlyMap<string, PlanView>
  /** What kind of update it would be; null where a plan would be attached. */
  readonly intent: Intent | null
}

/** Whether a subject has a plan, by its older name of a product. */
export interface ProductCheckAnswer {
  readonly customerId: string
  readonly planId: string
  readonly allowed: boolean
  /** Null where the plan is not had. */
  readonly status: 'active' | 'scheduled' | 'canceled' | 'trialing' | null
  readonly preview: ProductPreview
}

/** What attaching the plan would mean. */
export interface ProductPreview {
  readonly view: PlanView
  readonly due: Pick<Due, 'now' | 'next'>
  /** Of the main plan that it would take the place of. */
  readonly currentName: string | null
}

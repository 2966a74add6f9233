import type { AttachRequest } from './attach.ts'
import type { Customization } from './customize.ts'
import type { UpdateRequest } from './update-attachment.ts'

/** A plan that is to be attached, by the caller's ids. */
export interface PlanOrder extends Omit<AttachRequest, 'plan' | 'custom' | 'entity'> {
  readonly planId: string
  /** The newest where none is named. */
  readonly version: number | undefined
  readonly customization: Customization | undefined
}

/** A plan of several that are attached at once, to the entity that it names itself, or else to that of the request. */
export interface OrderOfSeveral extends PlanOrder {
  /** Null for the customer itself. */
  readonly entityId: string | null | undefined
}

/** How a plan that a subject has is to be changed. */
export interface PlanUpdate extends Omit<UpdateRequest, 'customize' | 'entity'> {
  readonly customization: Customization | undefined
}

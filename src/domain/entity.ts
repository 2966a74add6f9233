import type { Instant } from './time.ts'

/** A part of one customer with balances of its own: a seat, a workspace, a device. */
export interface Entity {
  /** Internal, never reused: `ent_…`. */
  readonly uid: string
  /** The caller's id, unique for its customer; at most one entity of a customer has none (B217). */
  readonly id: string | null
  readonly name: string | null
  /** The internal id of the feature that it is an instance of. */
  readonly feature: string
  readonly createdAt: Instant
}

import type { Amount } from './amount.ts'
import type { Attachment } from './attachment.ts'
import type { Balance } from './balance.ts'
import type { Entity } from './entity.ts'
import type { Holdings, Shelf } from './holdings.ts'
import type { Lock } from './lock.ts'
import { changesBetween } from './tree.ts'

/** Rows to write and to remove. */
export interface Differences {
  readonly written: readonly Balance[]
  readonly removed: readonly Balance[]
  readonly entitiesWritten: readonly Entity[]
  readonly entitiesRemoved: readonly Entity[]
  readonly refunds: readonly Refunded[]
  readonly locksWritten: readonly Lock[]
  /** Those that are gone, by the caller's id. */
  readonly locksRemoved: readonly string[]
  readonly attachmentsWritten: readonly Attachment[]
  /** Internal ids of those that never began. */
  readonly attachmentsRemoved: readonly string[]
}

/** What was given back of one event so far. */
export interface Refunded {
  readonly event: string
  readonly given: readonly Amount[]
}

/** What changed between two states of one customer, row by row. What both share is skipped by identity. */
export function differences(before: Holdings | null, after: Holdings): Differences {
  const written: Balance[] = []
  const removed: Balance[] = []
  const entitiesWritten: Entity[] = []
  const entitiesRemoved: Entity[] = []
  compare(before?.balances, after.balances, written, removed)
  for (const [old, now] of changesBetween(before?.entities.byUid ?? null, after.entities.byUid)) {
    if (now === undefined) {
      if (old !== undefined) entitiesRemoved.push(old.entity)
    } else if (now.entity !== old?.entity) entitiesWritten.push(now.entity)
    compare(old?.balances, now?.balances ?? new Map(), written, removed)
  }
  const refunds = refundsBetween(before, after)
  return {
    written,
    removed,
    entitiesWritten,
    entitiesRemoved,
    refunds,
    ...locksBetween(before, after),
    ...attachmentsBetween(before, after),
  }
}

function locksBetween(before: Holdings | null, after: Holdings) {
  const [locksWritten, locksRemoved]: [Lock[], string[]] = [[], []]
  for (const [old, now] of changesBetween(before?.locks ?? null, after.locks)) {
    if (now !== undefined) locksWritten.push(now)
    else if (old !== undefined) locksRemoved.push(old.id)
  }
  return { locksWritten, locksRemoved }
}

function attachmentsBetween(before: Holdings | null, after: Holdings) {
  const [attachmentsWritten, attachmentsRemoved]: [Attachment[], string[]] = [[], []]
  for (const [old, now] of changesBetween(before?.attachments ?? null, after.attachments)) {
    if (now !== undefined) attachmentsWritten.push(now)
    else if (old !== undefined) attachmentsRemoved.push(old.uid)
  }
  return { attachmentsWritten, attachmentsRemoved }
}

function refundsBetween(before: Holdings | null, after: Holdings): Refunded[] {
  if (before?.refunds === after.refunds) return []
  return [...after.refunds].flatMap(([event, given]) =>
    before?.refunds.get(event) === given ? [] : [{ event, given }],
  )
}

function compare(before: Shelf | undefined, after: Shelf, written: Balance[], removed: Balance[]): void {
  if (before === after) return
  for (const [feature, list] of after) {
    const old = before?.get(feature)
    if (old === list) continue
    for (const balance of list) if (old === undefined || !old.includes(balance)) written.push(balance)
  }
  for (const [feature, list] of before ?? []) {
    const kept = after.get(feature)
    if (kept === list) continue
    for (const balance of list) if (!kept?.some((other) => other.uid === balance.uid)) removed.push(balance)
  }
}

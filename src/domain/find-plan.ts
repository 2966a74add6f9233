import { assert } from './assert.ts'
import type { Attachment } from './attachment.ts'
import type { Catalogue } from './feature.ts'
import type { Plan, PlanTerms } from './plan.ts'
import { type Refusal, refuse } from './refusal.ts'

/** A version of a plan as it is now, the newest where none is named. Refusal: `product_not_found`. Source: C64. */
export function findPlan(id: string, version: number | null, catalogue: Catalogue): Plan | Refusal {
  const versions = catalogue.versionsById.get(id) ?? []
  const found = version === null ? versions.at(-1) : versions.find((one) => one.version === version)
  if (found !== undefined) return found
  const which = version === null || versions.length === 0 ? `Product ${id}` : `Version ${version} of product ${id}`
  return refuse('product_not_found', `${which} not found`)
}

/** The newest version of each plan that is not archived: what is on sale. */
export function plansOnSale({ versionsById }: Catalogue): Plan[] {
  return [...versionsById.values()].flatMap((versions) => versions.slice(-1)).filter(({ archived }) => !archived)
}

/** Those that every new customer is to be given: of each group at most one that is free and one with a trial (C69, C71). */
export function defaultPlans(catalogue: Catalogue): Plan[] {
  return plansOnSale(catalogue).filter(({ autoEnable }) => autoEnable)
}

/** The revision of a plan that somebody has. */
export function planOf({ plan }: Attachment, catalogue: Catalogue): Plan {
  const found = catalogue.planByUid.get(plan)
  assert(found !== undefined, 'a revision that somebody had is never removed')
  return found
}

/** The terms that hold for one who has a plan: their own (C104), or those of their revision. */
export function termsOf(attachment: Attachment, catalogue: Catalogue): PlanTerms {
  return attachment.custom ?? planOf(attachment, catalogue).terms
}

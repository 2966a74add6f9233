import { problemOf } from './define-plan.ts'
import { canonicalJson } from './exact-json.ts'
import type { Catalogue } from './feature.ts'
import { findPlan } from './find-plan.ts'
import type { BasePrice, FreeTrial, Plan, PlanSettings, PlanTerms } from './plan.ts'
import { type ItemAsWritten, resolveItems } from './plan-items.ts'
import { isFree } from './plan-kind.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import type { Moment } from './time.ts'

/** What `plans.update` asks for. Undefined is "leave it"; null takes away (C53). */
export interface PlanChange {
  /** Null for the newest. */
  readonly version: number | null
  readonly newId: string | undefined
  readonly settings: { readonly [K in keyof PlanSettings]: PlanSettings[K] | undefined }
  readonly price: BasePrice | null | undefined
  readonly items: readonly ItemAsWritten[] | undefined
  readonly trial: FreeTrial | null | undefined
  readonly versioning: Versioning
}

/**
 * `if_had`: a new version where somebody has this one and its terms change (C55). `never`: only those who get the plan from
 * now on are affected. `all`: the same of every version. `always`: a new version whatever changes.
 */
export type Versioning = 'if_had' | 'never' | 'all' | 'always'

/** Revisions to be written, and what to do instead where somebody has one of those named. */
export interface PlanRevisions {
  /** The internal id of the revision that was asked for, as it then is. */
  readonly shown: string
  readonly written: readonly Plan[]
  readonly unless: {
    readonly plans: readonly string[]
    /** Whether those count who had one, or only those who have it or will. */
    readonly ever: boolean
    readonly otherwise: Refusal | (() => PlanRevisions | Refusal)
  } | null
}

/**
 * A plan as it would be. Terms that nobody has are changed in place; those that somebody has are kept for them: by a new
 * version, or, where none is wanted, by a new revision of the version, and the old one is retired (C55-C59).
 * Refusals: `product_not_found`, `product_already_exists` (the new id), `historical_plan_version_cannot_be_default` (C70),
 * those of `resolveItems` and `problemOf`; `plan_in_use` for a new id of what anybody ever had (C61).
 */
export function redefinePlan(
  id: string,
  change: PlanChange,
  catalogue: Catalogue,
  moment: Moment,
): PlanRevisions | Refusal {
  const target = findPlan(id, change.version, catalogue)
  if (isRefusal(target)) return target
  const { newId = id, versioning } = change
  if (newId !== id && catalogue.versionsById.has(newId))
    return refuse('product_already_exists', `Product ${newId} already exists`)
  const versions = catalogue.versionsById.get(id) ?? []
  const newest = versions.at(-1) ?? target
  const edit: Edit = { change, catalogue, moment, target, newest }
  const revisions =
    versioning === 'always' ? newVersion(edit) : changing(edit, versioning === 'all' ? versions : [target])
  if (isRefusal(revisions) || newId === id) return revisions
  const otherwise = refuse('plan_in_use', `Plan ${id} is in use: its id can change only while no customer ever had it`)
  return { ...revisions, unless: { plans: revisionsOf(edit).map(({ uid }) => uid), ever: true, otherwise } }
}

/** A change of one version of a plan, or of all. */
interface Edit {
  readonly change: PlanChange
  readonly catalogue: Catalogue
  readonly moment: Moment
  readonly target: Plan
  readonly newest: Plan
}

interface Changed {
  readonly before: Plan
  readonly after: Plan
}

function changing(edit: Edit, versions: readonly Plan[]): PlanRevisions | Refusal {
  const { change, target, newest } = edit
  if (change.settings.autoEnable === true && !versions.includes(newest)) {
    const message = `auto_enable: only the newest version of ${target.id} can be given to everyone, ${newest.version}`
    return refuse('historical_plan_version_cannot_be_default', message)
  }
  const changed: Changed[] = []
  for (const before of versions) {
    const after = changedPlan(edit, before)
    if (isRefusal(after)) return after
    changed.push({ before, after })
  }
  const inPlace = settled(edit, target.uid, changed, [])
  const revised = changed.filter(({ before, after }) => !sameTerms(before.terms, after.terms))
  if (revised.length === 0) return inPlace
  const had = change.versioning === 'if_had' ? revisionsOf(edit, target.version) : revised.map(({ before }) => before)
  const otherwise = () => (change.versioning === 'if_had' ? newVersion(edit) : retiring(edit, changed, revised))
  return { ...inPlace, unless: { plans: had.map(({ uid }) => uid), ever: false, otherwise } }
}

/** One revision with all that is asked for, as if nobody had it. */
function changedPlan({ change, catalogue, newest }: Edit, before: Plan): Plan | Refusal {
  const { settings } = change
  const items = change.items === undefined ? before.terms.items : resolveItems(change.items, catalogue)
  if (isRefusal(items)) return items
  const price = change.price === undefined ? before.terms.price : change.price
  const trial = change.trial === undefined ? before.terms.trial : change.trial
  const asked: PlanTerms = { price, items, trial }
  const terms = sameTerms(before.terms, asked) ? before.terms : asked
  // Nobody is given a plan for which a card is to be asked (C62).
  const asksForCard = before.terms.trial?.cardRequired === false && trial?.cardRequired === true && !isFree(terms)
  const after: Plan = {
    ...before,
    name: settings.name ?? before.name,
    description: settings.description === undefined ? before.description : settings.description,
    group: settings.group ?? before.group,
    addOn: settings.addOn ?? before.addOn,
    autoEnable: before.version === newest.version && (settings.autoEnable ?? (before.autoEnable && !asksForCard)),
    archived: settings.archived ?? before.archived,
    ignorePastDue: settings.ignorePastDue ?? before.ignorePastDue,
    terms,
  }
  return problemOf(after, catalogue) ?? after
}

/** Who has the version that was to be changed, keeps it as it is. */
function newVersion(edit: Edit): PlanRevisions | Refusal {
  const { target, newest, moment } = edit
  // Whatever it is made from, it is the newest: it is given to everyone if that one was (C58).
  const after = changedPlan(edit, { ...target, version: newest.version, autoEnable: newest.autoEnable })
  if (isRefusal(after)) return after
  const next = { ...after, uid: moment.newId('plan'), version: newest.version + 1, createdAt: moment.now }
  return settled(edit, next.uid, [], [next])
}

/** Who has a revision keeps it, and everyone else gets another one under the same version (C59). */
function retiring(edit: Edit, changed: readonly Changed[], revised: readonly Changed[]): PlanRevisions {
  const { target, moment } = edit
  const added = revised.map(({ after }) => ({ ...after, uid: moment.newId('plan') }))
  const kept = changed.map((one) =>
    revised.includes(one) ? { ...one, after: { ...one.after, terms: one.before.terms, retired: true } } : one,
  )
  return settled(edit, added.find(({ version }) => version === target.version)?.uid ?? target.uid, kept, added)
}

/**
 * Every revision as it then is: settings hold for the retired ones of a version too, because who has one has that version;
 * the id and metadata are those of all versions, and only the newest is given to everyone (C58).
 */
function settled(edit: Edit, shown: string, changed: readonly Changed[], added: readonly Plan[]): PlanRevisions {
  const { change, catalogue, target } = edit
  const revisions = revisionsOf(edit).map((revision) => {
    const one = changed.find(({ before }) => before.version === revision.version)
    if (one === undefined) return revision
    const { uid, terms, retired, createdAt } = revision
    return one.before.uid === uid ? one.after : { ...one.after, uid, terms, retired, createdAt }
  })
  const plans = [...revisions, ...added]
  const newest = Math.max(...plans.map(({ version }) => version))
  const { newId: id = target.id } = change
  const written = plans.map((plan) => ({
    ...plan,
    id,
    metadata: change.settings.metadata ?? plan.metadata,
    autoEnable: plan.autoEnable && plan.version === newest && !plan.retired,
  }))
  return { shown, written: written.filter((plan) => !isSame(plan, catalogue.planByUid.get(plan.uid))), unless: null }
}

/** Of a version with many retired revisions most stay as they are: those are not written again. */
function isSame(plan: Plan, before: Plan | undefined): boolean {
  if (before === undefined || plan.terms !== before.terms) return false
  return canonicalJson({ ...plan, terms: null }) === canonicalJson({ ...before, terms: null })
}

/** All revisions of the plan, retired ones too, or those of one version. */
function revisionsOf({ catalogue, target }: Edit, version?: number): Plan[] {
  return catalogue.plans.filter((plan) => plan.id === target.id && (version ?? plan.version) === plan.version)
}

/** In substance: the order of items means nothing (C55). */
export function sameTerms(a: PlanTerms, b: PlanTerms): boolean {
  return a === b || substanceOf(a) === substanceOf(b)
}

function substanceOf({ price, items, trial }: PlanTerms): string {
  return canonicalJson({ price, items: items.map(canonicalJson).sort(), trial })
}

import { type Amount, multiplyHalfEven, ZERO } from './amount.ts'
import type { Catalogue, Feature } from './feature.ts'
import { balancesOf, type Holdings } from './holdings.ts'
import { type Flag, type Summary, summarise } from './summary.ts'

/** Which feature answers a check, and with what. */
export interface Access {
  readonly allowed: boolean
  /** In the units of the feature that answers: credits where a credit system does (R28). */
  readonly required: Amount
  readonly feature: Feature
  readonly summary: Summary | null
  readonly flag: Flag | null
}

/**
 * May the subject use `required` of `feature` now? Reads only.
 * @param holdings brought up to now.
 * @param required in the feature's own units, any sign.
 * Source: R33-R45; the answering feature R36, with the converted amount in step 3.
 */
export function judge(holdings: Holdings, feature: Feature, required: Amount, catalogue: Catalogue): Access {
  const own = judgeOne(holdings, feature, required)
  const payers = catalogue.payersOf.get(feature.uid)
  if (payers === undefined || (own.summary !== null && own.allowed)) return own
  let owned: Access | null = null
  let any: Access | null = null
  for (const { system, cost } of payers) {
    const access = judgeOne(holdings, system, multiplyHalfEven(required, cost))
    if (access.summary !== null && access.allowed) return access
    if (access.summary !== null) owned ??= access
    any ??= access
  }
  return owned ?? (own.summary === null ? any : null) ?? own
}

function judgeOne(holdings: Holdings, feature: Feature, required: Amount): Access {
  const balances = balancesOf(holdings, feature.uid)
  if (feature.type.kind === 'boolean') {
    const flag = flagOf(feature, holdings)
    return { allowed: flag !== null, required, feature, summary: null, flag }
  }
  const summary = summarise(feature, balances)
  return { allowed: isAllowed(summary, required), required, feature, summary, flag: null }
}

/** The rows of the table in spec 3.4; the first that applies decides. Limits on use will stand between the third and the last. */
function isAllowed(summary: Summary | null, required: Amount): boolean {
  if (summary === null) return false
  if (summary.unlimited) return true
  if (required < ZERO) return true
  return summary.remaining >= required
}

/** The flag of a boolean feature: one, however many balances give it (R24). */
export function flagOf(feature: Feature, holdings: Holdings): Flag | null {
  const first = balancesOf(holdings, feature.uid)[0]
  return first === undefined ? null : { id: first.uid, feature, expiresAt: first.expiresAt }
}

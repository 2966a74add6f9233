import { describe, expect, test } from 'vitest'
import { feature, plan, planItem, planTerms } from '../../test/build.ts'
import { amount } from './amount.ts'
import { catalogueOf } from './feature.ts'
import { type PlanChange, redefinePlan } from './redefine-plan.ts'
import { isRefusal } from './refusal.ts'

const NOTHING: PlanChange = {
  version: null,
  newId: undefined,
  settings: {
    name: undefined,
    description: undefined,
    group: undefined,
    addOn: undefined,
    autoEnable: undefined,
    archived: undefined,
    ignorePastDue: undefined,
    metadata: undefined,
  },
  price: undefined,
  items: undefined,
  trial: undefined,
  versioning: 'never',
}

const messages = (included: number) => planItem('messages', { included: amount(included) })
const revision = (n: number, retired: boolean) =>
  plan('pro', { uid: `plan_${n}`, name: 'Pro', terms: planTerms(null, messages(n)), retired })
const revisions = [...Array.from({ length: 50 }, (_, n) => revision(n, true)), revision(50, false)]
const catalogue = catalogueOf(1, [feature('messages')], 0, revisions)
const moment = { now: 100, newId: (prefix: string) => `${prefix}_new` }

/** The internal ids of what is written where nobody has what changes, and where somebody has. */
function written(change: Partial<PlanChange>): readonly [string[], string[] | null] {
  const found = redefinePlan('pro', { ...NOTHING, ...change }, catalogue, moment)
  if (isRefusal(found)) throw new Error(found.message)
  const otherwise = typeof found.unless?.otherwise === 'function' ? found.unless.otherwise() : null
  if (otherwise !== null && isRefusal(otherwise)) throw new Error(otherwise.message)
  return [found.written.map(({ uid }) => uid), otherwise === null ? null : otherwise.written.map(({ uid }) => uid)]
}

describe('of a version that was changed fifty times while somebody had it', () => {
  const items = [{ ...messages(99), featureId: 'messages', entityFeatureId: null }]

  test('discovered: other terms write nothing but the revision that has them, and the one that had them', () => {
    expect(written({ items })).toEqual([['plan_50'], ['plan_50', 'plan_new']])
  })

  test('the same terms write nothing', () => {
    const same = items.map((one) => ({ ...one, included: amount(50) }))
    expect(written({ items: same, settings: { ...NOTHING.settings, name: 'Pro' } })).toEqual([[], null])
  })

  test('a name is that of all of them', () => {
    const [all] = written({ settings: { ...NOTHING.settings, name: 'Best' } })
    expect(all.toSorted()).toEqual(revisions.map(({ uid }) => uid).toSorted())
  })
})

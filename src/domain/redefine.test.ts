import { describe, expect, test } from 'vitest'
import { feature } from '../../test/build.ts'
import { amount } from './amount.ts'
import { catalogueOf, type Feature, type FeatureType } from './feature.ts'
import { flatTariff } from './price.ts'
import { lastReference, type Redefinition, redefine, type Unused } from './redefine.ts'
import { isRefusal } from './refusal.ts'
import type { Markups } from './tokens.ts'

const metered = (consumable: boolean): FeatureType => ({ kind: 'metered', consumable })
const messages = feature('messages', metered(true))
const images = feature('images', metered(true))
const seats = feature('seats', metered(false), { eventNames: ['sit'], display: { singular: 'seat', plural: 'seats' } })
const sso = feature('sso', { kind: 'boolean' })
const credits = feature('credits', {
  kind: 'credit_system',
  costs: [{ feature: 'feat_messages', tariff: flatTariff(amount('0.2')) }],
})
const aiType = (change: Partial<Markups>): FeatureType => ({
  kind: 'ai_credit_system',
  markups: { ...MARKUPS, ...change },
})
const MARKUPS: Markups = {
  standard: amount('10'),
  providers: [],
  models: [{ model: 'p/m', percent: amount('20'), rates: {} }],
}
const ai = feature('ai', aiType({}))
const old = feature('old', metered(true), { archived: true })
const catalogue = catalogueOf(1, [messages, images, seats, sso, credits, ai, old])

const ANYBODY = { balances: false, entities: false }
const NO_BALANCE = { balances: true, entities: false }
const NOBODY = { balances: true, entities: true }

describe('what a change makes of a feature, and who may have it then (B234)', () => {
  test.each<[string, Feature, Redefinition, Partial<Feature>, Unused]>([
    // label                                   feature   change                                becomes                      while
    ['nothing is asked for', messages, {}, {}, ANYBODY],
    ['another name', messages, { name: 'Texts' }, { name: 'Texts' }, ANYBODY],
    ['another id', messages, { newId: 'texts' }, { id: 'texts' }, NO_BALANCE],
    ['the id that it has', messages, { newId: 'messages' }, {}, ANYBODY],
    ['archived', messages, { archived: true }, { archived: true }, ANYBODY],
    ['and back', old, { archived: false }, { archived: false }, ANYBODY],
    ['other event names', seats, { eventNames: [] }, { eventNames: [] }, ANYBODY],
    ['no display', seats, { display: null }, { display: null }, ANYBODY],
    ['the kind that it is', images, { kind: 'metered', consumable: true }, {}, ANYBODY],
    ['held and no longer spent', images, { consumable: false }, { type: metered(false) }, NOBODY],
    ['spent and no longer held', seats, { consumable: true }, { type: metered(true) }, NOBODY],
    ['a flag', images, { kind: 'boolean' }, { type: { kind: 'boolean' } }, NOBODY],
    [
      'a flag that is not consumable',
      seats,
      { kind: 'boolean', consumable: false },
      { type: { kind: 'boolean' } },
      NOBODY,
    ],
    ['an amount', sso, { kind: 'metered', consumable: true }, { type: metered(true) }, NOBODY],
    ['held, as it was', seats, { consumable: false }, {}, ANYBODY],
    ['a flag, of a flag', sso, { kind: 'boolean', consumable: false }, {}, ANYBODY],
    [
      'other costs',
      credits,
      { costs: [{ featureId: 'images', tariff: flatTariff(amount('3')) }] },
      { type: { kind: 'credit_system', costs: [{ feature: 'feat_images', tariff: flatTariff(amount('3')) }] } },
      ANYBODY,
    ],
    ['the costs that it had', credits, { kind: 'credit_system', name: 'C' }, { name: 'C' }, ANYBODY],
    [
      'another markup',
      ai,
      { markups: { standard: amount('5') } },
      { type: aiType({ standard: amount('5') }) },
      ANYBODY,
    ],
    ['other prices', ai, { markups: { models: [] } }, { type: aiType({ models: [] }) }, ANYBODY],
    ['AI credits, of AI credits', ai, { kind: 'ai_credit_system' }, {}, ANYBODY],
    ['no markup, of what has none', messages, { markups: { standard: null, models: [] } }, {}, ANYBODY],
    ['another id for a member', messages, { newId: 'texts', name: 'T' }, { id: 'texts', name: 'T' }, NO_BALANCE],
    [
      'all at once',
      images,
      { newId: 'i', kind: 'boolean', archived: true, name: 'I' },
      { id: 'i', name: 'I', type: { kind: 'boolean' }, archived: true },
      NOBODY,
    ],
  ])('%s', (_label, before, change, becomes, unused) => {
    expect(redefine(before, change, catalogue)).toEqual({ feature: { ...before, ...becomes }, unused })
  })
})

describe('what is refused (B234)', () => {
  test.each<[string, Feature, Redefinition, string]>([
    ['an id that another one has', messages, { newId: 'seats' }, 'duplicate_feature_id'],
    ['also where that is archived', messages, { newId: 'old' }, 'duplicate_feature_id'],
    ['becoming a credit system', messages, { kind: 'credit_system', costs: [] }, 'invalid_request'],
    ['a credit system becoming anything else', credits, { kind: 'metered', consumable: true }, 'invalid_request'],
    [
      'metered without saying what kind, even where it is that already',
      messages,
      { kind: 'metered' },
      'invalid_request',
    ],
    ['a member of a credit system becoming a flag', messages, { kind: 'boolean' }, 'invalid_feature'],
    ['a member of a credit system that is no longer spent', messages, { consumable: false }, 'invalid_feature'],
    ['becoming an AI credit system', messages, { kind: 'ai_credit_system' }, 'invalid_request'],
    ['an AI credit system becoming another credit system', ai, { kind: 'credit_system', costs: [] }, 'invalid_request'],
    ['and the other way round', credits, { kind: 'ai_credit_system' }, 'invalid_request'],
    ['costs of an AI credit system', ai, { costs: [] }, 'invalid_feature'],
    ['markups of what is no AI credit system', credits, { markups: { standard: 0n } }, 'invalid_inputs'],
    ['an AI credit system that is not consumable', ai, { consumable: false }, 'invalid_inputs'],
    ['costs of what is no credit system', messages, { costs: [] }, 'invalid_inputs'],
    ['a consumable flag', images, { kind: 'boolean', consumable: true }, 'invalid_inputs'],
    ['a flag made consumable', sso, { consumable: true }, 'invalid_inputs'],
    ['a credit system that is not consumable', credits, { consumable: false }, 'invalid_inputs'],
    ['no members at all', credits, { costs: [] }, 'invalid_feature'],
    [
      'a member that is not there',
      credits,
      { costs: [{ featureId: 'none', tariff: flatTariff(1n) }] },
      'feature_not_found',
    ],
    [
      'a member that is not spent',
      credits,
      { costs: [{ featureId: 'seats', tariff: flatTariff(1n) }] },
      'invalid_feature',
    ],
    ['itself as a member', credits, { costs: [{ featureId: 'credits', tariff: flatTariff(1n) }] }, 'invalid_feature'],
    [
      'a member twice',
      credits,
      {
        costs: [
          { featureId: 'images', tariff: flatTariff(1n) },
          { featureId: 'images', tariff: flatTariff(2n) },
        ],
      },
      'invalid_feature',
    ],
  ])('%s', (_label, before, change, code) => {
    const result = redefine(before, change, catalogue)
    expect(isRefusal(result) && result.code).toBe(code)
  })
})

test('a feature that a credit system pays for cannot go; any other may, as far as the catalogue says (B236)', () => {
  expect(lastReference(messages, catalogue)).toMatchObject({ code: 'feature_in_use' })
  for (const one of [images, seats, sso, credits, ai, old]) expect(lastReference(one, catalogue)).toBeNull()
})

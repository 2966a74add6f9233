import { describe, expect, test } from 'vitest'
import { feature } from '../../test/build.ts'
import { type CostAsWritten, catalogueOf, type FeatureTypeAsWritten, resolveType } from './feature.ts'
import { flatTariff } from './price.ts'
import { isRefusal } from './refusal.ts'
import { NO_MARKUPS } from './tokens.ts'

const messages = feature('messages', undefined, { eventNames: ['said', 'sent'] })
const images = feature('images', undefined, { eventNames: ['sent'] })
const seats = feature('seats', { kind: 'metered', consumable: false })
const sso = feature('sso', { kind: 'boolean' })
const cost = (member: string, price: bigint) => ({ feature: `feat_${member}`, tariff: flatTariff(price) })
const credits = feature('credits', { kind: 'credit_system', costs: [cost('messages', 1n), cost('images', 2n)] })
const tokens = feature('tokens', { kind: 'credit_system', costs: [cost('messages', 3n)] })
const catalogue = catalogueOf(4, [messages, images, seats, sso, credits, tokens])

describe('a catalogue finds', () => {
  test('a feature by either id', () => {
    expect([catalogue.byId.get('images'), catalogue.byUid.get('feat_images')]).toEqual([images, images])
    expect([catalogue.byId.get('feat_images'), catalogue.byUid.get('images')]).toEqual([undefined, undefined])
  })

  test('all features that one event feeds', () => {
    expect(['said', 'sent', 'seen'].map((name) => catalogue.byEventName.get(name))).toEqual([
      [messages],
      [messages, images],
      undefined,
    ])
  })

  test('all credit systems that pay for a feature, with their prices', () => {
    const payers = (of: string) =>
      catalogue.payersOf.get(of)?.map(({ system, tariff }) => [system.id, tariff.tiers[0]?.cost])
    expect(payers('feat_messages')).toEqual([
      ['credits', 1n],
      ['tokens', 3n],
    ])
    expect(payers('feat_images')).toEqual([['credits', 2n]])
    expect(payers('feat_seats')).toBeUndefined()
  })

  test('its own version, and a clock that nobody moved', () => {
    expect([catalogue.version, catalogue.clockAhead, catalogueOf(1, [], 5).clockAhead]).toEqual([4, 0, 5])
  })
})

describe('what is written of a type is resolved (B230)', () => {
  const written = (...members: string[]): FeatureTypeAsWritten => ({
    kind: 'credit_system',
    costs: members.map((featureId): CostAsWritten => ({ featureId, tariff: flatTariff(1n) })),
  })

  test('members by the internal id, in the order in which they are written', () => {
    expect(resolveType(written('images', 'messages'), catalogue)).toEqual({
      kind: 'credit_system',
      costs: [cost('images', 1n), cost('messages', 1n)],
    })
  })

  test('an AI credit system may be a member, as what is spent (B231)', () => {
    const ai = feature('ai', { kind: 'ai_credit_system', markups: NO_MARKUPS })
    const type = resolveType(written('ai'), catalogueOf(1, [ai]))
    expect(type).toEqual({ kind: 'credit_system', costs: [cost('ai', 1n)] })
  })

  test.each<FeatureTypeAsWritten>([{ kind: 'boolean' }, { kind: 'metered', consumable: true }])('%j stays', (type) => {
    expect(resolveType(type, catalogue)).toBe(type)
  })

  test.each([
    ['no members', [], 'invalid_feature'],
    ['a member that is not there', ['messages', 'nothing'], 'feature_not_found'],
    ['a flag', ['sso'], 'invalid_feature'],
    ['what is held and not spent', ['seats'], 'invalid_feature'],
    ['another credit system', ['tokens'], 'invalid_feature'],
    ['a member twice', ['messages', 'images', 'messages'], 'invalid_feature'],
  ])('refuses %s', (_label, members, code) => {
    const result = resolveType(written(...members), catalogue)
    expect(isRefusal(result) && result.code).toBe(code)
  })
})

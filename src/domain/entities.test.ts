import { describe, expect, test } from 'vitest'
import { balance, feature } from '../../test/build.ts'
import { amount, formatAmount } from './amount.ts'
import type { Balance } from './balance.ts'
import { newCustomer } from './customer.ts'
import { differences } from './differences.ts'
import { addEntities, type EntityRequest, removeEntity } from './entities.ts'
import type { Entity } from './entity.ts'
import { catalogueOf } from './feature.ts'
import { allBalances, balancesOf, entitiesOf, findEntity, type Holdings, holdingsOf } from './holdings.ts'
import { Journal } from './ledger.ts'
import { flatTariff } from './price.ts'
import { isRefusal } from './refusal.ts'

const alice = newCustomer('cus_1', 'sandbox', 'alice', {}, 0)

const catalogue = catalogueOf(1, [
  feature('seats', { kind: 'metered', consumable: false }),
  feature('rooms', { kind: 'metered', consumable: false }),
  feature('messages', { kind: 'metered', consumable: true }),
  feature('sso', { kind: 'boolean' }),
  feature('credits', { kind: 'credit_system', costs: [{ feature: 'feat_messages', tariff: flatTariff(1n) }] }),
])

const seats = (left: string, taken = 0): Balance => ({ ...balance({ left }), feature: 'feat_seats', seats: taken })
const entity = (uid: string, id: string | null, of = 'seats'): Entity => {
  return { uid, id, name: `was ${uid}`, feature: `feat_${of}`, createdAt: 0 }
}
const asked = (id: string | null, featureId = 'seats', name: string | null = null): EntityRequest => ({
  id,
  name,
  featureId,
})

/** Adds, with new internal ids `ent_1`, `ent_2`, … at instant 7. */
function add(holdings: Holdings, ...requests: EntityRequest[]) {
  let serial = 0
  const moment = { now: 7, newId: () => `ent_${++serial}` }
  return addEntities(holdings, requests, catalogue, moment, new Journal(7, 'test'))
}

function told(holdings: Holdings): string[] {
  const people = entitiesOf(holdings).map(({ uid, id, name, feature: of }) => `${uid} ${id} ${name} ${of}`)
  const rows = balancesOf(holdings, 'feat_seats').map((one) => `${formatAmount(one.remaining)} (${one.seats})`)
  return [...people, ...rows]
}

describe('adding (B214-B218)', () => {
  const empty = holdingsOf(alice, [], [seats('5')], 0, 0)
  const one = holdingsOf(alice, [entity('ent_x', 'x')], [seats('4', 1)], 0, 0)
  const anonymous = holdingsOf(alice, [entity('ent_n', null)], [seats('4', 1)], 0, 0)

  test.each<[string, Holdings, EntityRequest[], string[]]>([
    ['one takes a seat', empty, [asked('a')], ['ent_1 a null feat_seats', '4 (1)']],
    [
      'several take several',
      one,
      [asked('a', 'seats', 'A'), asked('b')],
      ['ent_x x was ent_x feat_seats', 'ent_1 a A feat_seats', 'ent_2 b null feat_seats', '2 (3)'],
    ],
    ['one of another feature takes none of these', empty, [asked('a', 'rooms')], ['ent_1 a null feat_rooms', '5 (0)']],
    [
      'one may be without an id',
      one,
      [asked(null)],
      ['ent_x x was ent_x feat_seats', 'ent_1 null null feat_seats', '3 (2)'],
    ],
    [
      'the next id of its feature is given to the one without, who has a seat and keeps the name',
      anonymous,
      [asked('a'), asked('b')],
      ['ent_n a was ent_n feat_seats', 'ent_1 b null feat_seats', '3 (2)'],
    ],
    [
      'or gets the name that comes with the id',
      anonymous,
      [asked('a', 'seats', 'A')],
      ['ent_n a A feat_seats', '4 (1)'],
    ],
    [
      'an id of another feature is somebody else',
      anonymous,
      [asked('a', 'rooms')],
      ['ent_n null was ent_n feat_seats', 'ent_1 a null feat_rooms', '4 (1)'],
    ],
    [
      'also where somebody else came before',
      anonymous,
      [asked('a', 'rooms'), asked('b')],
      ['ent_n b was ent_n feat_seats', 'ent_1 a null feat_rooms', '4 (1)'],
    ],
    [
      'one without an id stays without one where both come in one request',
      empty,
      [asked(null, 'seats', 'N'), asked('a')],
      ['ent_1 null N feat_seats', 'ent_2 a null feat_seats', '3 (2)'],
    ],
  ])('%s', (_label, before, requests, expected) => {
    const result = add(before, ...requests)
    expect(isRefusal(result) ? result.code : told(result.holdings)).toEqual(expected)
    if (!isRefusal(result)) expect(result.added.map(({ id }) => id)).toHaveLength(requests.length)
  })

  test.each<[string, Holdings, EntityRequest[], string]>([
    ['an unknown feature', empty, [asked('a', 'none')], 'feature_not_found'],
    ['a feature that is spent', empty, [asked('a', 'messages')], 'invalid_request'],
    ['a flag', empty, [asked('a', 'sso')], 'invalid_request'],
    ['a credit system', empty, [asked('a', 'credits')], 'invalid_request'],
    ['an id that is taken', one, [asked('x')], 'entity_already_exists'],
    ['also by an entity of another feature', one, [asked('x', 'rooms')], 'entity_already_exists'],
    ['the internal id of another', one, [asked('ent_x')], 'entity_already_exists'],
    ['an id twice', empty, [asked('a'), asked('a')], 'entity_already_exists'],
    ['a second one without an id', anonymous, [asked(null)], 'entity_id_required'],
    ['also of another feature', anonymous, [asked(null, 'rooms')], 'entity_id_required'],
    ['also of one request', empty, [asked(null), asked('a'), asked(null)], 'entity_id_required'],
    ['all, when the last one cannot be', empty, [asked('a'), asked('b'), asked('c', 'sso')], 'invalid_request'],
  ])('refuses %s', (_label, before, requests, code) => {
    const result = add(before, ...requests)
    expect(isRefusal(result) && result.code).toBe(code)
  })
})

describe('removing (B220)', () => {
  const own = (uid: string, of: string | null, left: string): Balance => ({ ...balance({ uid, left }), entity: of })
  const [desk, lamp] = [entity('ent_desk', 'desk'), entity('ent_lamp', 'lamp')]
  const before = holdingsOf(
    alice,
    [desk, lamp],
    [
      seats('3', 2),
      own('cus_ent_1', 'ent_desk', '40'),
      own('cus_ent_2', 'ent_lamp', '50'),
      own('cus_ent_3', null, '60'),
    ],
    0,
    0,
  )

  test('takes its balances with it, gives its seat back, and leaves everything else', () => {
    const journal = new Journal(1, 'test')
    const after = removeEntity(before, desk, journal)
    expect(findEntity(after, 'desk')).toBeUndefined()
    expect(findEntity(after, 'ent_desk')).toBeUndefined()
    expect(findEntity(after, 'lamp')).toBe(lamp)
    expect(balancesOf(after, 'feat_seats').map(({ remaining, seats: taken }) => [remaining, taken])).toEqual([
      [amount('4'), 1],
    ])
    expect([...allBalances(after)].map(({ uid }) => uid).filter((uid) => /^cus_ent_\d$/.test(uid))).toEqual([
      'cus_ent_3',
      'cus_ent_2',
    ])
    expect(
      journal.postings.map(({ kind, entity: of, amount: value, granted }) => [
        kind,
        of,
        formatAmount(value),
        formatAmount(granted),
      ]),
    ).toEqual([
      ['void', 'ent_desk', '-40', '-100'],
      ['refund', null, '1', '0'],
    ])
    const { removed, entitiesRemoved, entitiesWritten } = differences(before, after)
    expect([removed.map(({ uid }) => uid), entitiesRemoved, entitiesWritten]).toEqual([['cus_ent_1'], [desk], []])
  })

  test('and adding one of the same id is another entity, with nothing of the old one', () => {
    const removed = removeEntity(before, desk, new Journal(1, 'test'))
    const again = add(removed, asked('desk'))
    if (isRefusal(again)) throw new Error(again.code)
    expect(findEntity(again.holdings, 'desk')?.uid).toBe('ent_1')
    expect(differences(before, again.holdings)).toMatchObject({
      removed: [{ uid: 'cus_ent_1' }],
      entitiesRemoved: [desk],
      entitiesWritten: [{ uid: 'ent_1', id: 'desk' }],
    })
  })
})

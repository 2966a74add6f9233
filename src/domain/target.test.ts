import { describe, expect, test } from 'vitest'
import { balance, feature } from '../../test/build.ts'
import type { Balance } from './balance.ts'
import { newCustomer } from './customer.ts'
import type { Feature } from './feature.ts'
import { holdingsOf } from './holdings.ts'
import { noneMatches, type Target, targeted } from './target.ts'

const messages = feature('messages')
const entity = (id: string) => ({ uid: `ent_${id}`, id, name: null, feature: 'feat_seats', createdAt: 0 })
const row = (uid: string, more: Partial<Balance> = {}): Balance => ({ ...balance({ uid }), ...more })

const holdings = holdingsOf(
  newCustomer('cus_1', 'sandbox', 'alice', {}, 0),
  [entity('desk'), entity('lamp')],
  [
    row('loose'),
    { ...balance({ uid: 'monthly', every: 'month' }), id: 'plan' },
    row('images', { feature: 'feat_images', id: 'pictures' }),
    row('desk', { entity: 'ent_desk', id: 'of-desk' }),
    row('lamp', { entity: 'ent_lamp' }),
  ],
  0,
  0,
)

describe('which balances an operator means (B92-B95)', () => {
  test.each<[string, string | null, Feature | null, Target, string[]]>([
    // label                                            whose       of what   target                        meant
    ['all of a feature, the entities’ too', null, messages, {}, ['monthly', 'loose', 'desk', 'lamp']],
    ['all of every feature', null, null, {}, ['monthly', 'loose', 'images', 'desk', 'lamp']],
    ['those of one entity', 'ent_desk', messages, {}, ['desk']],
    ['those that reset every month', null, messages, { interval: 'month' }, ['monthly']],
    ['those that never reset', null, messages, { interval: 'one_off' }, ['loose', 'desk', 'lamp']],
    ['those that reset every year, of which there are none', null, messages, { interval: 'year' }, []],
    ['the one of an id', null, messages, { balanceId: 'plan' }, ['monthly']],
    ['not by its internal id, where it has one of the caller’s', null, messages, { balanceId: 'monthly' }, []],
    ['by its internal id, where it has none', null, messages, { balanceId: 'loose' }, ['loose']],
    ['not of another feature', null, messages, { balanceId: 'pictures' }, []],
    ['of whichever feature', null, null, { balanceId: 'pictures' }, ['images']],
    ['not of another entity', 'ent_lamp', messages, { balanceId: 'of-desk' }, []],
    ['by either id: the internal one', null, messages, { anyId: 'monthly' }, ['monthly']],
    ['by either id: the caller’s', null, messages, { anyId: 'plan' }, ['monthly']],
    ['by either id, of which there is none', null, messages, { anyId: 'nobody' }, []],
    ['an id and an interval that agree', null, messages, { balanceId: 'plan', interval: 'month' }, ['monthly']],
    ['an id and an interval that do not', null, messages, { balanceId: 'plan', interval: 'one_off' }, []],
    ['either id and an interval that do not agree', null, messages, { anyId: 'plan', interval: 'one_off' }, []],
    ['two ids that do not agree', null, messages, { anyId: 'plan', balanceId: 'loose' }, []],
  ])('%s', (_label, whose, of, target, expected) => {
    expect(targeted(holdings, whose, of, target).map(({ uid }) => uid)).toEqual(expected)
  })

  test('where there is none, the refusal names the customer, and the feature if one was asked for', () => {
    expect(noneMatches(holdings, messages)).toMatchObject({
      code: 'balance_not_found',
      message: 'Customer alice has no balance of feature messages matching the request',
    })
    expect(noneMatches(holdings, null).message).toBe('Customer alice has no balance matching the request')
  })
})

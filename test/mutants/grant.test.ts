import { describe, expect, test } from 'vitest'
import { amount } from '../../src/domain/amount.ts'
import { newCustomer } from '../../src/domain/customer.ts'
import type { Entity } from '../../src/domain/entity.ts'
import type { Feature } from '../../src/domain/feature.ts'
import { type GrantRequest, grant } from '../../src/domain/grant.ts'
import { allBalances, type Holdings, holdingsOf } from '../../src/domain/holdings.ts'
import { Journal } from '../../src/domain/ledger.ts'
import { isRefusal, type Refusal } from '../../src/domain/refusal.ts'
import { feature } from '../build.ts'

const messages = feature('messages', { kind: 'metered', consumable: true })
const seats = feature('seats', { kind: 'metered', consumable: false })
const sso = feature('sso', { kind: 'boolean' })
const desk: Entity = { uid: 'ent_desk', id: 'desk', name: null, feature: 'feat_rooms', createdAt: 0 }

const NOW = 1_000
const NOTHING: GrantRequest = {
  included: undefined,
  unlimited: false,
  every: undefined,
  nextResetAt: undefined,
  expiresAt: undefined,
  rolloverPolicy: undefined,
  balanceId: undefined,
}
const TEN = { included: amount('10') }
const MONTHLY = { every: { interval: 'month', count: 1 } } as const
const rollover = (months: number | null) => ({ rolloverPolicy: { cap: { kind: 'none' }, months } }) as const
const nobody = holdingsOf(newCustomer('cus_1', 'sandbox', 'alice', {}, 0), [desk], [], 0, 0)

let serial = 0
function granted(of: Feature, request: Partial<GrantRequest>, holdings: Holdings = nobody, to: Entity | null = null) {
  const newId = (prefix: string) => `${prefix}_${++serial}`
  return grant(holdings, to, of, { ...NOTHING, ...request }, { now: NOW, newId }, new Journal(NOW, 'create'))
}

const verdict = (after: Holdings | Refusal): string => (isRefusal(after) ? after.code : 'granted')

function kept(after: Holdings | Refusal): Holdings {
  if (isRefusal(after)) throw new Error(after.message)
  return after
}

describe('what can be granted (B70-B84)', () => {
  test.each<[string, Feature, Partial<GrantRequest>, string]>([
    ['a flag', sso, {}, 'granted'],
    ['a flag that repeats', sso, MONTHLY, 'invalid_inputs'],
    ['a flag that never repeats', sso, { every: null }, 'invalid_inputs'],
    ['a flag with a date of reset', sso, { nextResetAt: NOW + 1 }, 'invalid_inputs'],
    ['an amount', messages, TEN, 'granted'],
    ['neither an amount nor without limit', messages, {}, 'invalid_inputs'],
    ['both', messages, { ...TEN, unlimited: true }, 'invalid_inputs'],
    ['nothing', messages, { included: amount('0') }, 'granted'],
    ['less than nothing', messages, { included: amount('-1') }, 'invalid_inputs'],
    ['a reset of seats', seats, { ...TEN, ...MONTHLY }, 'invalid_inputs'],
    ['a rollover of seats', seats, { ...TEN, ...rollover(1) }, 'invalid_request'],
    ['a rollover of seats that reset', seats, { ...TEN, ...MONTHLY, ...rollover(1) }, 'invalid_request'],
    ['a rollover without a reset', messages, { ...TEN, ...rollover(1) }, 'invalid_request'],
    ['a rollover', messages, { ...TEN, ...MONTHLY, ...rollover(1) }, 'granted'],
    ['as many rollovers as may be kept', messages, { ...TEN, ...MONTHLY, ...rollover(10_000) }, 'granted'],
    ['one more', messages, { ...TEN, ...MONTHLY, ...rollover(10_001) }, 'invalid_request'],
    ['a single one for ever', messages, { ...TEN, ...MONTHLY, ...rollover(null) }, 'granted'],
    ['an expiry that has come', messages, { ...TEN, expiresAt: NOW }, 'invalid_inputs'],
    ['an expiry to come', messages, { ...TEN, expiresAt: NOW + 1 }, 'granted'],
    ['a reset that has come', messages, { ...TEN, ...MONTHLY, nextResetAt: NOW }, 'invalid_request'],
    ['a reset to come', messages, { ...TEN, ...MONTHLY, nextResetAt: NOW + 1 }, 'granted'],
    [
      'a reset before the expiry',
      messages,
      { ...TEN, ...MONTHLY, nextResetAt: NOW + 1, expiresAt: NOW + 2 },
      'granted',
    ],
    [
      'a reset at the expiry',
      messages,
      { ...TEN, ...MONTHLY, nextResetAt: NOW + 2, expiresAt: NOW + 2 },
      'invalid_request',
    ],
    ['an expiry beside a reset without a date', messages, { ...TEN, ...MONTHLY, expiresAt: NOW + 2 }, 'invalid_inputs'],
  ])('%s', (_label, of, request, expected) => {
    expect(verdict(granted(of, request))).toBe(expected)
  })
})

test('a flag is held once by each owner', () => {
  const own = kept(granted(sso, {}))
  expect([...allBalances(own)].map(({ terms }) => terms)).toEqual([{ kind: 'flag' }])
  expect(verdict(granted(sso, {}, own))).toBe('flag_already_held')
  const both = kept(granted(sso, {}, own, desk))
  expect(verdict(granted(sso, {}, both, desk))).toBe('flag_already_held')
  expect(verdict(granted(messages, TEN, kept(granted(messages, TEN))))).toBe('granted')
})

test('an id is used once by a customer and its entities; many may have none', () => {
  const named = kept(granted(messages, { ...TEN, balanceId: 'a' }, nobody, desk))
  expect(verdict(granted(messages, { ...TEN, balanceId: 'a' }, named))).toBe('balance_id_in_use')
  expect(verdict(granted(messages, { ...TEN, balanceId: 'b' }, named))).toBe('granted')
})

describe('what a grant makes', () => {
  const made = (of: Feature, request: Partial<GrantRequest>, to: Entity | null = null) =>
    [...allBalances(kept(granted(of, request, nobody, to)))][0]
  const policy = { cap: { kind: 'none' }, months: 2 } as const
  const bare = { id: null, entity: null, adjustment: 0n, seats: 0, renewedAt: null, rollovers: [], createdAt: NOW }
  const never = { reset: null, rolloverPolicy: null, expiresAt: null }
  const finite = {
    feature: 'feat_messages',
    remaining: amount('10'),
    terms: { kind: 'finite', allowance: amount('10') },
  }

  test.each<[string, Feature, Partial<GrantRequest>, object]>([
    ['an amount', messages, TEN, { ...bare, ...never, ...finite }],
    ['under an id', messages, { ...TEN, balanceId: 'plan' }, { ...bare, ...never, ...finite, id: 'plan' }],
    ['until an expiry', messages, { ...TEN, expiresAt: NOW + 5 }, { ...bare, ...never, ...finite, expiresAt: NOW + 5 }],
    [
      'every month, counted from now (B82)',
      messages,
      { ...TEN, ...MONTHLY, rolloverPolicy: policy },
      {
        ...finite,
        rolloverPolicy: policy,
        reset: { ...MONTHLY.every, anchor: NOW, nextAt: Date.parse('1970-02-01T00:00:01Z') },
      },
    ],
    [
      'every month, counted from the first reset that was chosen (B121)',
      messages,
      { ...TEN, ...MONTHLY, nextResetAt: NOW + 5 },
      { ...finite, reset: { ...MONTHLY.every, anchor: NOW + 5, nextAt: NOW + 5 } },
    ],
    [
      'without limit',
      messages,
      { unlimited: true },
      { ...bare, ...never, remaining: 0n, terms: { kind: 'unlimited' } },
    ],
    ['a flag', sso, {}, { ...bare, ...never, remaining: 0n, terms: { kind: 'flag' } }],
  ])('%s', (_label, of, request, expected) => {
    expect(made(of, request)).toMatchObject(expected)
  })

  test('belongs to whom it was made for', () => {
    expect(made(messages, TEN, desk)?.entity).toBe('ent_desk')
  })

  test('seats the entities that have no seat yet, where it is the customer’s (B218)', () => {
    const rooms = feature('rooms', { kind: 'metered', consumable: false })
    expect(made(rooms, TEN)).toMatchObject({ remaining: amount('9'), seats: 1 })
    expect(made(seats, TEN)).toMatchObject({ remaining: amount('10'), seats: 0 })
  })

  test.each<[string, Feature, Partial<GrantRequest>, Entity | null, string]>([
    ['a flag with an amount', sso, TEN, null, 'invalid_inputs'],
    ['a flag without limit', sso, { unlimited: true }, null, 'invalid_inputs'],
    ['a reset without limit', messages, { unlimited: true, ...MONTHLY }, null, 'invalid_inputs'],
    [
      'a reset that is said not to be, without limit',
      messages,
      { unlimited: true, every: null },
      null,
      'invalid_inputs',
    ],
    ['a date of reset without a reset', messages, { ...TEN, nextResetAt: NOW + 1 }, null, 'invalid_request'],
    [
      'an entity what it is itself one of',
      feature('rooms', { kind: 'metered', consumable: false }),
      TEN,
      desk,
      'invalid_request',
    ],
  ])('never %s', (_label, of, request, to, expected) => {
    expect(verdict(granted(of, request, nobody, to))).toBe(expected)
  })
})

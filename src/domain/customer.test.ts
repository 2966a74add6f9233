import { describe, expect, test } from 'vitest'
import {
  amend,
  type Customer,
  type CustomerDetails,
  claimOf,
  emailIn,
  fillIn,
  namesOf,
  newCustomer,
} from './customer.ts'

const made = (details: CustomerDetails, id: string | null = 'alice') => newCustomer('cus_1', 'live', id, details, 7)

const blank: Customer = {
  uid: 'cus_1',
  env: 'live',
  id: 'alice',
  name: null,
  email: null,
  fingerprint: null,
  stripeId: null,
  metadata: {},
  sendEmailReceipts: false,
  sharesWithEntities: true,
  clockAhead: 0,
  createdAt: 7,
}
const said = {
  name: 'Alice',
  email: 'Alice@example.com',
  fingerprint: 'f1',
  stripeId: 'cus_stripe',
  metadata: { plan: 'pro' },
  sendEmailReceipts: true,
  sharesWithEntities: false,
}
const full: Customer = { ...blank, ...said }

describe('a new customer', () => {
  test.each<[string, CustomerDetails, Customer]>([
    ['is blank, shares with its entities and gets no receipts', {}, blank],
    ['has what is said of it', said, full],
    ['has nothing of what is said to be none', { name: null, email: null, fingerprint: null, stripeId: null }, blank],
    ['has no metadata where that is none', { metadata: null }, blank],
  ])('%s', (_label, details, expected) => {
    expect(made(details)).toEqual(expected)
  })

  test('has no key of metadata that is null, but those that are false, zero or empty', () => {
    expect(made({ metadata: { a: null, b: 0, c: false, d: '' } }).metadata).toEqual({ b: 0, c: false, d: '' })
  })
})

describe('asked for again, a customer that is there', () => {
  test.each<[string, Customer, CustomerDetails, Customer]>([
    [
      'gets a name and an e-mail that it lacks',
      blank,
      said,
      { ...blank, name: 'Alice', email: said.email, sendEmailReceipts: true },
    ],
    ['gets a name alone', blank, { name: 'A' }, { ...blank, name: 'A' }],
    ['gets an e-mail alone', blank, { email: 'a@b.c' }, { ...blank, email: 'a@b.c' }],
    ['keeps its own name and e-mail', full, { name: 'Bob', email: 'b@b.c' }, full],
    ['follows the setting of receipts', full, { sendEmailReceipts: false }, { ...full, sendEmailReceipts: false }],
  ])('%s (B189)', (_label, before, details, expected) => {
    expect(fillIn(before, details)).toEqual(expected)
  })

  test.each<[string, Customer, CustomerDetails]>([
    ['nothing is said', blank, {}],
    ['nothing is lacking', full, { ...said, name: 'Bob', email: 'b@b.c' }],
    ['only none is said', blank, { name: null, email: null }],
  ])('is the same object, so that nothing is written, where %s', (_label, before, details) => {
    expect(fillIn(before, details)).toBe(before)
  })
})

describe('what an update names is changed, and nothing else (B202-B204)', () => {
  test.each<[string, Customer, CustomerDetails, string | undefined, Partial<Customer>]>([
    ['nothing', full, {}, undefined, {}],
    ['all', blank, said, 'bob', { ...said, id: 'bob' }],
    ['the id', full, {}, 'bob', { id: 'bob' }],
    [
      'name, e-mail and fingerprint to none',
      full,
      { name: null, email: null, fingerprint: null },
      undefined,
      { name: null, email: null, fingerprint: null },
    ],
    ['an empty stripe id unlinks', full, { stripeId: '' }, undefined, { stripeId: null }],
    ['and so does none', full, { stripeId: null }, undefined, { stripeId: null }],
    [
      'metadata is merged one level deep',
      full,
      { metadata: { more: { a: 1 } } },
      undefined,
      { metadata: { plan: 'pro', more: { a: 1 } } },
    ],
    ['a key set to null is removed', full, { metadata: { plan: null, b: 1 } }, undefined, { metadata: { b: 1 } }],
    ['no metadata is no change of any key', full, { metadata: null }, undefined, {}],
    ['receipts are turned off', full, { sendEmailReceipts: false }, undefined, { sendEmailReceipts: false }],
    ['entities share again', full, { sharesWithEntities: true }, undefined, { sharesWithEntities: true }],
  ])('%s', (_label, before, details, newId, expected) => {
    expect(amend(before, details, newId)).toEqual({ ...before, ...expected })
  })
})

describe('the names under which a customer is found', () => {
  test.each<[string, Customer, string[]]>([
    ['its id and the internal one (B187)', full, ['alice', 'cus_1']],
    ['without an id the e-mail in lower case (B186)', { ...full, id: null }, [claimOf('alice@example.com'), 'cus_1']],
    ['with neither the internal one alone', { ...blank, id: null }, ['cus_1']],
  ])('are %s', (_label, customer, expected) => {
    expect(namesOf(customer)).toEqual(expected)
  })

  test('a claim is no text that an id could be, and tells its e-mail; any other name tells none', () => {
    expect(claimOf('Alice@Example.com')).not.toBe('alice@example.com')
    expect(emailIn(claimOf('Alice@Example.com'))).toBe('alice@example.com')
    expect(emailIn('alice@example.com')).toBeNull()
    expect(emailIn('')).toBeNull()
  })
})

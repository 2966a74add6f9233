import { describe, expect, test } from 'vitest'
import type { Version } from '../../../src/http/versions/version.ts'
import { upgradeRequest } from '../../../src/http/versions/versions.ts'
import { expectShown, shown } from './shown.ts'

const ALL: readonly Version[] = ['1.2', 'beta', '2.0', '2.1', '2.2', '2.3', '2.4']
const from = (first: Version) => ALL.slice(ALL.indexOf(first))
const upTo = (last: Version) => ALL.slice(0, ALL.indexOf(last) + 1)

function expectUpgraded(versions: readonly Version[], operation: string, body: unknown, newest: unknown): void {
  for (const version of versions) expect(upgradeRequest(version, operation, body), version).toStrictEqual(newest)
}

const ADA = { customer_id: 'ada', feature_id: 'messages' }

describe('check and track', () => {
  test.each(['balances.check', 'balances.track'])('R11: up to 2.0 %s creates whom it does not know', (operation) => {
    expectUpgraded(from('2.1'), operation, ADA, { body: ADA })
    expectUpgraded(['2.0'], operation, ADA, { body: { ...ADA, auto_create: true } })
    expect(upgradeRequest('1.2', operation, ADA)).toMatchObject({ body: { auto_create: true } })
  })

  test.each([
    ['nothing', {}, { expand: ['balance.feature', 'flag.feature'] }],
    ['an empty list', { expand: [] }, { expand: ['balance.feature', 'flag.feature'] }],
    ['a list', { expand: ['flag.feature'] }, { expand: ['flag.feature', 'balance.feature'] }],
    ['a text', { expand: 'flag.feature,x' }, { expand: ['flag.feature', 'x', 'balance.feature'] }],
    ['a list that validation will refuse', { expand: [1] }, { expand: [1, 'balance.feature', 'flag.feature'] }],
    ['a number', { expand: 1 }, { expand: 1 }],
    ['null', { expand: null }, { expand: null }],
  ])('R12, B7: up to beta a check expands the feature where the caller asked for %s', (_title, asked, newest) => {
    const body = { ...ADA, ...asked }
    expectUpgraded(upTo('beta'), 'balances.check', body, { body: { ...ADA, ...newest, auto_create: true } })
    expectUpgraded(['2.0'], 'balances.check', body, { body: { ...body, auto_create: true } })
    expectUpgraded(from('2.1'), 'balances.check', body, { body })
  })

  test.each([
    ['becomes the value', { properties: { value: 5, a: 1 } }, { properties: { a: 1 }, value: 5 }],
    ['may be zero', { properties: { value: 0 } }, { properties: {}, value: 0 }],
    ['may be a decimal text', { properties: { value: '-0.5' } }, { properties: {}, value: '-0.5' }],
    ['is refused later where it is too large', { properties: { value: 1e300 } }, { properties: {}, value: 1e300 }],
    ['gives way to a value', { value: 2, properties: { value: 5 } }, { value: 2, properties: {} }],
    [
      'gives way to a value that is not valid',
      { value: null, properties: { value: 5 } },
      { value: null, properties: {} },
    ],
    ['is dropped where it is no number', { properties: { value: 'many', a: 1 } }, { properties: { a: 1 } }],
    ['is dropped where it is empty', { properties: { value: '' } }, { properties: {} }],
    ['is dropped where it is true', { properties: { value: true } }, { properties: {} }],
    ['is dropped where it is null', { properties: { value: null } }, { properties: {} }],
    ['need not be there', { properties: { a: 1 } }, { properties: { a: 1 } }],
    ['cannot be in a list', { properties: [{ value: 5 }] }, { properties: [{ value: 5 }] }],
    ['cannot be in null', { properties: null }, { properties: null }],
    ['cannot be in a text', { properties: 'value' }, { properties: 'value' }],
    ['needs properties', {}, {}],
  ])('R12: up to beta properties.value of a track %s', (_title, given, newest) => {
    const body = { ...ADA, ...given }
    expectUpgraded(upTo('beta'), 'balances.track', body, { body: { ...ADA, ...newest, auto_create: true } })
    expectUpgraded(['2.0'], 'balances.track', body, { body: { ...body, auto_create: true } })
    expectUpgraded(from('2.1'), 'balances.track', body, { body })
  })
})

describe('customers and entities', () => {
  const EXPANDED = ['balances.feature', 'flags.feature', 'subscriptions.plan', 'purchases.plan', 'items.feature']
  const SINGLE = ['customers.get_or_create', 'customers.get', 'customers.update', 'entities.create', 'entities.get']

  test.each([...SINGLE, 'entities.update'])('B66: up to beta %s expands features', (operation) => {
    const body = { customer_id: 'ada', expand: 'invoices' }
    const expand = ['invoices', ...EXPANDED]
    expectUpgraded(upTo('beta'), operation, body, { body: { customer_id: 'ada', expand } })
    expectUpgraded(from('2.0'), operation, body, { body })
  })

  test.each(['customers.delete', 'entities.delete', 'balances.create', 'balances.update', 'features.get'])(
    '%s is the same in every version',
    (operation) => {
      expectUpgraded(ALL, operation, ADA, { body: ADA })
    },
  )

  test.each(['customers.list', 'entities.list'])('B209, B66: %s by offset', (operation) => {
    const body = { offset: 20, limit: 5, search: 'a' }
    const start_cursor = Buffer.from('{"v":0,"o":20}').toString('base64url')
    const newest = { search: 'a', limit: 5, start_cursor, with_counts: true }
    const expand = EXPANDED
    expectUpgraded(upTo('beta'), operation, body, { body: { ...newest, expand } })
    expectUpgraded(['2.0', '2.1', '2.2'], operation, body, { body: newest })
    expectUpgraded(from('2.3'), operation, body, { body })
  })

  test.each(['customers.list', 'entities.list'])('B209: %s without an offset is the first ten', (operation) => {
    const start_cursor = Buffer.from('{"v":0,"o":0}').toString('base64url')
    const body = { start_cursor: 'of a newer version' }
    expectUpgraded(['2.0', '2.1', '2.2'], operation, body, { body: { limit: 10, start_cursor, with_counts: true } })
    expectUpgraded(from('2.3'), operation, body, { body })
  })

  const LIMIT = { problem: 'limit: must be a whole number, 1 to 1000' }
  const OFFSET = { problem: 'offset: must be a whole number, 0 to 1000000' }
  test.each([
    [{ limit: 0 }, LIMIT],
    [{ limit: 1001 }, LIMIT],
    [{ limit: 1.5 }, LIMIT],
    [{ limit: '5' }, LIMIT],
    [{ limit: null }, LIMIT],
    [{ offset: -1 }, OFFSET],
    [{ offset: 1_000_001 }, OFFSET],
    [{ offset: null }, OFFSET],
    [{ offset: 0.5 }, OFFSET],
  ])('B209: a page of %o is refused up to 2.2', (body, problem) => {
    for (const operation of ['customers.list', 'entities.list', 'events.list'])
      expectUpgraded(upTo('2.2'), operation, body, problem)
  })

  test('B209: the longest page and the largest offset', () => {
    const start_cursor = Buffer.from('{"v":0,"o":1000000}').toString('base64url')
    const body = { limit: 1000, offset: 1_000_000 }
    expectUpgraded(['2.2'], 'customers.list', body, { body: { limit: 1000, start_cursor, with_counts: true } })
  })
})

describe('events', () => {
  test('R171: up to 2.2 events are paged by offset, a hundred at a time', () => {
    const start_cursor = Buffer.from('{"v":0,"o":0}').toString('base64url')
    expectUpgraded(
      upTo('2.2'),
      'events.list',
      { customer_id: 'ada' },
      {
        body: { customer_id: 'ada', limit: 100, start_cursor },
      },
    )
    expectUpgraded(from('2.3'), 'events.list', { customer_id: 'ada' }, { body: { customer_id: 'ada' } })
  })

  test('R170, R171: a page of events', () => {
    const event = { id: 'evt_1', timestamp: 5, feature_id: 'messages', customer_id: 'ada', value: 1, properties: {} }
    const list = [{ ...event, deductions: null }]
    const page = { list, has_more: true, offset: 0, limit: 100, total: 1 }
    expectShown(
      'events',
      { list, next_cursor: 'c' },
      { '2.4': { list, next_cursor: 'c' }, '2.2': page, '2.0': page, '1.2': page },
    )
  })
})

describe('aggregates of events', () => {
  const total = { messages: { count: 1, sum: 2 } }

  test('R183, R186, K23: without groups', () => {
    const bin = { period: 5, values: { messages: 2 } }
    const flat = { list: [{ messages: 2, period: 5 }], total }
    expectShown(
      'aggregate',
      { list: [bin], total },
      {
        '2.4': { list: [bin], total },
        '2.2': { list: [{ ...bin, grouped_values: null }], total },
        '2.0': flat,
        '1.2': flat,
      },
    )
  })

  test('R183, R186: with groups, and with what was deducted', () => {
    const bin = { period: 5, values: { messages: 2 }, grouped_values: { messages: { eu: 2, us: 0 } } }
    const deductions = [{ period: 5, values: {} }]
    const flat = { list: [{ messages: { eu: 2, us: 0 }, period: 5 }], total, deductions }
    const answer = { list: [bin], total, deductions }
    expectShown('aggregate', answer, { '2.4': answer, '2.2': answer, '2.0': flat, '1.2': flat })
  })

  test('a feature that is called period does not take the place of the time', () => {
    const answer = { list: [{ period: 5, values: { period: 7 } }], total: {} }
    expect(shown('2.0', 'aggregate', answer)).toEqual({ list: [{ period: 5 }], total: {} })
  })
})

test.each([[[]], ['text'], [null], [5]])('a body %o is left to validation', (body) => {
  for (const operation of ['balances.check', 'balances.track', 'customers.list', 'features.create'])
    expectUpgraded(ALL, operation, body, { body })
})

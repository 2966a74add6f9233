import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Amount, amount, formatAmount } from '../../src/domain/amount.ts'
import type { Json, JsonObject } from '../../src/domain/customer.ts'
import { AT_PAR, type Price } from '../../src/domain/price.ts'
import type { GroupBy } from '../../src/domain/property.ts'
import type { DeductionLine, UsageEvent } from '../../src/domain/usage-event.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { type AggregateQuery, type EventSums, MOST_SUMS, OTHER_GROUPS, type Store } from '../../src/store/store.ts'
import { PATIENCE_MS, runs } from '../laws/runs.ts'
import { EVERY_STORE, openFor } from './every.ts'
import { AT, added, changed, commit, event, gone, person } from './rows.ts'

const HOUR = 3_600_000
const BINS = [AT, AT + HOUR, AT + 2 * HOUR]
const alice = person('alice')
const bob = person('bob')

/** What `aggregateEvents` of the port promises, held against every store with the same expectations. */
describe.each(EVERY_STORE)('sums of events (%s)', (kind) => {
  let store: Store
  const empty = openFor(kind)

  beforeEach(async () => {
    store = await empty()
  })

  const sums = async (query: Partial<AggregateQuery> = {}): Promise<EventSums> => {
    const answer = await store.aggregateEvents(ask(query))
    if ('kind' in answer) throw new Error(answer.why)
    return answer
  }
  const uses = async (query: Partial<AggregateQuery> = {}) =>
    usesOf(await sums(query), (query.groupBy ?? null) !== null)
  const taken = async (query: Partial<AggregateQuery> = {}) => takenOf(await sums({ deductions: true, ...query }))

  test('are exact, by bin and name; both ends of the time are within', async () => {
    const at = (ms: number, value: string, name = 'messages') => {
      return event(`evt_${ms}_${name}_${value}`, { timestamp: AT + ms, value: amount(value), name })
    }
    const events = [
      at(0, '0.1'),
      at(1, '0.2'),
      at(HOUR - 1, '-0.000000000001'),
      at(HOUR, '1000000000000000'),
      at(HOUR, '-999999999999999.5'),
      at(HOUR, '7', 'images'),
      at(2 * HOUR + 5, '3'),
      at(2 * HOUR + 6, '4'),
      at(HOUR, '9', 'other'),
    ]
    await commit(store, added(alice, { events }))
    expect(await uses({ from: AT + 1, to: AT + 2 * HOUR + 5 })).toEqual([
      '0 messages: 2 events, 0.199999999999',
      '1 images: 1 events, 7',
      '1 messages: 2 events, 0.5',
      '2 messages: 1 events, 3',
    ])
    expect(await uses({ names: ['nothing'] })).toEqual([])
  })

  test('stay exact where they are larger than any single amount', async () => {
    const largest = Array.from({ length: 300 }, (_, i) => event(`evt_${i}`, { value: amount('1000000000000000') }))
    const parts = Array.from({ length: 300 }, (_, i) => event(`evt_p${i}`, { value: amount('0.999999999999') }))
    await commit(store, added(alice, { events: [...largest, ...parts] }))
    expect(await uses()).toEqual(['0 messages: 600 events, 300000000000000299.9999999997'])
  })

  test('are of one customer, by either id, of an entity of it, or of everyone in an environment', async () => {
    const live = person('carol', { env: 'live' })
    await commit(
      store,
      added(alice, { events: [event('evt_a'), event('evt_b', { entity: 'e1', value: amount('2') })] }),
      added(bob, { events: [event('evt_c', { entity: 'e1', value: amount('10') })] }),
      added(live, { events: [event('evt_d', { value: amount('100') })] }),
    )
    expect(await uses({ customerId: 'alice' })).toEqual(['0 messages: 2 events, 3'])
    expect(await uses({ customerId: 'cus_alice' })).toEqual(['0 messages: 2 events, 3'])
    expect(await uses({ customerId: 'carol' })).toEqual([])
    expect(await uses({ customerId: 'alice', entity: 'e1' })).toEqual(['0 messages: 1 events, 2'])
    expect(await uses({ entity: 'e1' })).toEqual(['0 messages: 2 events, 12'])
    expect(await uses()).toEqual(['0 messages: 3 events, 13'])
    expect(await uses({ env: 'live' })).toEqual(['0 messages: 1 events, 100'])
  })

  test('of a deleted customer are gone at once', async () => {
    await commit(store, added(alice, { events: [event('evt_a')] }), added(bob, { events: [event('evt_b')] }))
    await commit(store, gone(alice, 1))
    expect(await uses()).toEqual(['0 messages: 1 events, 1'])
    expect(await uses({ customerId: 'alice' })).toEqual([])
    expect(await uses({ groupBy: { kind: 'customer' } })).toEqual(['0 messages bob: 1 events, 1'])
  })

  test('by customers, entities, names and plans', async () => {
    const events = [event('evt_a', { entity: 'e1' }), event('evt_b', { entity: 'e2' }), event('evt_c')]
    await commit(store, added(person('x', { id: null }), { events: [event('evt_x')] }), added(alice, { events }))
    expect(await uses({ groupBy: { kind: 'customer' } })).toEqual([
      '0 messages alice: 3 events, 3',
      '0 messages cus_x: 1 events, 1',
    ])
    expect(await uses({ groupBy: { kind: 'entity' } })).toEqual([
      '0 messages (none): 2 events, 2',
      '0 messages e1: 1 events, 1',
      '0 messages e2: 1 events, 1',
    ])
    expect(await uses({ groupBy: { kind: 'plan' } })).toEqual(['0 messages : 4 events, 4'])
    expect(await uses({ groupBy: { kind: 'name' } })).toEqual(['0 messages messages: 4 events, 4'])
  })

  const ODD: [string, JsonObject, string | null][] = [
    ['a text', { a: 'eu' }, 'eu'],
    ['a whole number', { a: 5 }, '5'],
    ['a number with a fraction', { a: 0.1 }, '0.1'],
    ['a number that JSON writes with an exponent', { a: 1e21 }, '1e+21'],
    ['a tiny number', { a: -1.5e-7 }, '-1.5e-7'],
    ['minus zero', { a: -0 }, '0'],
    ['true', { a: true }, 'true'],
    ['false', { a: false }, 'false'],
    ['null', { a: null }, null],
    ['the empty text', { a: '' }, null],
    ['an object', { a: { b: 1 } }, null],
    ['a list', { a: [1] }, null],
    ['nothing', {}, null],
    ['nothing, though every object has it', JSON.parse('{"b": 1}'), null],
    ['a quote', { a: `"'` }, `"'`],
    ['a sign beyond the first plane', { a: '😀' }, '😀'],
    ['NUL', { a: 'x\u0000y\u0000' }, 'x\ufffdy\ufffd'],
    ['half a surrogate pair', { a: 'x\ud83d' }, 'x\ufffd'],
    ['what only looks like NUL', { a: '\\u0000 \\ud83d' }, '\\u0000 \\ud83d'],
    ['NUL after a backslash', { a: '\\\u0000' }, '\\\ufffd'],
    ['NUL in the name of another property', { a: 'x', 'b\u0000': '\ud83d' }, 'x'],
    ['a control sign', { a: '\u0001\u001f' }, '\u0001\u001f'],
  ]
  test('a property is its text, if it has one', async () => {
    const events = ODD.map(([, properties], i) => event(`evt_${i}`, { properties, value: amount(String(2 ** i)) }))
    await commit(store, added(alice, { events }))
    const byGroup = Map.groupBy(
      ODD.map(([, , group], i) => ({ group, i })),
      ({ group }) => group,
    )
    const expected = [...byGroup].map(([group, of]) => {
      const sum = of.reduce((all, { i }) => all + 2 ** i, 0)
      return `0 messages${group === null ? ' (none)' : ` ${group}`}: ${of.length} events, ${sum}`
    })
    expect(await uses({ groupBy: { kind: 'property', path: ['a'] }, mostGroups: 250 })).toEqual(expected.sort())
    for (const [label, , text] of ODD) {
      if (text === null) continue
      const filter = { properties: [{ path: ['a'], value: text }] }
      const same = ODD.filter(([, , other]) => other === text).length
      expect((await sums(filter)).uses[0]?.events, label).toBe(same)
      expect((await store.listEvents({ env: 'sandbox', offset: 0, limit: 100, ...filter })).length, label).toBe(same)
    }
  })

  test('a property may lie deeper, also in a list, and its name may be any word', async () => {
    const properties = { a: { b: [{ c_1: 'deep' }, 'second'] }, '0': 'nought', constructor: 'mine' }
    await commit(store, added(alice, { events: [event('evt_a', { properties }), event('evt_b')] }))
    const group = async (...path: string[]) => {
      const found = await sums({ groupBy: { kind: 'property', path } })
      return found.uses.map((use) => use.group).filter((one) => one !== null)
    }
    expect(await group('a', 'b', '0', 'c_1')).toEqual(['deep'])
    expect(await group('a', 'b', '1')).toEqual(['second'])
    expect(await group('a', 'b', '01')).toEqual(['second'])
    expect(await group('a', 'b', '2')).toEqual([])
    expect(await group('a', 'b', '1_0')).toEqual([])
    expect(await group('a', 'b', '99999999999999999999')).toEqual([])
    expect(await group('a', 'b', '1', 'length')).toEqual([])
    expect(await group('0')).toEqual(['nought'])
    expect(await group('constructor')).toEqual(['mine'])
    expect(await group('toString')).toEqual([])
    expect(await group('__proto__')).toEqual([])
  })

  test('several properties have to be so together', async () => {
    const of = (uid: string, properties: JsonObject) => event(uid, { properties })
    const events = [
      of('evt_1', { a: 'x', b: 'y' }),
      of('evt_2', { a: 'x', b: 'z' }),
      of('evt_3', { a: 'x' }),
      of('evt_4', { b: '' }),
    ]
    await commit(store, added(alice, { events }))
    const ids = async (wanted: Record<string, string>) => {
      const properties = Object.entries(wanted).map(([name, value]) => ({ path: [name], value }))
      return (await store.listEvents({ env: 'sandbox', customerId: 'alice', offset: 0, limit: 9, properties })).map(
        ({ uid }) => uid,
      )
    }
    expect(await ids({ a: 'x' })).toEqual(['evt_3', 'evt_2', 'evt_1'])
    expect(await ids({ a: 'x', b: 'z' })).toEqual(['evt_2'])
    expect(await ids({ b: '' })).toEqual(['evt_4'])
    expect(await ids({ a: 'x', b: 'x' })).toEqual([])
  })

  test('of each bin and name the largest groups stand by themselves, of equals the first by code points (R184)', async () => {
    const of = (group: string, value: string, more: Partial<UsageEvent> = {}) =>
      event(`evt_${group}${value}${more.timestamp ?? ''}${more.name ?? ''}`, {
        entity: group,
        value: amount(value),
        ...more,
      })
    const events = [
      of('a', '1'),
      of('b', '5'),
      of('c', '-3'),
      of('d', '5'),
      of('e', '4'),
      of('a', '9', { timestamp: AT + HOUR }),
      of('z', '1', { timestamp: AT + HOUR }),
      of('z', '1', { name: 'images' }),
      // In this order by code points, and in the other one by halves of pairs.
      of('\uff5e', '2', { timestamp: AT + 2 * HOUR }),
      of('😀', '2', { timestamp: AT + 2 * HOUR }),
      of('y', '3', { timestamp: AT + 2 * HOUR }),
    ]
    await commit(store, added(alice, { events: [...events, event('evt_none', { value: amount('1000') })] }))
    expect(await uses({ groupBy: { kind: 'entity' }, mostGroups: 2 })).toEqual(
      [
        '0 images z: 1 events, 1',
        '0 messages (none): 1 events, 1000',
        `0 messages ${OTHER_GROUPS}: 3 events, 2`,
        '0 messages b: 1 events, 5',
        '0 messages d: 1 events, 5',
        '1 messages a: 1 events, 9',
        '1 messages z: 1 events, 1',
        `2 messages ${OTHER_GROUPS}: 1 events, 2`,
        '2 messages y: 1 events, 3',
        '2 messages \uff5e: 1 events, 2',
      ].sort(),
    )
  })

  test('a group that is called like the others is one of the others, and takes nobody’s place', async () => {
    const of = (group: string, value: string) => event(`evt_${group}`, { entity: group, value: amount(value) })
    const events = [of(OTHER_GROUPS, '100'), of('a', '3'), of('b', '2'), of('c', '1')]
    await commit(store, added(alice, { events }))
    expect(await uses({ groupBy: { kind: 'entity' }, mostGroups: 2 })).toEqual([
      `0 messages ${OTHER_GROUPS}: 2 events, 101`,
      '0 messages a: 1 events, 3',
      '0 messages b: 1 events, 2',
    ])
  })

  test('of deductions: by balance, with the price that all of it had (R187)', async () => {
    const cheap: Price = { cost: amount('0.2'), per: amount('1') }
    const dear: Price = { cost: amount('5'), per: amount('10') }
    const events = [
      event('evt_1', { deductions: [line('own', 'messages', '2'), line('pool', 'credits', '0.4', cheap)] }),
      // Two prices in one event are one event, and no single price.
      event('evt_2', { deductions: [line('pool', 'credits', '0.1', cheap), line('pool', 'credits', '3', dear)] }),
      event('evt_3', { name: 'images', deductions: [line('pool', 'credits', '7', dear)] }),
      event('evt_4', { name: 'images', deductions: [line('other', 'images', '1')] }),
      event('evt_5', { timestamp: AT + HOUR, deductions: [line('own', 'messages', '-1')] }),
      event('evt_6', { deductions: [] }),
    ]
    await commit(store, added(alice, { events }))
    const names = ['messages']
    expect(await taken({ names, customerId: 'alice' })).toEqual(
      [
        '0 messages own: 1 events, 2 at 1/1',
        '0 credits pool: 2 events, 3.5 at several',
        '1 messages own: 1 events, -1 at 1/1',
      ].sort(),
    )
    // A credit system is never tracked itself: its balances are found by what they paid for.
    expect(await taken({ names: ['credits'], customerId: 'alice' })).toEqual([
      '0 credits pool: 3 events, 10.5 at several',
    ])
    expect(await uses({ names: ['credits'], deductions: true })).toEqual([])
    expect(await taken({ names: ['images'] })).toEqual([
      '0 credits pool: 1 events, 7 at 5/10',
      '0 images other: 1 events, 1 at 1/1',
    ])
  })

  test('of deductions, in groups: the largest of each balance over all bins stand by themselves', async () => {
    const of = (entity: string | null, value: string, timestamp = AT) =>
      event(`evt_${entity}${timestamp}`, { entity, timestamp, deductions: [line('own', 'messages', value)] })
    const events = [
      of('a', '5'),
      of('b', '4'),
      of('c', '3'),
      of('c', '3', AT + HOUR),
      of('b', '1', AT + HOUR),
      of(null, '50'),
    ]
    await commit(store, added(alice, { events }))
    expect(await taken({ groupBy: { kind: 'entity' }, mostGroups: 1 })).toEqual(
      [
        `0 messages own ${OTHER_GROUPS}: 2 events, 9 at 1/1`,
        '0 messages own c: 1 events, 3 at 1/1',
        `1 messages own ${OTHER_GROUPS}: 1 events, 1 at 1/1`,
        '1 messages own c: 1 events, 3 at 1/1',
      ].sort(),
    )
  })

  test('what takes too long is given up, and the store goes on', async () => {
    await commit(store, added(alice))
    const MANY = 60_000
    const events = Array.from({ length: MANY }, (_, i) => event(`evt_${i}`, { properties: { n: i } }))
    await commit(store, changed(alice, 1, { events }))
    const groupBy: GroupBy = { kind: 'property', path: ['n'] }
    expect(await store.aggregateEvents(ask({ groupBy, patience: 1 }))).toEqual({ kind: 'given_up', why: 'too_slow' })
    expect(await uses({ groupBy: null })).toEqual([`0 messages: ${MANY} events, ${MANY}`])
  })

  test('agree with a naive model, whatever is asked', { timeout: PATIENCE_MS }, async () => {
    const customers = [alice, bob]
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyEvent, { maxLength: 40 }),
        fc.array(anyQuery, { minLength: 4, maxLength: 12 }),
        async (drawn, queries) => {
          store = await empty()
          const events = drawn.map(({ owner, ...one }, i) => ({ owner, event: event(`evt_${i}`, one) }))
          await commit(
            store,
            ...customers.map((one) =>
              added(one, { events: events.filter(({ owner }) => owner === one.id).map((of) => of.event) }),
            ),
          )
          for (const query of queries) {
            const asked = ask(query)
            const answer = await store.aggregateEvents(asked)
            if ('kind' in answer) throw new Error(answer.why)
            const expected = modelled(asked, events)
            expect(usesOf(answer, asked.groupBy !== null)).toEqual(expected.uses)
            expect(takenOf(answer)).toEqual(expected.deductions)
          }
        },
      ),
      { numRuns: runs(kind === 'memory' ? 300 : 60) },
    )
  })
})

test('memory is bounded: more sums than a tally may hold are given up', async () => {
  const store = new MemoryStore()
  const events = Array.from({ length: MOST_SUMS + 1 }, (_, i) => event(`evt_${i}`, { entity: `e${i}` }))
  await commit(store, added(alice, { events }))
  expect(await store.aggregateEvents(ask({ groupBy: { kind: 'entity' } }))).toEqual({
    kind: 'given_up',
    why: 'too_many',
  })
})

function ask(query: Partial<AggregateQuery>): AggregateQuery {
  return {
    env: 'sandbox',
    names: ['messages', 'images'],
    properties: [],
    from: AT,
    to: AT + 3 * HOUR - 1,
    bins: BINS,
    groupBy: null,
    mostGroups: 9,
    deductions: false,
    patience: 60_000,
    ...query,
  }
}

function line(balanceUid: string, featureId: string, value: string, price: Price = AT_PAR): DeductionLine {
  return { balanceUid, featureId, planId: 'pro', reset: null, amount: amount(value), price, metered: null }
}

function usesOf({ uses }: EventSums, grouped: boolean): string[] {
  const lines = uses.map(({ bin, name, group, events, sum }) => {
    return `${bin} ${name}${grouped ? ` ${group ?? '(none)'}` : ''}: ${events} events, ${formatAmount(sum)}`
  })
  return lines.sort()
}

function takenOf({ deductions }: EventSums): string[] {
  const lines = deductions.map(({ bin, feature, balance, group, events, sum, price }) => {
    const at = price === null ? 'several' : `${formatAmount(price.cost)}/${formatAmount(price.per)}`
    return `${bin} ${feature} ${balance}${group === null ? '' : ` ${group}`}: ${events} events, ${formatAmount(sum)} at ${at}`
  })
  return lines.sort()
}

const NAMES = ['messages', 'images', 'credits']
const values = fc.oneof(
  fc.constantFrom(
    '0',
    '1',
    '-1',
    '0.000000000001',
    '-0.5',
    '999999999999999.999999999999',
    '1000000000000000',
    '12.34',
  ),
  fc.integer({ min: -5000, max: 5000 }).map((n) => formatAmount(BigInt(n) * 10n ** 10n)),
)
const words = fc.constantFrom('a', 'b', '', '5', 'true', OTHER_GROUPS, 'x\u0000', '😀', '\ud800', '\\u0000', '\uff5e')
const json: fc.Arbitrary<Json> = fc.oneof(
  words,
  fc.constantFrom(5, 0.5, 1e21, -0, 1e-9),
  fc.boolean(),
  fc.constant(null),
  fc.constant(['a', 5]),
  words.map((text) => ({ p: text })),
)
const prices: fc.Arbitrary<Price> = fc.constantFrom(AT_PAR, { cost: amount('0.2'), per: amount('1') })
const deductions = fc.array(
  fc.record({ balance: fc.constantFrom('b1', 'b2'), feature: fc.constantFrom(...NAMES), value: values, price: prices }),
  { maxLength: 3 },
)
const anyEvent = fc
  .record({
    owner: fc.constantFrom('alice', 'bob'),
    name: fc.constantFrom(...NAMES),
    value: values.map(amount),
    timestamp: fc.oneof(
      fc.integer({ min: AT - HOUR, max: AT + 4 * HOUR }),
      fc.constantFrom(AT, AT + HOUR - 1, AT + HOUR, AT + 3 * HOUR - 1, AT + 3 * HOUR),
    ),
    entity: fc.constantFrom(null, 'e1', 'e2', OTHER_GROUPS),
    properties: fc.dictionary(fc.constantFrom('p', 'q', 'r\u0000', '\ud83d'), json, { maxKeys: 3 }),
    deductions,
  })
  .map(({ deductions: all, ...one }) => ({
    ...one,
    deductions: all.map(({ balance, feature, value, price }) => line(balance, feature, value, price)),
  }))
const paths = fc.constantFrom(['p'], ['q'], ['p', 'p'], ['q', '0'])
const groupings: fc.Arbitrary<GroupBy | null> = fc.oneof(
  fc.constantFrom(null, ...(['customer', 'entity', 'plan', 'name'] as const).map((kind) => ({ kind }))),
  paths.map((path) => ({ kind: 'property' as const, path })),
)
const anyQuery: fc.Arbitrary<Partial<AggregateQuery>> = fc.record({
  customerId: fc.constantFrom(undefined, 'alice', 'cus_bob', 'nobody'),
  entity: fc.constantFrom(undefined, undefined, 'e1'),
  names: fc.constantFrom(['messages'], ['messages', 'images'], ['credits'], ['nothing']),
  properties: fc.oneof(
    fc.constant([]),
    fc.record({ path: paths, value: fc.constantFrom('a', '5', 'true', '', '1e+21', 'x\ufffd') }).map((one) => [one]),
  ),
  from: fc.constantFrom(AT, AT + 1, AT + HOUR),
  to: fc.constantFrom(AT + HOUR, AT + 3 * HOUR - 1),
  bins: fc.constantFrom(BINS, [AT], [AT, AT + HOUR / 2, AT + HOUR]),
  groupBy: groupings,
  mostGroups: fc.constantFrom(1, 2, 9),
  deductions: fc.boolean(),
})

interface Owned {
  readonly owner: string
  readonly event: UsageEvent
}

/** The same sums, from lists and in the plainest way. */
function modelled(query: AggregateQuery, all: readonly Owned[]): { uses: string[]; deductions: string[] } {
  const { names, bins, groupBy, mostGroups } = query
  const chosen = all
    .filter(({ owner, event: { timestamp, entity, properties } }) => {
      const whose = [undefined, owner, `cus_${owner}`].includes(query.customerId)
      const fitting = query.properties.every(({ path, value }) => textAt(properties, path) === value)
      const within = query.from <= timestamp && timestamp <= query.to
      return whose && fitting && within && (query.entity === undefined || query.entity === entity)
    })
    .map(({ owner, event: one }) => ({
      ...one,
      bin: bins.filter((at) => at <= one.timestamp).length - 1,
      group: groupIn(groupBy, owner, one),
    }))

  const named = chosen.filter(({ name }) => names.includes(name))
  const uses = [...Map.groupBy(named, ({ bin, name }) => `${bin} ${name}`)].flatMap(([of, events]) => {
    const place = largest(
      events.map(({ group, value }) => ({ group, value })),
      mostGroups,
    )
    return [...Map.groupBy(events, ({ group }) => place(group))].map(([group, same]) => {
      const label = groupBy === null ? of : `${of} ${group ?? '(none)'}`
      return `${label}: ${same.length} events, ${formatAmount(sumOf(same.map(({ value }) => value)))}`
    })
  })

  const lines = chosen
    .filter(({ group }) => groupBy === null || group !== null)
    .flatMap(({ deductions: of, ...one }) => of.map((taken) => ({ ...one, taken })))
    .filter(({ name, taken }) => names.includes(name) || names.includes(taken.featureId))
  const taken = [...Map.groupBy(lines, (one) => one.taken.balanceUid)].flatMap(([balance, ofBalance]) => {
    const place = largest(
      ofBalance.map(({ group, taken: { amount: value } }) => ({ group, value })),
      mostGroups,
    )
    const apart = Map.groupBy(ofBalance, (one) => JSON.stringify([one.bin, one.taken.featureId, place(one.group)]))
    return [...apart].map(([key, same]) => {
      const [bin, feature, group] = JSON.parse(key)
      const counted = new Set(same.map(({ uid, group: own }) => JSON.stringify([uid, own])))
      const at = new Set(same.map(({ taken: { price } }) => `${formatAmount(price.cost)}/${formatAmount(price.per)}`))
      const sum = formatAmount(sumOf(same.map((one) => one.taken.amount)))
      return `${bin} ${feature} ${balance}${group === null ? '' : ` ${group}`}: ${counted.size} events, ${sum} at ${at.size === 1 ? [...at][0] : 'several'}`
    })
  })
  return { uses: uses.sort(), deductions: query.deductions ? taken.sort() : [] }
}

function groupIn(groupBy: GroupBy | null, owner: string, { entity, name, properties }: UsageEvent): string | null {
  if (groupBy === null) return null
  const texts = { customer: owner, entity, name, plan: '' }
  return groupBy.kind === 'property' ? textAt(properties, groupBy.path) || null : texts[groupBy.kind]
}

function textAt(properties: JsonObject, path: readonly string[]): string | null {
  const value = path.reduce<unknown>(
    (at, name) => (Object(at) === at ? Reflect.get(Object(at), name) : undefined),
    properties,
  )
  if (value === undefined || value === null || typeof value === 'object') return null
  return JSON.stringify(value).startsWith('"')
    ? String(value).replace(/\0|\p{Surrogate}/gu, '\ufffd')
    : JSON.stringify(value)
}

/** Where each group goes: to itself, or to the others. */
function largest(all: readonly { group: string | null; value: Amount }[], most: number) {
  const sums = [
    ...Map.groupBy(
      all.filter(({ group }) => group !== null && group !== OTHER_GROUPS),
      ({ group }) => group ?? '',
    ),
  ]
  const ranked = sums
    .map(([group, same]) => ({ group, sum: sumOf(same.map(({ value }) => value)), bytes: Buffer.from(group) }))
    .sort((a, b) => (a.sum === b.sum ? Buffer.compare(a.bytes, b.bytes) : a.sum > b.sum ? -1 : 1))
  const own = ranked.slice(0, most).map(({ group }) => group)
  return (group: string | null) => (group === null || own.includes(group) ? group : OTHER_GROUPS)
}

function sumOf(all: readonly Amount[]): Amount {
  return all.reduce((sum, one) => sum + one, 0n)
}

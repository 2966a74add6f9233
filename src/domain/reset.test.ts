import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BalanceSketch, balance } from '../../test/build.ts'
import { amount, formatAmount } from './amount.ts'
import type { Balance } from './balance.ts'
import { Journal, type Posting } from './ledger.ts'
import { advance } from './reset.ts'
import { addMonths, boundaryAfter, INTERVALS, type Instant } from './time.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const at = (text: string) => Date.parse(`${text}T00:00Z`)

function show(one: Balance | null) {
  if (one === null) return 'gone'
  return [...one.rollovers.map((r) => `~${formatAmount(r.remaining)}`), formatAmount(one.remaining)].join(' ')
}

function brought(sketch: BalanceSketch, now: Instant) {
  return advance(balance(sketch), now, new Journal(now, 'time'))
}

describe('bringing a balance up to date', () => {
  const monthly: BalanceSketch = {
    every: 'month',
    anchor: at('2026-01-31'),
    nextAt: at('2026-02-28'),
    granted: '100',
    left: '40',
  }
  test.each<[string, BalanceSketch, Instant, string]>([
    ['nothing is due before the boundary', monthly, at('2026-02-28') - 1, '40'],
    ['due at the very instant (B152 corrected)', monthly, at('2026-02-28'), '100'],
    ['debt is forgiven', { ...monthly, left: '-30' }, at('2026-03-01'), '100'],
    ['surplus is dropped', { ...monthly, left: '130' }, at('2026-03-01'), '100'],
    ['expired at the very instant', { expiresAt: 50 }, 50, 'gone'],
    ['not expired just before', { expiresAt: 50 }, 49, '100'],
    [
      'expiry comes before a reset at the same instant',
      { ...monthly, expiresAt: at('2026-02-28') },
      at('2026-02-28'),
      'gone',
    ],
    ['resets inside its life, then expires', { ...monthly, expiresAt: at('2026-04-15') }, at('2026-04-15'), 'gone'],
    [
      'left over is kept within the cap',
      { ...monthly, rollover: { max: '30', months: 1 } },
      at('2026-02-28'),
      '~30 100',
    ],
    ['left over is kept whole without a cap', { ...monthly, rollover: { months: null } }, at('2026-02-28'), '~40 100'],
    [
      'a percentage of the allowance, in whole units',
      { ...monthly, rollover: { percent: '33.4', months: 1 } },
      at('2026-02-28'),
      '~33 100',
    ],
    ['debt leaves no rollover', { ...monthly, left: '-5', rollover: { months: 1 } }, at('2026-02-28'), '100'],
    ['a rollover of no length is gone at once', { ...monthly, rollover: { months: 0 } }, at('2026-02-28'), '100'],
    [
      'each missed boundary has its own rollover (B155 corrected)',
      { ...monthly, rollover: { months: 2 } },
      at('2026-03-31'),
      '~40 ~100 100',
    ],
    [
      'the oldest expires while the next are kept',
      { ...monthly, rollover: { months: 2 } },
      at('2026-04-30'),
      '~100 ~100 100',
    ],
    [
      'the cap trims what expires soonest',
      { ...monthly, rollover: { max: '150', months: 6 } },
      at('2026-04-30'),
      '~50 ~100 100',
    ],
    ['lasting rollovers add up to one', { ...monthly, rollover: { months: null } }, at('2026-04-30'), '~240 100'],
    [
      'lasting rollovers meet the cap',
      { ...monthly, rollover: { max: '120', months: null } },
      at('2026-04-30'),
      '~120 100',
    ],
  ])('%s', (_label, sketch, now, expected) => {
    expect(show(brought(sketch, now))).toBe(expected)
  })

  test('a rollover expires a number of months after its boundary, not after it is noticed (B164)', () => {
    const late = brought({ ...monthly, rollover: { max: '30', months: 1 } }, at('2026-03-02'))
    expect(late?.rollovers.map(({ expiresAt }) => expiresAt)).toEqual([at('2026-03-28')])
  })

  test('month ends do not drift: 31 Jan, 28 Feb, 31 Mar (B151 REC)', () => {
    const boundaries: string[] = []
    let current: Balance | null = balance(monthly)
    for (let i = 0; i < 4 && current?.reset != null; i++) {
      boundaries.push(new Date(current.reset.nextAt).toISOString().slice(0, 10))
      current = advance(current, current.reset.nextAt, new Journal(0, 'time'))
    }
    expect(boundaries).toEqual(['2026-02-28', '2026-03-31', '2026-04-30', '2026-05-31'])
  })

  test('a minute interval that idled for a year is computed, not walked', () => {
    const journal = new Journal(0, 'time')
    const idle = balance({ every: 'minute', anchor: at('2026-01-01'), nextAt: at('2026-01-01') + 60_000, left: '3' })
    const now = advance(idle, at('2027-01-01'), journal)
    expect(show(now)).toBe('100')
    expect(now?.reset?.nextAt).toBe(at('2027-01-01') + 60_000)
    expect(journal.postings.length).toBeLessThan(10)
  })

  test('at a month end an older rollover may outlive a newer one, and the cap keeps it (B165)', () => {
    // Kept for a month, that of 30 March, 23:00, ends on 30 April at 23:00; that of 31 March, 14:00, at 14:00.
    const [anchor, hour] = [at('2026-01-31') + 10 * HOUR, 5 * HOUR]
    const idle = balance({
      ...{ every: 'hour', count: 5, anchor, nextAt: anchor + hour, granted: '1' },
      rollover: { max: '1.5', months: 1 },
    })
    const now = advance(idle, at('2026-03-31') + 9 * HOUR, new Journal(0, 'time'))
    expect(now?.rollovers.map(({ expiresAt }) => new Date(expiresAt ?? 0).toISOString())).toEqual([
      '2026-04-30T18:00:00.000Z',
      '2026-04-30T23:00:00.000Z',
    ])
    expect(now?.rollovers.map(({ remaining }) => formatAmount(remaining))).toEqual(['0.5', '1'])
  })

  test('a cap that would take longer to fill than there is a calendar', () => {
    const anchor = at('2026-01-31')
    const idle = balance({
      ...{ every: 'hour', anchor, nextAt: anchor + HOUR, granted: '0.000000000001' },
      rollover: { max: '0.5', months: 1 },
    })
    const now = advance(idle, anchor + 3 * HOUR, new Journal(0, 'time'))
    expect(now?.reset?.nextAt).toBe(anchor + 4 * HOUR)
    expect(now?.rollovers.map(({ remaining }) => remaining)).toEqual([1n, 1n, 1n])
  })
})

/** What `advance` must equal: every boundary and expiry walked one by one, with plain lists and no shortcut. */
function walk(
  start: Balance,
  now: Instant,
): { main: bigint; rollovers: { left: bigint; until: Instant | null }[] } | null {
  let main = start.remaining
  let next = start.reset?.nextAt ?? Number.POSITIVE_INFINITY
  let rollovers = start.rollovers.map((r) => ({ left: r.remaining, until: r.expiresAt }))
  const policy = start.rolloverPolicy
  let allowance = start.terms.kind === 'finite' ? start.terms.allowance : 0n
  let { prepaid, nextPrepaid } = start.source ?? { prepaid: 0n, nextPrepaid: null }
  for (;;) {
    const due = Math.min(next, start.expiresAt ?? Infinity, ...rollovers.map((r) => r.until ?? Infinity))
    if (due > now) return { main, rollovers }
    if (due === start.expiresAt) return null
    rollovers = rollovers.filter((r) => r.until !== due)
    if (due !== next || start.reset === null) continue
    if (nextPrepaid !== null) {
      allowance += nextPrepaid - prepaid
      prepaid = nextPrepaid
      nextPrepaid = null
    }
    if (policy !== null) {
      const until = policy.months === null ? null : addMonths(due, policy.months)
      const lasting = rollovers.find((r) => r.until === null)
      if (main > 0n && until === null && lasting !== undefined) lasting.left += main
      else if (main > 0n && (until === null || until > due)) rollovers.push({ left: main, until })
      rollovers.sort((a, b) => (a.until ?? Infinity) - (b.until ?? Infinity) || 0)
      const cap =
        policy.cap.kind === 'amount'
          ? policy.cap.max
          : policy.cap.kind === 'percentage'
            ? percentOf(allowance, policy.cap.percent)
            : null
      let excess = cap === null ? 0n : rollovers.reduce((sum, r) => sum + r.left, 0n) - cap
      for (const r of rollovers) {
        const cut = excess <= 0n ? 0n : excess < r.left ? excess : r.left
        r.left -= cut
        excess -= cut
        if (cut > 0n && r.left === 0n) rollovers = rollovers.filter((other) => other !== r)
      }
    }
    main = allowance
    next = boundaryAfter(start.reset.anchor, start.reset, due)
  }
}

function percentOf(allowance: bigint, percent: bigint): bigint {
  const unit = 1_000_000_000_000n
  return ((allowance * percent) / (100n * unit) / unit) * unit
}

describe('what is bought in advance changes at a reset (B25, C160)', () => {
  const monthly: BalanceSketch = { every: 'month', anchor: 0, nextAt: 31 * DAY, granted: '300', prepaid: '200' }
  const after = (sketch: BalanceSketch, days = 31) => {
    const one = brought({ ...monthly, ...sketch }, days * DAY)
    return [show(one), formatAmount(one?.source?.prepaid ?? 0n), one?.source?.nextPrepaid ?? null]
  }

  test.each<[string, BalanceSketch, number, unknown[]]>([
    ['not before', { nextPrepaid: '50' }, 30, ['300', '200', amount('50')]],
    ['to less', { nextPrepaid: '50' }, 31, ['150', '50', null]],
    ['to nothing', { nextPrepaid: '0' }, 31, ['100', '0', null]],
    ['to more', { nextPrepaid: '250' }, 31, ['350', '250', null]],
    ['not where nothing was said', {}, 31, ['300', '200', null]],
    ['once, however many resets were missed', { nextPrepaid: '50' }, 400, ['150', '50', null]],
    ['what is owed is dropped', { nextPrepaid: '50', left: '-7' }, 31, ['150', '50', null]],
    [
      'a cap in percent is of all that is granted then (B165)',
      { nextPrepaid: '50', rollover: { percent: '10', months: null } },
      31,
      ['~15 150', '50', null],
    ],
    [
      'what was carried over before is cut to the new cap, also where nothing is left to carry',
      {
        nextPrepaid: '0',
        left: '0',
        rollover: { percent: '10', months: null },
        rollovers: [{ left: '25', expiresAt: null }],
      },
      31,
      ['~10 100', '0', null],
    ],
    [
      'idle periods carry what is granted then',
      { nextPrepaid: '0', rollover: { months: null } },
      31 + 28 + 31,
      ['~500 100', '0', null],
    ],
  ])('%s', (_label, sketch, days, expected) => {
    expect(after(sketch, days)).toEqual(expected)
  })

  test('the books follow (law 1)', () => {
    const journal = new Journal(31 * DAY, 'time')
    advance(balance({ ...monthly, nextPrepaid: '50', left: '10' }), 31 * DAY, journal)
    expect(journal.postings.map((line) => [line.kind, formatAmount(line.amount), formatAmount(line.granted)])).toEqual([
      ['reset', '-10', '-300'],
      ['grant', '150', '150'],
    ])
  })
})

describe('laws', () => {
  const interesting = fc.record({
    every: fc.constantFrom(
      ...INTERVALS.filter((one) => one !== 'minute' && one !== 'hour').map((one) => ({ interval: one, count: 1 })),
      { interval: 'hour' as const, count: 7 },
      { interval: 'day' as const, count: 3 },
    ),
    granted: fc.constantFrom('0', '0.5', '7', '100'),
    left: fc.constantFrom('-20', '0', '0.25', '3', '100', '250'),
    anchorDay: fc.integer({ min: 0, max: 400 }),
    policy: fc.option(
      fc.record({
        months: fc.constantFrom(null, 0, 1, 2, 13),
        cap: fc.constantFrom<{ max?: string; percent?: string }>(
          {},
          { max: '0' },
          { max: '30' },
          { max: '250.5' },
          { percent: '50' },
          { percent: '7' },
        ),
      }),
    ),
    bought: fc.option(
      fc.record({ prepaid: fc.constantFrom('0', '3'), next: fc.constantFrom(undefined, '0', '1', '3', '50') }),
    ),
    life: fc.option(fc.integer({ min: 1, max: 900 })),
    steps: fc.array(fc.integer({ min: 0, max: 400 * 24 }), { minLength: 1, maxLength: 4 }),
  })

  function start(one: typeof interesting extends fc.Arbitrary<infer T> ? T : never): Balance {
    const anchor = at('2026-01-01') + one.anchorDay * DAY
    const { every } = one
    return balance({
      every: every.interval,
      count: every.count,
      anchor,
      nextAt: boundaryAfter(anchor, every, anchor),
      granted: formatAmount(amount(one.granted) + amount(one.bought?.prepaid ?? '0')),
      left: one.left,
      ...(one.bought === null ? {} : { prepaid: one.bought.prepaid }),
      ...(one.bought?.next === undefined ? {} : { nextPrepaid: one.bought.next }),
      ...(one.life === null ? {} : { expiresAt: anchor + one.life * DAY }),
      ...(one.policy === null ? {} : { rollover: { months: one.policy.months, ...one.policy.cap } }),
    })
  }

  function bucketSums(postings: readonly Posting[], bucket: string | null) {
    return postings.filter((p) => p.rollover === bucket).reduce((sum, p) => sum + p.amount, 0n)
  }

  test('law 9: equals walking every boundary one by one, closed form or not', () => {
    fc.assert(
      fc.property(interesting, (one) => {
        const first = start(one)
        const now = (first.reset?.nextAt ?? 0) + one.steps.reduce((a, b) => a + b, 0) * 3_600_000
        const got = advance(first, now, new Journal(now, 'time'))
        const expected = walk(first, now)
        expect(
          got === null
            ? null
            : { main: got.remaining, rollovers: got.rollovers.map((r) => ({ left: r.remaining, until: r.expiresAt })) },
        ).toEqual(expected)
      }),
      { numRuns: 2000 },
    )
  })

  test('law 5: up to t1 and then to t2 equals up to t2', () => {
    fc.assert(
      fc.property(interesting, (one) => {
        const first = start(one)
        let now = first.createdAt + at('2026-01-01')
        let stepped: Balance | null = first
        for (const hours of one.steps) {
          now += hours * 3_600_000
          if (stepped !== null) stepped = advance(stepped, now, new Journal(now, 'time'))
        }
        expect(stepped).toEqual(advance(first, now, new Journal(now, 'time')))
      }),
      { numRuns: 2000 },
    )
  })

  test('law 1: the postings of time account for every change, bucket by bucket', () => {
    fc.assert(
      fc.property(interesting, (one) => {
        const first = start(one)
        const now = at('2026-01-01') + one.steps.reduce((a, b) => a + b, 0) * 3_600_000
        const journal = new Journal(now, 'time')
        const got = advance(first, now, journal)
        expect(first.remaining + bucketSums(journal.postings, null)).toBe(got?.remaining ?? 0n)
        const alive = new Map((got?.rollovers ?? []).map((r) => [r.uid, r.remaining]))
        for (const uid of new Set(journal.postings.flatMap((p) => p.rollover ?? []))) {
          expect(bucketSums(journal.postings, uid)).toBe(alive.get(uid) ?? 0n)
        }
        expect(amount(formatAmount(got?.remaining ?? 0n))).toBe(got?.remaining ?? 0n)
      }),
      { numRuns: 2000 },
    )
  })
})

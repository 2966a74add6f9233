import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { amount, formatAmount, LARGEST_INPUT, ONE } from './amount.ts'
import { isRefusal } from './refusal.ts'
import {
  areNone,
  type Markups,
  type ModelPrice,
  type ModelTerms,
  NO_MARKUPS,
  quote,
  TOKEN_KINDS,
  type TokenCounts,
  type TokenRates,
} from './tokens.ts'

const rates = (said: Readonly<Record<string, string>>): TokenRates =>
  Object.fromEntries(Object.entries(said).map(([kind, rate]) => [kind, amount(rate)]))
const price = (said: Record<string, string>, longContext: Record<number, Record<string, string>> = {}): ModelPrice => ({
  rates: rates(said),
  longContext: Object.entries(longContext).map(([above, one]) => ({ above: Number(above), rates: rates(one) })),
})
const terms = (model: string, percent: string | null, said: Record<string, string> = {}): ModelTerms => ({
  ...{ model, percent: percent === null ? null : amount(percent), rates: rates(said) },
})
const markups = (standard: string | null, providers: Record<string, string>, ...models: ModelTerms[]): Markups => ({
  standard: standard === null ? null : amount(standard),
  providers: Object.entries(providers).map(([provider, percent]) => ({ provider, percent: amount(percent) })),
  models,
})
const million = (...kinds: (keyof TokenCounts)[]): TokenCounts =>
  Object.fromEntries(kinds.map((kind) => [kind, 1_000_000]))

const PRICES = new Map<string, ModelPrice>([
  ['p/plain', price({ input: '5', output: '15' })],
  ['p/double', price({ input: '10', output: '30' })],
  [
    'p/full',
    price({
      input: '3',
      output: '15',
      cache_read: '0.3',
      cache_write: '3.75',
      reasoning: '20',
      audio_input: '40',
      audio_output: '80',
    }),
  ],
  [
    'p/long',
    price(
      { input: '1', output: '2', cache_read: '0.1' },
      { 128000: { input: '10' }, 200000: { input: '100', output: '200', cache_read: '11' } },
    ),
  ],
  ['p/free', price({ input: '0', output: '0' })],
  ['p/half', price({ input: '1' })],
  ['router/p/plain', price({ input: '7', output: '7' })],
])

function costOf(model: string, counts: TokenCounts, said: Markups = NO_MARKUPS): string {
  const quoted = quote(model, counts, said, PRICES)
  return isRefusal(quoted) ? quoted.code : formatAmount(quoted.cost)
}

describe('what tokens cost (R129)', () => {
  test.each<[string, string, TokenCounts, string]>([
    ['input and output, each by its rate', 'p/plain', { input: 10_000, output: 5_000 }, '0.125'],
    ['nothing, where nothing was used', 'p/plain', { input: 0, output: 0 }, '0'],
    ['nothing, where the model is free', 'p/free', million('input', 'output', 'reasoning'), '0'],
    ['exactly what is far behind the point', 'p/plain', { input: 1, output: 0 }, '0.000005'],
    ['the rate of a kind that has one', 'p/full', million('cache_read'), '0.3'],
    ['each kind by its own', 'p/full', million(...TOKEN_KINDS), '162.05'],
    ['what is read from a cache as input, where it has none', 'p/plain', million('cache_read'), '5'],
    ['what is written to it too', 'p/plain', million('cache_write'), '5'],
    ['audio as input', 'p/plain', million('audio_input'), '5'],
    ['audio as output', 'p/plain', million('audio_output'), '15'],
    ['reasoning as output', 'p/plain', million('reasoning'), '15'],
    ['by the whole name of the model', 'router/p/plain', million('input'), '7'],
  ])('%s', (_label, model, counts, cost) => {
    expect(costOf(model, counts)).toBe(cost)
  })

  test.each<[string, TokenCounts, string]>([
    ['a context of exactly its size', { input: 128_000, output: 1_000_000 }, '2.128'],
    ['one token more', { input: 128_001, output: 1_000_000 }, '3.28001'],
    ['what is cached is part of it', { input: 1, output: 0, cache_read: 64_000, cache_write: 64_000 }, '0.64641'],
    ['audio is not', { input: 1, output: 0, audio_input: 1_000_000 }, '1.000001'],
    ['nor is what comes out', { input: 0, output: 1_000_000, reasoning: 1_000_000 }, '4'],
    ['the largest that it is above', { input: 200_001, output: 1_000_000 }, '220.0001'],
    ['a rate that a longer context does not change', { input: 120_000, output: 0, cache_read: 10_000 }, '1.201'],
    [
      'a kind without a rate goes by the rate of the context',
      { input: 200_001, output: 0, reasoning: 1_000_000 },
      '220.0001',
    ],
  ])('a long context: %s', (_label, counts, cost) => {
    expect(costOf('p/long', counts)).toBe(cost)
  })

  test('the order in which sizes are listed does not matter', () => {
    const listed = PRICES.get('p/long')
    if (listed === undefined) throw new Error('it is listed')
    const reversed = new Map([['p/long', { ...listed, longContext: listed.longContext.toReversed() }]])
    const counts = { input: 300_000, output: 5 }
    expect(quote('p/long', counts, NO_MARKUPS, reversed)).toEqual(quote('p/long', counts, NO_MARKUPS, PRICES))
  })
})

describe('the markup (R129, B232)', () => {
  const all = markups(
    '10',
    { p: '20', router: '0' },
    terms('p/double', '50'),
    terms('p/plain', null),
    terms('p/free', '-100'),
  )

  test.each<[string, string, TokenCounts, Markups, string]>([
    ['that of the model first', 'p/double', { input: 8_000, output: 2_000 }, all, '0.21'],
    ['then that of the provider', 'p/full', million('input'), all, '3.6'],
    ['also where the model has terms but no markup', 'p/plain', million('input'), all, '6'],
    ['a provider without any is not one without a say', 'router/p/plain', million('input'), all, '7'],
    ['then the standard one', 'p/plain', million('input'), markups('10', { q: '20' }), '5.5'],
    ['none', 'p/plain', million('input'), markups(null, {}), '5'],
    ['fractions of a percent', 'p/plain', million('input'), markups('0.1', {}), '5.005'],
    ['less than it costs', 'p/plain', million('input'), markups('-50', {}), '2.5'],
    ['for nothing', 'p/plain', million('input', 'output'), markups('-100', {}), '0'],
    [
      'a provider is all before the first slash',
      'p/plain',
      million('input'),
      markups('10', { 'p/plain': '90' }),
      '5.5',
    ],
  ])('%s', (_label, model, counts, said, cost) => {
    expect(costOf(model, counts, said)).toBe(cost)
  })
})

describe('prices of the feature itself', () => {
  const own = markups(
    null,
    { custom: '100' },
    terms('custom/mine', null, { input: '2', output: '4' }),
    terms('custom/half', '10', { input: '2' }),
    terms('custom/none', '10'),
    terms('p/full', null, { output: '1', cache_read: '9' }),
    terms('p/long', null, { input: '50' }),
    terms('p/half', null, { output: '3' }),
  )

  test.each<[string, string, TokenCounts, string]>([
    ['are all that there is for a model of its own', 'custom/mine', million('input', 'output'), '12'],
    ['and for its other kinds of tokens', 'custom/mine', million('cache_read', 'reasoning'), '12'],
    [
      'replace those of the table that they name',
      'p/full',
      million('input', 'output', 'cache_read', 'cache_write'),
      '16.75',
    ],
    ['also for a long context', 'p/long', { input: 300_000, output: 1_000_000 }, '215'],
    ['add what the table lacks', 'p/half', million('input', 'output'), '4'],
  ])('%s', (_label, model, counts, cost) => {
    expect(costOf(model, counts, own)).toBe(cost)
  })

  test.each([
    ['a model that nobody knows', 'p/unknown', 'input and output'],
    ['a model without a provider', 'plain', 'input and output'],
    ['the provider alone', 'p', 'input and output'],
    ['half a model of the table', 'p/half', 'output'],
    ['half a model of its own', 'custom/half', 'output'],
    ['a model of its own that only has a markup', 'custom/none', 'input and output'],
    ['one that it does not name', 'custom/other', 'input and output'],
  ])('%s has no price (R128)', (_label, model, missing) => {
    const said = model === 'p/half' ? NO_MARKUPS : own
    const refused = quote(model, { input: 1, output: 0 }, said, PRICES)
    expect(refused).toMatchObject({ code: 'invalid_request' })
    expect(isRefusal(refused) && refused.message).toContain(`Model ${model} has no price for ${missing}:`)
  })

  test('more than an amount may be is refused, up to that it is not', () => {
    const dear = markups(null, {}, terms('custom/dear', null, { input: '1000000000000000', output: '0' }))
    expect(costOf('custom/dear', { input: 1_000_000, output: 0 }, dear)).toBe(formatAmount(LARGEST_INPUT))
    expect(costOf('custom/dear', { input: 1_000_001, output: 0 }, dear)).toBe('invalid_inputs')
  })
})

test('a quote says how it came about: rates of what was used, the cost with its markup and without', () => {
  const said = markups('25', {})
  expect(quote('p/full', { input: 0, output: 2_000_000, cache_write: 4_000_000, reasoning: 0 }, said, PRICES)).toEqual({
    cost: amount('56.25'),
    baseCost: amount('45'),
    percent: amount('25'),
    rates: { output: amount('15'), cache_write: amount('3.75') },
  })
})

test('rounded once, half to even: a millionth of a picodollar is not lost on the way', () => {
  // 500,000 tokens of 10⁻¹² each come to half of 10⁻¹², which is even at zero; with a markup it is more than half.
  const tiny = new Map([['p/tiny', price({ input: '0.000000000001', output: '0' })]])
  const cost = (input: number, percent: string) => {
    const quoted = quote('p/tiny', { input, output: 0 }, markups(percent, {}), tiny)
    return isRefusal(quoted) ? quoted : quoted.cost
  }
  expect(cost(500_000, '0')).toBe(0n)
  expect(cost(500_000, '0.0001')).toBe(1n)
  expect(cost(1_500_000, '0')).toBe(2n)
})

test('no markups at all', () => {
  expect([{}, NO_MARKUPS, { standard: null }, { models: [] }].map(areNone)).toEqual([true, true, true, true])
  const some = [{ standard: 0n }, { providers: [{ provider: 'p', percent: 0n }] }, { models: [terms('p/m', null)] }]
  expect(some.map(areNone)).toEqual([false, false, false])
})

/** A fraction of whole numbers, which never rounds. */
type Fraction = readonly [over: bigint, under: bigint]
const plus = ([a, b]: Fraction, [c, d]: Fraction): Fraction => [a * d + c * b, b * d]
const times = ([a, b]: Fraction, [c, d]: Fraction): Fraction => [a * c, b * d]
const fraction = (value: bigint): Fraction => [value, ONE]

test('the cost is what fractions of whole numbers say, to half of the last digit (law: exact)', () => {
  const rate = fc.bigInt({ min: 0n, max: 10_000n * ONE })
  const anyRates = fc.record(Object.fromEntries(TOKEN_KINDS.map((kind) => [kind, rate])), {
    requiredKeys: ['input', 'output'],
  })
  const counts = fc.record(Object.fromEntries(TOKEN_KINDS.map((kind) => [kind, fc.nat(10_000_000)])))
  const percent = fc.bigInt({ min: -100n * ONE, max: 1000n * ONE })
  fc.assert(
    fc.property(anyRates, counts, percent, (known: TokenRates, used: TokenCounts, standard) => {
      const prices = new Map([['p/m', { rates: known, longContext: [] }]])
      const quoted = quote('p/m', used, { ...NO_MARKUPS, standard }, prices)
      if (isRefusal(quoted)) throw new Error(quoted.message)
      let exact: Fraction = [0n, 1n]
      for (const kind of TOKEN_KINDS) {
        const base = kind === 'output' || kind === 'reasoning' || kind === 'audio_output' ? known.output : known.input
        const each = times(fraction(known[kind] ?? base ?? 0n), [BigInt(used[kind] ?? 0), 1_000_000n])
        exact = plus(exact, each)
      }
      const [over, under] = times(exact, plus([1n, 1n], times(fraction(standard), [1n, 100n])))
      // |cost - exact| ≤ 1/2 of 10⁻¹², without dividing.
      const off = quoted.cost * under - over * ONE
      expect((off < 0n ? -off : off) * 2n <= under).toBe(true)
      expect(quoted.cost >= 0n).toBe(true)
    }),
    { numRuns: 1000 },
  )
})

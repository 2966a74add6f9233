import { describe, expect, test } from 'vitest'
import { amount } from '../../domain/amount.ts'
import { readModelPrices } from './model-prices.ts'

/** As the public data has it, with what Granary does not look at. */
const PUBLIC = {
  anthropic: {
    id: 'anthropic',
    name: 'Anthropic',
    env: ['ANTHROPIC_API_KEY'],
    models: {
      opus: {
        id: 'opus',
        limit: { context: 1_000_000, output: 64_000 },
        cost: {
          input: 3,
          output: 15.5,
          cache_read: 0.3,
          cache_write: 3.75,
          reasoning: 16,
          input_audio: 1e-7,
          output_audio: 2,
          tiers: [
            { input: 6, output: 22.5, tier: { type: 'context', size: 272_000 } },
            { input: 9, cache_read: 1, tier: { size: 500_000 } },
          ],
          context_over_200k: { input: 6, output: 22.5 },
        },
      },
      old: { cost: { input: 1, output: 2, context_over_200k: { input: 4, output: 8 } } },
      unpriced: { id: 'unpriced' },
    },
  },
  openrouter: { models: { 'openai/gpt': { cost: { input: 0, output: 0 } }, night: {} } },
}

describe('a price table', () => {
  test('is read exactly, by provider and model', () => {
    const prices = readModelPrices(PUBLIC)
    expect([...prices.keys()]).toEqual(['anthropic/opus', 'anthropic/old', 'openrouter/openai/gpt'])
    expect(prices.get('anthropic/opus')).toEqual({
      rates: {
        input: amount('3'),
        output: amount('15.5'),
        cache_read: amount('0.3'),
        cache_write: amount('3.75'),
        audio_input: amount('0.0000001'),
        audio_output: amount('2'),
        reasoning: amount('16'),
      },
      longContext: [
        { above: 272_000, rates: { input: amount('6'), output: amount('22.5') } },
        { above: 500_000, rates: { input: amount('9'), cache_read: amount('1') } },
      ],
    })
  })

  test('with the older spelling of a long context', () => {
    const { longContext } = readModelPrices(PUBLIC).get('anthropic/old') ?? {}
    expect(longContext).toEqual([{ above: 200_000, rates: { input: amount('4'), output: amount('8') } }])
  })

  test('leaves out models whose cost goes by something else', () => {
    const conditional = [{ input: 1, output: 1, tier: { type: 'conditional', time: { timezone: 'UTC', windows: [] } } }]
    const models = {
      night: { cost: { input: 2, output: 2, tiers: conditional } },
      day: { cost: { input: 2, output: 2 } },
    }
    expect([...readModelPrices({ p: { models } }).keys()]).toEqual(['p/day'])
  })

  test('of nothing is a table', () => {
    expect([readModelPrices({}).size, readModelPrices({ p: { models: {} } }).size]).toEqual([0, 0])
  })

  const cost = (one: object) => ({ p: { models: { 'a/m': { cost: { input: 1, output: 2, ...one } } } } })
  test.each<[string, unknown, RegExp]>([
    ['no object', [], /^the whole: /],
    ['nothing', null, /^the whole: /],
    ['a provider without models', { p: { name: 'P' } }, /^p\.models: /],
    ['a provider that is a text', { p: 'x' }, /^p: /],
    ['a model that is a number', { p: { models: { m: 1 } } }, /^p\.models\.m: /],
    ['a rate that is no number', cost({ output: 'much' }), /^p\.models\.a\/m\.cost\.output: must be a number/],
    ['a rate that is a truth value', cost({ input: true }), /^p\.models\.a\/m\.cost\.input: must be a number/],
    ['a rate below zero', cost({ cache_read: -0.1 }), /^p\.models\.a\/m\.cost\.cache_read: must not be negative$/],
    ['a rate out of reach', cost({ reasoning: 1e16 }), /^p\.models\.a\/m\.cost\.reasoning: must be between/],
    ['tiers that are no list', cost({ tiers: {} }), /^p\.models\.a\/m\.cost\.tiers: /],
    ['a tier that is not said', cost({ tiers: [{ input: 1 }] }), /^p\.models\.a\/m\.cost\.tiers\.0\.tier: /],
    [
      'a size that is no whole number',
      cost({ tiers: [{ input: 1, tier: { size: 0.5 } }] }),
      /^p\.models\.a\/m\.cost\.tiers\.0\.tier\.size: /,
    ],
    ['a long context below zero', cost({ context_over_200k: { input: -1 } }), /context_over_200k\.input: must not be/],
  ])('is refused for %s, with its place', (_label, table, message) => {
    expect(() => readModelPrices(table)).toThrow(message)
  })
})

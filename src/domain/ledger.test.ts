import { describe, expect, test } from 'vitest'
import { balance } from '../../test/build.ts'
import { amount } from './amount.ts'
import type { Rollover } from './balance.ts'
import { Journal } from './ledger.ts'

const one = { ...balance({ uid: 'cus_ent_1' }), entity: 'ent_desk' }
const rollover: Rollover = { uid: 'roll_1', remaining: 5n, used: 0n, held: 0n, expiresAt: null }
const journal = () => new Journal(7, 'evt_1')

describe('a line of the ledger', () => {
  test('says what changed, of what, why and when', () => {
    const book = journal()
    book.post('use', one, null, { amount: -3n, after: 2n })
    expect(book.postings).toEqual([
      {
        ...{ entity: 'ent_desk', feature: 'feat_messages', balance: 'cus_ent_1', rollover: null, kind: 'use' },
        ...{ amount: -3n, granted: 0n, held: 0n, remainingAfter: 2n, permit: null, cause: 'evt_1', at: 7 },
      },
    ])
  })

  test('names the rollover that it is about', () => {
    const book = journal()
    book.post('use', one, rollover, { amount: -3n, after: 2n })
    expect(book.postings.map((line) => line.rollover)).toEqual(['roll_1'])
  })

  test('that time itself brought has time for its cause, and its own instant', () => {
    const book = journal()
    book.post('reset', one, null, { amount: -3n, after: 2n, at: 0 })
    expect(book.postings).toMatchObject([{ cause: 'time', at: 0 }])
  })

  test('is left out where it changes nothing; a grant alone is a change', () => {
    const book = journal()
    book.post('use', one, null, { amount: 0n, after: 2n })
    book.post('adjust', one, null, { amount: 0n, granted: 0n, after: 2n })
    book.post('adjust', one, null, { amount: 0n, granted: 4n, after: 2n })
    expect(book.postings.map(({ granted }) => granted)).toEqual([4n])
  })

  test('keeps a permit only where it was needed', () => {
    const book = journal()
    book.post('use', one, null, { amount: -3n, after: -1n, permit: 'overflow' })
    book.post('use', one, null, { amount: -3n, after: 0n, permit: 'overflow' })
    expect(book.postings.map(({ permit }) => permit)).toEqual(['overflow', null])
  })
})

describe('below zero (law 2)', () => {
  type Sketch = Parameters<typeof balance>[0]
  type Entry = Parameters<Journal['post']>[3]
  const posted = (sketch: Sketch, entry: Entry) => journal().post('use', balance(sketch), null, entry)

  test('nothing is taken, and no grant moves, without a permit', () => {
    expect(() => posted({}, { amount: -1n, after: -1n })).toThrow('overspent')
    expect(() => posted({}, { amount: 0n, granted: 1n, after: -1n })).toThrow('overspent')
  })

  test.each<[string, Sketch, Entry]>([
    ['exactly to zero', {}, { amount: -amount('1'), after: 0n }],
    ['with a permit', {}, { amount: -1n, after: -1n, permit: 'overage' }],
    ['where something is given back to a debt', {}, { amount: 1n, after: -1n }],
    ['without limit', { granted: 'unlimited' }, { amount: -1n, after: -1n }],
  ])('but %s', (_label, sketch, entry) => {
    expect(() => posted(sketch, entry)).not.toThrow()
  })
})

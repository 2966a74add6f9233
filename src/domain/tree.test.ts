import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { changesBetween, Fold, get, set, type Tree, treeOf, valuesOf, without } from './tree.ts'

/** Found by trying: keys with one hash, and keys whose hashes differ only in their two highest bits. */
const ALIKE = ['ent_3pf8', 'ent_krj6'] as const
const NEARLY_ALIKE = ['ent_26eb', 'ent_2a44'] as const

/** What the tree is made of: how deep it goes, and how many keys at most share a leaf. */
function shape(tree: Tree<unknown>): { depth: number; together: number } {
  if (tree === null) return { depth: 0, together: 0 }
  if (tree.kind === 'leaf') return { depth: 1, together: tree.entries.length }
  const below = tree.slots.map(shape)
  return {
    depth: 1 + Math.max(...below.map(({ depth }) => depth)),
    together: Math.max(...below.map(({ together }) => together)),
  }
}

function setOneByOne(entries: Iterable<readonly [string, object]>): Tree<object> {
  let tree: Tree<object> = null
  for (const [key, value] of entries) tree = set(tree, key, value)
  return tree
}

test('keys with one hash share a leaf, and nearly equal ones the longest way down: else those below prove nothing', () => {
  expect(shape(treeOf(ALIKE.map((key) => [key, {}])))).toEqual({ depth: 1, together: 2 })
  expect(shape(treeOf(NEARLY_ALIKE.map((key) => [key, {}])))).toEqual({ depth: 8, together: 1 })
})

describe('whatever is done to it', () => {
  // Those with a common end have a common hash again.
  const keys = [
    ...ALIKE,
    ...ALIKE.map((key) => `${key}x`),
    ...NEARLY_ALIKE,
    ...NEARLY_ALIKE.map((key) => `${key}x`),
    ...Array.from({ length: 24 }, (_, i) => `ent_${i}`),
    '',
    'ä',
    '__proto__',
  ]
  const move = fc.record({ key: fc.constantFrom(...keys), away: fc.boolean() })

  interface Version {
    readonly tree: Tree<object>
    readonly map: ReadonlyMap<string, object>
  }

  function moved({ tree, map }: Version, { key, away }: { key: string; away: boolean }): Version {
    const copy = new Map(map)
    if (away) {
      copy.delete(key)
      return { tree: without(tree, key), map: copy }
    }
    const value = { of: key }
    return { tree: set(tree, key, value), map: copy.set(key, value) }
  }

  function expectTheSame({ tree, map }: Version): void {
    expect(keys.filter((key) => get(tree, key) !== map.get(key))).toEqual([])
    const values = [...valuesOf(tree)]
    expect(values.length).toBe(map.size)
    expect(new Set(values)).toEqual(new Set(map.values()))
  }

  test('holds what a plain map holds, and so does every version of before', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60, size: 'max' }), (moves) => {
        const versions: Version[] = [{ tree: null, map: new Map() }]
        for (const one of moves) versions.push(moved(versions.at(-1) ?? { tree: null, map: new Map() }, one))
        for (const version of versions) expectTheSame(version)
        // What becomes empty is nothing again, so that no empty branches pile up.
        for (const { tree, map } of versions) expect(tree === null).toBe(map.size === 0)
      }),
      { numRuns: 300 },
    )
  })

  test('tells what changed between any two versions, each change once', () => {
    const history = fc.array(move, { minLength: 1, maxLength: 40, size: 'max' })
    fc.assert(
      fc.property(history, fc.nat(), fc.nat(), (moves, i, j) => {
        const versions: Version[] = [{ tree: null, map: new Map() }]
        for (const one of moves) versions.push(moved(versions.at(-1) ?? { tree: null, map: new Map() }, one))
        const [before, now] = [versions[i % versions.length], versions[j % versions.length]]
        if (before === undefined || now === undefined) throw new Error('there are versions')
        const expected = keys.map((key) => [before.map.get(key), now.map.get(key)]).filter(([a, b]) => a !== b)
        const found = [...changesBetween(before.tree, now.tree)]
        expect(found.length).toBe(expected.length)
        for (const [a, b] of expected) expect(found.some(([x, y]) => x === a && y === b)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  test('has its values in an order that only its keys decide', () => {
    const some = fc.subarray(keys)
    const way = fc.infiniteStream(fc.nat())
    fc.assert(
      fc.property(some, way, way, (chosen, first, second) => {
        const order = (chance: Iterator<number>) => {
          const shuffled = chosen
            .map((key) => ({ key, at: chance.next().value ?? 0 }))
            .sort((a, b) => a.at - b.at)
            .map(({ key }) => [key, { of: key }] as const)
          return [...valuesOf(treeOf(shuffled))]
        }
        expect(order(first)).toEqual(order(second))
      }),
      { numRuns: 500 },
    )
  })

  test('made at once it is what setting one after the other makes, and setting something in it leaves it as it was', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...keys), { maxLength: 60, size: 'max' }),
        fc.constantFrom(...keys),
        (chosen, other) => {
          const entries = chosen.map((key, i) => [key, { of: key, i }] as const)
          const tree = treeOf<object>(entries)
          expect(tree).toEqual(setOneByOne(entries))
          set(tree, other, { of: other })
          without(tree, other)
          expect(tree).toEqual(setOneByOne(entries))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('a fold comes to what adding up a plain map comes to, for every version', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60, size: 'max' }), (moves) => {
        const lengths = new Fold<object, number>(
          0,
          (value) => ('of' in value ? String(value.of).length : 0) + 1,
          (a, b) => a + b,
        )
        let version: Version = { tree: null, map: new Map() }
        for (const one of moves) {
          version = moved(version, one)
          const expected = [...version.map.keys()].reduce((sum, key) => sum + key.length + 1, 0)
          expect(lengths.over(version.tree)).toBe(expected)
        }
      }),
      { numRuns: 300 },
    )
  })
})

test('setting what is there already keeps everything else the same object; taking away what is not there changes nothing', () => {
  const values = ALIKE.map((key) => [key, { of: key }] as const)
  const tree = treeOf<object>([...values, ['ent_1', {}]])
  expect(without(tree, 'ent_2')).toBe(tree)
  expect(without(null, 'ent_2')).toBeNull()
  const [[key, value] = ['', {}]] = values
  expect([...changesBetween(tree, set(tree, key, value))]).toEqual([])
})

test('what becomes empty is nothing again, and what is left stays', () => {
  for (const pair of [ALIKE, NEARLY_ALIKE]) {
    const [first, second] = pair
    const tree = treeOf<object>(pair.map((key) => [key, { of: key }]))
    const rest = without(tree, first)
    expect([get(rest, first), get(rest, second)]).toEqual([undefined, { of: second }])
    expect(without(rest, second)).toBeNull()
  }
})

describe('of ten thousand entries', () => {
  const tree = treeOf(Array.from({ length: 10_000 }, (_, i) => [`ent_${i}`, { n: i }]))

  test('a change copies a few nodes, finds what changed there alone, and adds up that part alone', () => {
    let looked = 0
    const sum = new Fold<object, number>(
      0,
      (value) => {
        looked += 1
        return 'n' in value ? Number(value.n) : 0
      },
      (a, b) => a + b,
    )
    expect(sum.over(tree)).toBe(49_995_000)
    expect(looked).toBe(10_000)
    const changed = set(tree, 'ent_77', { n: 0 })
    expect(sum.over(changed)).toBe(49_995_000 - 77)
    // Its neighbours on the same branch are looked at again.
    expect(looked).toBeLessThan(10_050)
    const before = looked
    expect(sum.over(tree)).toBe(49_995_000)
    expect(looked).toBe(before)
    expect([...changesBetween(tree, changed)]).toEqual([[{ n: 77 }, { n: 0 }]])
    expect(get(tree, 'ent_77')).toEqual({ n: 77 })
  })

  test('the ways to them are a few steps long on average', () => {
    const ways = (node: Tree<object>, steps: number): number[] => {
      if (node === null) return []
      return node.kind === 'leaf'
        ? [...node.entries].map(() => steps)
        : node.slots.flatMap((one) => ways(one, steps + 1))
    }
    const all = ways(tree, 0)
    expect(all.reduce((a, b) => a + b) / all.length).toBeLessThan(4)
  })
})

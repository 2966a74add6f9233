import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chance } from '../crash/chance.ts'
import { linearize, type Operation } from './checker.ts'
import { explainedByAnyOrder, simulate } from './histories.ts'
import { counter, type Input } from './model.ts'

/**
 * Histories as pictures: a row for each client and what it asked for, `[` where it asked and `]` where it was answered. Where
 * there is no `]` no answer came.
 */
type Row = readonly [picture: string, asked: string, answer?: string]

function history(...rows: readonly Row[]): Operation<Input>[] {
  return rows.map(([picture, asked, answer = null], i) => ({
    client: `client ${i}`,
    input: inputOf(asked),
    invoked: picture.indexOf('['),
    returned: picture.includes(']') ? picture.indexOf(']') : null,
    answer,
  }))
}

/** `take` is a track that takes all or is refused, `drain` one that takes what is there. */
function inputOf(text: string): Input {
  const [kind = '', number] = text.split(' ')
  const amount = Number(number ?? 1)
  switch (kind) {
    case 'create':
    case 'delete':
      return { kind }
    case 'grant':
    case 'add':
    case 'set':
      return { kind, amount }
    case 'check':
    case 'use':
    case 'hold':
      return { kind, required: amount }
    case 'finalize':
      return { kind, target: amount }
    default:
      return { kind: 'track', value: amount, behavior: kind === 'take' ? 'reject' : 'cap' }
  }
}

/** Someone who has 10 before anything else happens; two letters of a picture are gone by then. */
const TEN: readonly Row[] = [
  ['[]', 'create', 'nothing held'],
  ['  []', 'grant 10', 'done'],
]

function verdict(...rows: readonly Row[]) {
  return linearize(history(...TEN, ...rows.map(([picture, ...rest]) => [`    ${picture}`, ...rest] as const)), counter)
}

describe('what no order of the operations explains is refused:', () => {
  test.each<[name: string, rows: Row[]]>([
    [
      'a stale read',
      [
        ['[  ]', 'take 4', 'took 4, 6 of 10 left'],
        ['     [  ]', 'check', 'allowed, 10 of 10 left'],
      ],
    ],
    [
      'a lost update',
      [
        ['[    ]', 'take 4', 'took 4, 6 of 10 left'],
        ['  [    ]', 'take 3', 'took 3, 7 of 10 left'],
        ['         [  ]', 'check', 'allowed, 7 of 10 left'],
      ],
    ],
    [
      'two updates that saw the same',
      [
        ['[    ]', 'take 4', 'took 4, 6 of 10 left'],
        ['  [    ]', 'take 4', 'took 4, 6 of 10 left'],
      ],
    ],
    [
      'a use that counts twice',
      [
        ['[  ]', 'take 4', 'took 4, 6 of 10 left'],
        ['     [  ]', 'check', 'allowed, 2 of 10 left'],
      ],
    ],
    [
      'a use without an answer that counts twice',
      [
        ['[', 'take 4'],
        ['     [  ]', 'check', 'allowed, 2 of 10 left'],
      ],
    ],
    [
      'a refusal though enough was there',
      [
        ['[  ]', 'take 4', 'took 4, 6 of 10 left'],
        ['     [  ]', 'take 6', 'refused'],
      ],
    ],
    ['a denial though enough was there', [['[  ]', 'check 10', 'denied, 10 of 10 left']]],
    [
      'a use though nothing was left',
      [
        ['[  ]', 'take 10', 'took 10, 0 of 10 left'],
        ['     [  ]', 'take 1', 'took 1, -1 of 10 left'],
      ],
    ],
    [
      'a use that took more than was left',
      [
        ['[  ]', 'take 8', 'took 8, 2 of 10 left'],
        ['     [  ]', 'drain 5', 'took 5, 0 of 10 left'],
      ],
    ],
    [
      'a use that was allowed though nothing was left',
      [
        ['[  ]', 'take 10', 'took 10, 0 of 10 left'],
        ['     [  ]', 'use 1', 'allowed, 0 of 10 left'],
      ],
    ],
    [
      'an effect without an answer that is seen and then not',
      [
        ['[', 'take 4'],
        ['  [  ]', 'check', 'allowed, 6 of 10 left'],
        ['       [  ]', 'check', 'allowed, 10 of 10 left'],
      ],
    ],
    [
      'an effect before it was asked for',
      [
        ['[  ]', 'check', 'allowed, 6 of 10 left'],
        ['     [', 'take 4'],
      ],
    ],
    [
      'a read that goes back in time',
      [
        ['[               ]', 'take 4', 'took 4, 6 of 10 left'],
        ['  [  ]', 'check', 'allowed, 6 of 10 left'],
        ['       [  ]', 'check', 'allowed, 10 of 10 left'],
      ],
    ],
    [
      'a balance overspent by two at the same time',
      [
        ['[    ]', 'take 6', 'took 6, 4 of 10 left'],
        ['  [    ]', 'take 6', 'took 6, 4 of 10 left'],
      ],
    ],
    [
      'a balance overspent by two whose uses nobody saw',
      [
        ['[    ]', 'take 6', 'took 6, 4 of 10 left'],
        ['  [    ]', 'use 6', 'allowed, 4 of 10 left'],
        ['  [    ]', 'take 1', 'refused'],
      ],
    ],
    [
      'a deleted customer who is seen again',
      [
        ['[  ]', 'delete', 'done'],
        ['     [  ]', 'check', 'allowed, 10 of 10 left'],
      ],
    ],
    [
      'a deleted customer whose balance comes back with it',
      [
        ['[  ]', 'delete', 'done'],
        ['     [  ]', 'create', '10 of 10 left'],
      ],
    ],
    [
      'a customer that was deleted twice',
      [
        ['[    ]', 'delete', 'done'],
        ['  [    ]', 'delete', 'done'],
      ],
    ],
    [
      'a top-up that is lost',
      [
        ['[  ]', 'add 5', 'done'],
        ['     [  ]', 'check', 'allowed, 10 of 10 left'],
      ],
    ],
    [
      'a setting that is overtaken by what was before it',
      [
        ['[  ]', 'take 4', 'took 4, 6 of 10 left'],
        ['     [  ]', 'set 5', 'done'],
        ['          [  ]', 'check', 'allowed, 1 of 10 left'],
      ],
    ],
    ['a second grant under the same name', [['[  ]', 'grant 10', 'done']]],
    [
      'a hold that is seen late',
      [
        ['[  ]', 'hold 4', 'allowed, 6 of 10 left'],
        ['     [  ]', 'check', 'allowed, 10 of 10 left'],
      ],
    ],
    [
      'two locks under one id',
      [
        ['[    ]', 'hold 4', 'allowed, 6 of 10 left'],
        ['  [    ]', 'hold 4', 'allowed, 2 of 10 left'],
      ],
    ],
    [
      'a lock that is settled by two at the same time',
      [
        ['[  ]', 'hold 4', 'allowed, 6 of 10 left'],
        ['     [    ]', 'finalize 1', 'moved -3'],
        ['       [    ]', 'finalize 1', 'moved -3'],
      ],
    ],
    [
      'a lock that is not found though it is open',
      [
        ['[  ]', 'hold 4', 'allowed, 6 of 10 left'],
        ['     [  ]', 'finalize 0', 'no such lock'],
      ],
    ],
    [
      'what is settled above the hold beyond what is left',
      [
        ['[  ]', 'hold 4', 'allowed, 6 of 10 left'],
        ['     [  ]', 'finalize 12', 'moved 8'],
      ],
    ],
    [
      'a release that gives nothing back',
      [
        ['[  ]', 'hold 4', 'allowed, 6 of 10 left'],
        ['     [  ]', 'finalize 0', 'moved -4'],
        ['          [  ]', 'check', 'allowed, 6 of 10 left'],
      ],
    ],
    [
      'a first answer of all that is wrong, long before others that are right',
      [
        ['[  ]', 'take 1', 'took 1, 8 of 10 left'],
        ['     [  ]', 'take 1', 'took 1, 7 of 10 left'],
      ],
    ],
  ])('%s', (_, rows) => {
    expect(
      explainedByAnyOrder(history(...TEN, ...rows.map(([p, ...rest]) => [`    ${p}`, ...rest] as const)), counter),
    ).toBe(false)
    expect(verdict(...rows).kind).toBe('unexplained')
  })
})

describe('what some order explains is accepted:', () => {
  test.each<[name: string, rows: Row[]]>([
    ['nothing', []],
    [
      'one after another',
      [
        ['[  ]', 'take 4', 'took 4, 6 of 10 left'],
        ['     [  ]', 'check 7', 'denied, 6 of 10 left'],
        ['          [  ]', 'add 5', 'done'],
        ['               [  ]', 'drain 20', 'took 11, 0 of 10 left'],
        ['                    [  ]', 'take 1', 'refused'],
      ],
    ],
    [
      'locks one after another, under one id',
      [
        ['[  ]', 'hold 4', 'allowed, 6 of 10 left'],
        ['     [  ]', 'hold 1', 'locked already'],
        ['          [  ]', 'finalize 5', 'moved 1'],
        ['               [  ]', 'finalize 5', 'no such lock'],
        ['                    [  ]', 'hold 3', 'allowed, 2 of 10 left'],
        ['                         [  ]', 'finalize 0', 'moved -3'],
        ['                              [  ]', 'check', 'allowed, 5 of 10 left'],
      ],
    ],
    [
      'a lock that nobody was told of, and that was settled without an answer',
      [
        ['[', 'hold 4'],
        ['  [', 'finalize 1'],
        ['     [  ]', 'check', 'allowed, 9 of 10 left'],
      ],
    ],
    [
      'two that overlap, the first to ask first',
      [
        ['[    ]', 'take 6', 'took 6, 4 of 10 left'],
        ['  [    ]', 'take 6', 'refused'],
      ],
    ],
    [
      'two that overlap, the last to ask first',
      [
        ['[    ]', 'take 6', 'refused'],
        ['  [    ]', 'take 6', 'took 6, 4 of 10 left'],
      ],
    ],
    [
      'two that overlap, the last to be answered first',
      [
        ['[        ]', 'take 4', 'took 4, 6 of 10 left'],
        ['  [  ]', 'take 3', 'took 3, 3 of 10 left'],
      ],
    ],
    [
      'a read of what is not answered yet',
      [
        ['[        ]', 'take 4', 'took 4, 6 of 10 left'],
        ['  [  ]', 'check', 'allowed, 6 of 10 left'],
      ],
    ],
    [
      'a read of what was before what is not answered yet',
      [
        ['[        ]', 'take 4', 'took 4, 6 of 10 left'],
        ['  [  ]', 'check', 'allowed, 10 of 10 left'],
      ],
    ],
    [
      'one without an answer that took effect',
      [
        ['[', 'take 4'],
        ['     [  ]', 'check', 'allowed, 6 of 10 left'],
      ],
    ],
    [
      'one without an answer that took effect long after',
      [
        ['[', 'take 4'],
        ['     [  ]', 'check', 'allowed, 10 of 10 left'],
        ['          [  ]', 'check', 'allowed, 6 of 10 left'],
      ],
    ],
    [
      'one without an answer that never took effect',
      [
        ['[', 'take 4'],
        ['     [  ]', 'take 10', 'took 10, 0 of 10 left'],
      ],
    ],
    [
      'two without answers of which either took effect',
      [
        ['[', 'take 4'],
        ['[', 'take 3'],
        ['     [  ]', 'check', 'allowed, 7 of 10 left'],
        ['          [  ]', 'check', 'allowed, 3 of 10 left'],
      ],
    ],
    [
      'a deletion without an answer, and somebody new',
      [
        ['[', 'delete'],
        ['     [  ]', 'check', 'allowed, 10 of 10 left'],
        ['          [  ]', 'create', 'nothing held'],
        ['               [  ]', 'drain 3', 'took 0, nothing held'],
        ['                    [  ]', 'take 3', 'took 0, nothing held'],
        ['                         [  ]', 'use 3', 'denied, nothing held'],
      ],
    ],
    [
      'what meets nobody',
      [
        ['[  ]', 'delete', 'done'],
        ['     [  ]', 'take 4', 'no such customer'],
        ['     [  ]', 'delete', 'no such customer'],
        ['     [  ]', 'check', 'no such customer'],
        ['     [  ]', 'grant 4', 'no such customer'],
        ['          [  ]', 'create', 'nothing held'],
        ['               [  ]', 'set 4', 'no balance'],
      ],
    ],
    ['a grant that is there already', [['[  ]', 'grant 4', 'has one already']]],
  ])('%s', (_, rows) => {
    expect(
      explainedByAnyOrder(history(...TEN, ...rows.map(([p, ...rest]) => [`    ${p}`, ...rest] as const)), counter),
    ).toBe(true)
    expect(verdict(...rows).kind).toBe('explained')
  })
})

test('a refusal shows the window: the answer, what overlaps with it, and what could be before', () => {
  const found = verdict(
    ['[  ]', 'take 4', 'took 4, 6 of 10 left'],
    ['     [', 'take 2'],
    ['       [  ]', 'check', 'allowed, 5 of 10 left'],
    ['            [  ]', 'check', 'allowed, 6 of 10 left'],
  )
  expect(found.kind === 'unexplained' && found.explanation.split('\n')).toEqual([
    'up to here no order of the operations explains this answer:',
    '  11–14 client 4: check 1 → allowed, 5 of 10 left',
    'before it there may have been:',
    '  6 of 10 left',
    'at the same time, or without an answer so far:',
    '  9–… client 3: track 2 reject → no answer',
  ])
})

/** Small amounts, so that balances run dry and answers look alike. */
const input: fc.Arbitrary<Input> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('track'),
      value: fc.integer({ min: 1, max: 3 }),
      behavior: fc.constantFrom('cap', 'reject'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('check', 'use'), required: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('grant', 'add', 'set'), amount: fc.integer({ min: 0, max: 4 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hold'), required: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('finalize'), target: fc.integer({ min: 0, max: 4 }) }) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: 'create' }, { kind: 'delete' }) },
) as fc.Arbitrary<Input>

/** Histories that happened, from one customer that has four on. */
function happened(operations: number, clients: number, crash: number): fc.Arbitrary<Operation<Input>[]> {
  const course = { operations, clients, crash }
  return fc
    .tuple(fc.array(input, { minLength: operations, maxLength: operations }), fc.integer())
    .map(([inputs, seed]) => {
      const first: Input[] = [{ kind: 'create' }, { kind: 'grant', amount: 4 }]
      const begun = {
        ...counter,
        initial: first.reduce((state, one) => counter.step(state, one).state, counter.initial),
      }
      const left = [...inputs]
      return simulate(begun, { ...course, random: chance(seed), input: () => left.pop() ?? { kind: 'delete' } })
    })
}

const fromFour = { ...counter, initial: { balance: { granted: 4, remaining: 4 }, held: null } }

describe('property:', () => {
  test('what happened is always accepted, however much of it overlaps', () => {
    fc.assert(
      fc.property(happened(60, 12, 0.1), (one) => linearize(one, fromFour).kind === 'explained'),
      { numRuns: 300 },
    )
  })

  test('of few operations the verdict is that of trying every order, also when answers are exchanged or lost', () => {
    let refused = 0
    const tampered = fc.tuple(
      happened(6, 4, 0.15),
      fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 2 }),
      fc.option(fc.nat(5)),
    )
    fc.assert(
      fc.property(tampered, ([one, exchanged, lost]) => {
        const forged = [...one]
        for (const [a, b] of exchanged) {
          const [from, to] = [forged[a], forged[b]]
          if (from?.returned == null || to?.returned == null) continue
          forged[b] = { ...to, answer: from.answer }
        }
        const unanswered = lost === null ? undefined : forged[lost]
        if (lost !== null && unanswered !== undefined) forged[lost] = { ...unanswered, returned: null, answer: null }
        const explained = explainedByAnyOrder(forged, fromFour)
        if (!explained) refused += 1
        expect(linearize(forged, fromFour).kind).toBe(explained ? 'explained' : 'unexplained')
      }),
      { numRuns: 3000 },
    )
    expect(refused).toBeGreaterThan(300)
  })

  test('an answer that shows more than there ever was is always refused', () => {
    fc.assert(
      fc.property(happened(40, 8, 0.05), fc.nat(), (one, choice) => {
        const answered = one.flatMap(({ answer }, i) => (answer?.includes(' of ') === true ? [i] : []))
        fc.pre(answered.length > 0)
        const place = answered[choice % answered.length]
        const forged = one.map((each, i) =>
          i === place ? { ...each, answer: each.answer?.replace(/-?\d+ of/, '9999 of') ?? null } : each,
        )
        expect(linearize(forged, fromFour).kind).toBe('unexplained')
      }),
      { numRuns: 300 },
    )
  })
})

describe('two hundred operations of one customer are judged in few steps, of which a millisecond has a few hundred:', () => {
  test.each([
    { clients: 24, topUps: 0, crash: 0.03, most: 5_000 },
    { clients: 24, topUps: 0.1, crash: 0, most: 100_000 },
    { clients: 10, topUps: 0.1, crash: 0.03, most: 100_000 },
  ])('$clients at once, with top-ups $topUps, unanswered $crash', ({ clients, topUps, crash, most }) => {
    for (let seed = 0; seed < 10; seed++) {
      // The same in every run, because some histories take a hundred times as long as others.
      const random = chance(seed)
      const amount = () => 1 + Math.floor(random() * 3)
      const choose = (): Input => {
        const what = random()
        if (what < 0.2) return { kind: 'check', required: amount() }
        if (what < 0.2 + topUps) return { kind: 'add', amount: 5 }
        if (what < 0.4) return { kind: 'use', required: amount() }
        return { kind: 'track', value: amount(), behavior: what < 0.7 ? 'cap' : 'reject' }
      }
      const busy = simulate(fromFour, { clients, operations: 200, input: choose, random, crash })
      const { kind, steps } = linearize(busy, fromFour)
      expect(kind).toBe('explained')
      expect(steps).toBeLessThan(most)
    }
  })
})

/**
 * What one deduction costs inside of the process, with nothing around it: `node bench/deduction.ts`. Ten balances of a feature,
 * five of them with three rollovers each; a use that is paid by the first few, one that drains all, and one that is given back.
 */
import { ONE } from '../src/domain/amount.ts'
import { type Balance, UNMETERED } from '../src/domain/balance.ts'
import { applyMoves, deduct, USING } from '../src/domain/deduction.ts'
import { Journal } from '../src/domain/ledger.ts'
import { PAR } from '../src/domain/price.ts'

const ROUNDS = 200_000

const balances = Array.from(
  { length: 10 },
  (_, i): Balance => ({
    uid: `cus_ent_${i}`,
    id: null,
    feature: 'feat_1',
    entity: null,
    terms: { kind: 'finite', allowance: 100n * ONE },
    source: null,
    remaining: 100n * ONE,
    held: 0n,
    adjustment: 0n,
    seats: 0,
    metered: UNMETERED,
    reset: { interval: 'month', count: 1, anchor: 0, nextAt: 1e12 },
    renewedAt: null,
    rolloverPolicy: { cap: { kind: 'none' }, months: 3 },
    rollovers:
      i % 2 === 0
        ? []
        : [1, 2, 3].map((n) => ({
            uid: `roll_${i}_${n}`,
            remaining: 5n * ONE,
            used: 0n,
            held: 0n,
            expiresAt: n * 1e12,
          })),
    expiresAt: null,
    createdAt: i,
  }),
)
const candidates = balances.map((balance) => ({ balance, rate: PAR, mayOwe: 0n }))

for (const [name, units] of [
  ['a use of 3, paid by one rollover', 3n],
  ['a use of 90, paid by rollovers and a balance', 90n],
  ['a use of 1,075, which drains everything', 1075n],
  ['3 given back', -3n],
] as const) {
  const once = () => applyMoves(deduct(candidates, units * ONE, 'cap').moves, USING, new Journal(1, 'evt'))
  for (let i = 0; i < ROUNDS / 10; i++) once()
  // The processor's time, which other programs on the machine do not lengthen.
  const begun = process.cpuUsage()
  for (let i = 0; i < ROUNDS; i++) once()
  const { user, system } = process.cpuUsage(begun)
  const micros = (user + system) / ROUNDS
  process.stdout.write(`${name.padEnd(48)} ${micros.toFixed(2).padStart(6)} µs\n`)
}

import { randomInt } from 'node:crypto'

/** A new seed each time, or the one of an earlier run: its failure names it. */
export function newSeed(what: string): number {
  const given = process.env['GRANARY_TEST_SEED']
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given)
  console.log(`${what}: GRANARY_TEST_SEED=${seed} makes the same choices again`)
  return seed
}

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

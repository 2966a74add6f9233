const long = process.env['GRANARY_TEST_LONG'] === '1'
/** How many histories the first property runs; the others follow in proportion. */
const wanted = Number(process.env['GRANARY_TEST_HISTORIES'] ?? (long ? 20_000 : 5000))

/** @param ordinary how many histories of a property an ordinary run has. */
export function runs(ordinary: number): number {
  return Math.max(1, Math.round((ordinary * wanted) / 5000))
}

const long = process.env['GRANARY_TEST_LONG'] === '1'
const ORDINARY = 4000
/** How many histories the property with the model runs; the others follow in proportion. */
const wanted = Number(process.env['GRANARY_TEST_HISTORIES'] ?? (long ? 4 * ORDINARY : ORDINARY))

/** @param ordinary how many histories of a property an ordinary run has. */
export function runs(ordinary: number): number {
  return Math.max(1, Math.round((ordinary * wanted) / ORDINARY))
}

/** Long histories on a busy machine take their time. */
export const PATIENCE_MS = 1_800_000

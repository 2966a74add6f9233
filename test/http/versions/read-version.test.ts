import { expect, test } from 'vitest'
import { readVersion, VERSIONS } from '../../../src/http/versions/version.ts'

test.each([
  // Nothing: the newest (B15).
  [undefined, '2.4'],
  ['', '2.4'],
  // Names.
  ['2.4', '2.4'],
  ['2.3', '2.3'],
  ['2.2', '2.2'],
  ['2.1', '2.1'],
  ['2.0', '2.0'],
  ['beta', 'beta'],
  ['1.2', '1.2'],
  // All three parts, and only the first.
  ['2.4.0', '2.4'],
  ['2.1.0', '2.1'],
  ['2.0.0', '2.0'],
  ['1.2.0', '1.2'],
  ['2', '2.0'],
  // Dates.
  ['2026-05-13', '2.3'],
  ['2026-03-18', '2.2'],
  ['2026-03-17', '2.1'],
  ['2026-03-16', '2.0'],
  ['2025-06-01', 'beta'],
  ['2025-05-05', '1.2'],
  ['2025-04-17', 'not_served'],
  ['2025-04-01', 'not_served'],
  ['2025-02-01', 'not_served'],
  ['2026-03-16.clover', '2.0'],
  ['2025-05-05.clover', '1.2'],
  ['2025-04-17.clover', 'not_served'],
  // From before versions had names.
  ['1.4', 'beta'],
  ['1', 'not_served'],
  // Known, and not served.
  ['1.1', 'not_served'],
  ['1.1.0', 'not_served'],
  ['0.2', 'not_served'],
  ['0.1', 'not_served'],
  // Space around it is no part of a header's value.
  [' 2.0 ', '2.0'],
  // Anything else.
  ['2.9', 'unknown'],
  ['3', 'unknown'],
  ['1.3', 'unknown'],
  ['1.0', 'unknown'],
  ['1.4.0', 'unknown'],
  ['2.1.1', 'unknown'],
  ['2.1.0.0', 'unknown'],
  ['v2.1', 'unknown'],
  ['2026-03-19', 'unknown'],
  ['Beta', 'unknown'],
  ['not_served', 'unknown'],
  ['constructor', 'unknown'],
  ['.clover', 'unknown'],
])('B13, B14, K4: %o is read as %s', (header, version) => {
  expect(readVersion(header)).toBe(version)
})

test('B14: versions are listed oldest first', () => {
  expect(VERSIONS).toEqual(['1.2', 'beta', '2.0', '2.1', '2.2', '2.3', '2.4'])
})

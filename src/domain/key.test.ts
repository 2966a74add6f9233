import { expect, test } from 'vitest'
import { environmentOfKey } from './key.ts'

test.each([
  // key                    environment
  ['am_sk_test_a-Z_0', 'sandbox'],
  ['am_sk_live_a-Z_0', 'live'],
  ['am_sk_live_', null],
  ['am_sk_prod_abc', null],
  ['am_pk_test_abc', null],
  ['xam_sk_test_abc', null],
  ['am_sk_test_abc!', null],
  ['am_sk_test_!abc', null],
  ['am_sk_test_abc\n', null],
  ['', null],
])('%j is a key of: %s (B10)', (key, environment) => {
  expect(environmentOfKey(key)).toBe(environment)
})

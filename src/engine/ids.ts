import { randomFillSync } from 'node:crypto'
import type { IdPrefix, Instant } from '../domain/time.ts'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const TIME_DIGITS = 10
const RANDOM_DIGITS = 16

/**
 * Identifiers such as `evt_01k9…`: the time, then 80 random bits. Those of one millisecond count up from one random number,
 * so they sort in order of creation and two processes still never meet.
 */
export function idGenerator(clock: () => Instant): (prefix: IdPrefix) => string {
  let instant = -1
  let time = ''
  const digits = new Uint8Array(RANDOM_DIGITS)
  // Asking the system for a few bytes a thousand times a second costs more than asking once for all of them.
  const pool = new Uint8Array(RANDOM_DIGITS * 256)
  let used = pool.length
  return (prefix) => {
    const now = clock()
    // A clock that steps back must not make later ids sort before earlier ones.
    if (now > instant) {
      instant = now
      time = timeDigits(now)
      if (used === pool.length) {
        randomFillSync(pool)
        used = 0
      }
      for (let i = 0; i < RANDOM_DIGITS; i++) digits[i] = (pool[used++] ?? 0) & 31
      // Room to count up without overflow.
      digits[0] = (digits[0] ?? 0) & 15
    } else increment(digits)
    let text = `${prefix}_${time}`
    for (const digit of digits) text += ALPHABET[digit]
    return text
  }
}

function increment(digits: Uint8Array): void {
  for (let i = digits.length - 1; i >= 0; i--) {
    const digit = (digits[i] ?? 0) + 1
    digits[i] = digit & 31
    if (digit < 32) return
  }
}

function timeDigits(instant: Instant): string {
  let text = ''
  for (let rest = instant, i = 0; i < TIME_DIGITS; i++) {
    text = ALPHABET[rest % 32] + text
    rest = Math.floor(rest / 32)
  }
  return text
}

import * as z from 'zod'
import { readSpan } from '../../domain/time.ts'
import { id, instant } from './scalars.ts'

const span = z.string().transform((value, ctx) => {
  const read = readSpan(value)
  if (read !== null && read.count > 0) return read
  ctx.addIssue({ code: 'custom', message: 'must be a length of time such as 31d, 12h, 90m, 30s, 2w, 1mo or 1y' })
  return z.NEVER
})

export const advanceClockInput = z
  .object({ by: span.optional(), to: instant.optional() })
  .transform(({ by, to }, ctx) => {
    if (by !== undefined && to === undefined) return { by }
    if (to !== undefined && by === undefined) return { to }
    ctx.addIssue({
      code: 'custom',
      message: 'either by (such as "31d") or to (Unix milliseconds) is needed, and not both',
    })
    return z.NEVER
  })

export const advanceCustomerClockInput = z.object({ customer_id: id, frozen_time: instant })

import { advanceClock, type ClockView, getClock } from '../../operations/clock.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { advanceClockInput } from '../wire/clock.ts'
import { nothingInput } from '../wire/features.ts'
import type { WireObject } from '../wire/wire.ts'

export const clock: readonly Endpoint[] = [
  endpoint({
    operation: 'clock.get',
    shape: 'other',
    input: nothingInput,
    kind: 'read',
    run: (context) => getClock(context),
    show: showClock,
  }),
  endpoint({
    operation: 'clock.advance',
    shape: 'other',
    input: advanceClockInput,
    kind: 'write',
    run: (context, input) => advanceClock(context, input),
    show: showClock,
  }),
]

function showClock({ env, now, ahead }: ClockView): WireObject {
  return { env, now, ahead_ms: ahead }
}

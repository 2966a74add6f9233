import type { Entry } from './holdings-cache.ts'

/** Commands that may wait for one customer, and for all. Beyond that `overloaded`, never unbounded memory. */
export interface Room {
  readonly waitingPerCustomer: number
  readonly waitingInAll: number
}

/**
 * Whether all of several commands may wait, or none. What is larger than a limit by itself finds room where nothing waits: it
 * would never find more.
 * @param lanes of each command one: several commands of one customer are as many times the same.
 * @param waiting how many commands wait already.
 */
export function hasRoom(lanes: readonly Entry[], waiting: number, room: Room): boolean {
  const { waitingPerCustomer, waitingInAll } = room
  if (waiting > 0 && waiting + lanes.length > waitingInAll) return false
  const fits = ({ waiting: there }: Entry, more: number) =>
    there.length === 0 || there.length + more <= waitingPerCustomer
  const [only, another] = lanes
  // Nearly every request is one command.
  if (only !== undefined && another === undefined) return fits(only, 1)
  const perLane = new Map<Entry, number>()
  for (const lane of lanes) perLane.set(lane, (perLane.get(lane) ?? 0) + 1)
  return perLane.entries().every(([lane, more]) => fits(lane, more))
}

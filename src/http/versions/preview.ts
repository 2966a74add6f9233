import type { Wire, WireObject } from '../wire/wire.ts'
import { type Change, listOf, orNull } from './values.ts'

/** A preview of billing with every line of it changed, and every plan that comes or goes. */
export function previewWith(value: WireObject, line: Change, plan: Change): WireObject {
  const lines = (list: Wire | undefined) => listOf(list).map(line)
  return {
    ...value,
    line_items: lines(value['line_items']),
    next_cycle: orNull(value['next_cycle'], (cycle) => ({
      ...cycle,
      line_items: lines(cycle['line_items']),
      usage_line_items: lines(cycle['usage_line_items']),
    })),
    incoming: listOf(value['incoming']).map(plan),
    outgoing: listOf(value['outgoing']).map(plan),
  }
}

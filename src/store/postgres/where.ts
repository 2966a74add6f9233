import { attachedCondition } from '../plan-rows.ts'
import type { CustomerQuery, EntityQuery } from '../store.ts'

/** A condition that is put together, with its values; each `?` becomes the number of its value. */
export class Where {
  text: string
  readonly values: unknown[] = []

  constructor(condition: string, ...values: unknown[]) {
    this.text = this.with(condition, ...values)
  }

  and(condition: string, ...values: unknown[]): void {
    this.also(this.with(condition, ...values))
  }

  /** @param condition whose values have their numbers already. */
  also(condition: string): void {
    this.text += ` and ${condition}`
  }

  /** Upper and lower case as in all of Unicode, whatever the language of the database. */
  andMentions(columns: readonly string[], search: string): void {
    const place = this.with('?', search.toLowerCase())
    const mentions = columns.map((column) => `strpos(lower(${column} collate "und-x-icu"), ${place}) > 0`)
    this.also(`(${mentions.join(' or ')})`)
  }

  andAttached(table: 'customers' | 'entities', query: CustomerQuery | EntityQuery): void {
    const attached = attachedCondition(table, query)
    if (attached !== null) this.and(attached.condition, ...attached.values)
  }

  /** @returns the condition with its values numbered. */
  with(condition: string, ...values: unknown[]): string {
    let i = 0
    return condition.replace(/\?/g, () => `$${this.values.push(values[i++])}`)
  }
}

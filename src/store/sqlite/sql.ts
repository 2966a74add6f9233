import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { SqlRow, SqlValue } from '../rows.ts'

/** Statements of one connection, each prepared once. */
export class Sql {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  transaction<T>(work: () => T): T {
    this.#db.exec('begin immediate')
    try {
      const result = work()
      this.#db.exec('commit')
      return result
    } catch (error) {
      // A failed commit has rolled back by itself in some cases; then there is nothing left to roll back.
      if (this.#db.isTransaction) this.#db.exec('rollback')
      throw error
    }
  }

  run(sql: string, values: readonly SqlValue[]): number {
    return Number(this.#statement(sql).run(...values).changes)
  }

  insert(sql: string, values: readonly SqlValue[]): number {
    return Number(this.#statement(sql).run(...values).lastInsertRowid)
  }

  get(sql: string, values: readonly SqlValue[]): SqlRow | undefined {
    return this.#statement(sql).get(...values) as SqlRow | undefined
  }

  all(sql: string, values: readonly SqlValue[]): SqlRow[] {
    return this.#statement(sql).all(...values) as SqlRow[]
  }

  /** One row after another, so that all of them need not be in memory at once. Not to be nested in itself. */
  each(sql: string, values: readonly SqlValue[]): Iterable<SqlRow> {
    return this.#statement(sql).iterate(...values) as Iterable<SqlRow>
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { SqlRow, SqlValue } from '../cells.ts'

/** Statements of one connection, each prepared once. */
export class Sql {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  #see: See = () => {}

  constructor(db: DatabaseSync) {
    this.#db = db
    db.aggregate('seen', {
      start: null,
      step: (_, a, b, c, d, e, f, g) => {
        this.#see(...([a, b, c, d, e, f, g] as SeenCells))
        return null
      },
    })
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

  /**
   * Shows each row to `see`, without making objects of rows, which takes three times as long (measured).
   * @param sql a query for `seen(…)` of the seven cells that are to be shown.
   */
  show(sql: string, values: readonly SqlValue[], see: See): void {
    this.#see = see
    this.get(sql, values)
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

type SeenCells = [SqlValue, SqlValue, SqlValue, SqlValue, SqlValue, SqlValue, SqlValue]
type See = (...cells: SeenCells) => void

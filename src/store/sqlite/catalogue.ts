import type { SqlValue } from '../cells.ts'
import { PLAN_COLUMNS, planFromRow } from '../plan-rows.ts'
import { FEATURE_COLUMNS, featureFromRow } from '../rows.ts'
import type { FeatureUse, PlanUse, StoredCatalogue } from '../store.ts'
import type { CatalogueRows, EncodedCatalogueChange } from './protocol.ts'
import type { Sql } from './sql.ts'

/** What all customers of an environment share, in the file. */

export function loadCatalogue(sql: Sql, env: string): CatalogueRows {
  const row = sql.get('select version, clock_ahead from catalogues where env = ?', [env])
  // Primary keys (env, uid); `position` keeps the order of creation.
  const listed = (table: 'features' | 'plans', columns: readonly string[]) =>
    sql.all(`select ${columns.join(', ')} from ${table} where env = ? order by position`, [env])
  return {
    version: Number(row?.['version'] ?? 0),
    clockAhead: Number(row?.['clock_ahead'] ?? 0),
    features: listed('features', FEATURE_COLUMNS),
    plans: listed('plans', PLAN_COLUMNS),
  }
}

export function catalogueFromRows({ features, plans, ...rest }: CatalogueRows): StoredCatalogue {
  return { ...rest, features: features.map(featureFromRow), plans: plans.map(planFromRow) }
}

export function writeCatalogue(sql: Sql, change: EncodedCatalogueChange, version: number): void {
  const { env, written, removed, plansWritten, plansRemoved, clockAhead } = change
  sql.run(
    `insert into catalogues (env, version, clock_ahead) values (?, ?, ?)
     on conflict (env) do update set version = excluded.version, clock_ahead = excluded.clock_ahead`,
    [env, version, clockAhead],
  )
  if (removed !== null) sql.run('delete from features where env = ? and uid = ?', [env, removed])
  if (written !== null) sql.run(WRITE_FEATURE, [env, version, ...written])
  if (plansWritten.length > 0) {
    const last = Number(sql.get('select max(position) as last from plans where env = ?', [env])?.['last'] ?? 0)
    for (const [i, plan] of plansWritten.entries()) sql.run(WRITE_PLAN, [env, last + 1 + i, ...plan])
  }
  for (const uid of plansRemoved) sql.run('delete from plans where env = ? and uid = ?', [env, uid])
}

/** The joins leave out what a deleted customer left behind. */
export function isUsed(sql: Sql, use: FeatureUse | PlanUse, now: number): boolean {
  const any = (query: string, values: readonly SqlValue[]) => sql.get(`${query} limit 1`, values) !== undefined
  if (use.kind === 'plan') {
    const had = `select 1 from attachments join customers on key = customer where plan = ?${use.ever ? '' : " and status <> 'ended'"}`
    // Along attachments_by_plan.
    return use.plans.some((plan) => any(had, [plan]))
  }
  // These read the whole tables: features change so seldom that an index which every grant must write would cost more.
  const held = `
    select 1 from balances join customers on key = customer where feature = ? and (expires_at is null or expires_at > ?)`
  if (use.balances && any(held, [use.feature, now])) return true
  return use.entities && any('select 1 from entities join customers on key = customer where feature = ?', [use.feature])
}

const WRITE_FEATURE = `
  insert into features (env, position, ${FEATURE_COLUMNS.join(', ')}) values (?, ?${', ?'.repeat(FEATURE_COLUMNS.length)})
  on conflict (env, uid) do update set ${FEATURE_COLUMNS.map((column) => `${column} = excluded.${column}`).join(', ')}`

/** What is there already keeps its place. */
const WRITE_PLAN = `
  insert into plans (env, position, ${PLAN_COLUMNS.join(', ')}) values (?, ?${', ?'.repeat(PLAN_COLUMNS.length)})
  on conflict (env, uid) do update set ${PLAN_COLUMNS.map((column) => `${column} = excluded.${column}`).join(', ')}`

import { randomUUID } from 'node:crypto'
import pg from 'pg'
import type { Environment } from '../../src/domain/customer.ts'
import { MIGRATIONS } from '../../src/store/postgres/migrations.ts'

/** What a process of the first version says of a customer who is there. */
export interface OlderChange {
  readonly env: Environment
  readonly uid: string
  readonly expected: number
  readonly postingsBefore: number
  /** Keys that must not be known, and are then. */
  readonly keys?: readonly string[]
}

/** A process that was started before the second step of the schema, and goes on calling `granary_commit_1`. */
export interface OlderProcess {
  /** Posts 1 of the balance `cus_ent_1` for each. @returns a letter for each change: committed, conflict (x), known. */
  commit(at: number, changes: readonly OlderChange[]): Promise<string>
  close(): Promise<void>
}

/** Makes the schema of an older version in an empty database, by its first steps. */
export async function makeSchema(client: pg.Client, steps: number): Promise<void> {
  await client.query(`create table schema_steps (step integer primary key, taken_at timestamptz not null default now());
    ${MIGRATIONS.slice(0, steps).join(';')}; insert into schema_steps (step) select generate_series(1, ${steps})`)
}

export async function openOlderProcess(url: string): Promise<OlderProcess> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  const { rows } = await client.query<{ name: string }>(
    "select unnest(proargnames) as name from pg_proc where proname = 'granary_commit_1'",
  )
  const names = rows.map(({ name }) => name)
  const text = `select granary_commit_1(${names.map((name, i) => `${name} => $${i + 1}`).join(', ')}) as results`
  const writer = randomUUID()
  let seq = 0
  return {
    async commit(at, changes) {
      const bucket = Math.floor(at / 43_200_000)
      const each = <T>(value: T | ((change: OlderChange, i: number) => T)) =>
        changes.map((change, i) => (value instanceof Function ? value(change, i) : value))
      const number = (_: OlderChange, i: number) => i + 1
      const keys = changes.flatMap(({ keys: hashes = [] }, i) => hashes.map((hash) => ({ change: i + 1, hash })))
      seq += 1
      const values: Record<string, unknown> = {
        ...{ p_writer: writer, p_seq: seq, p_at: at, p_buckets: [bucket, bucket - 1, bucket - 2] },
        ...{ p_env: each(({ env }) => env), p_uid: each(({ uid }) => uid), p_slot: each(number), p_kind: each(1) },
        ...{ p_expected: each(({ expected }) => expected), p_catalogue: each(0), p_latest: each(at) },
        ...{ p_postings: each(({ postingsBefore }) => postingsBefore + 1), s_uid: each(({ uid }) => uid) },
        ...{ q_change: keys.map(({ change }) => change), q_hash: keys.map(({ hash }) => hash) },
        ...{ l_change: each(number), l_seq: each(({ postingsBefore }) => postingsBefore), l_entity: each(null) },
        ...{
          l_feature: each('feat_messages'),
          l_balance: each('cus_ent_1'),
          l_rollover: each(null),
          l_kind: each('grant'),
        },
        ...{ l_amount: each('1'), l_granted: each('1'), l_remaining_after: each('1'), l_permit: each(null) },
        ...{ l_cause: each('test'), l_at: each(at) },
        ...{ k_change: keys.map(({ change }) => change), k_hash: keys.map(({ hash }) => hash) },
        ...{ k_fingerprint: keys.map(() => 'older'), k_answer: keys.map(() => '"older"') },
      }
      const result = await client.query<{ results: string }>(
        text,
        names.map((name) => values[name] ?? []),
      )
      return (JSON.parse(result.rows[0]?.results ?? '') as { kinds: string }).kinds
    },
    close: () => client.end(),
  }
}

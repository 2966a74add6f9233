import type { Invocation } from './cli/arguments.ts'
import type { Environment } from './domain/customer.ts'
import { environmentOfKey } from './domain/key.ts'
import { type Retention, type RetentionAsWritten, readRetention } from './domain/retention.ts'
import { LOG_LEVELS, type LogLevel } from './log.ts'

/** Everything that can be set, validated once. Each has its default and unit here, and its line in README.md. */
export interface Config {
  /** PORT, --port. Default 4747; 0 lets the system choose. */
  readonly port: number
  /** HOST, --host. Default 127.0.0.1: reachable from this machine only. */
  readonly host: string
  readonly store: StoreConfig
  /** GRANARY_SECRET_KEY. Default none. Valid beside those that the store already knows. */
  readonly secretKey: { readonly key: string; readonly env: Environment } | null
  /** GRANARY_IDEMPOTENCY. Default replay. */
  readonly idempotency: 'replay' | 'reject'
  /**
   * GRANARY_IDEMPOTENCY_RETENTION: a length of time such as 72h, from 1h to 30d. Default 24h.
   * GRANARY_EVENT_RETENTION: a length of time such as 400d, from 1d on. Default for ever.
   * GRANARY_DELETED_CUSTOMERS. Default erase.
   */
  readonly retention: Retention
  /** GRANARY_READS. Default linearizable. */
  readonly reads: 'linearizable' | 'local'
  /** GRANARY_HTTP_FAST_PATH. Default on. */
  readonly fastPath: 'on' | 'off'
  /** GRANARY_MODEL_PRICES. A JSON file. Default none. */
  readonly modelPrices: string | null
  /** LOG_LEVEL. Default info. */
  readonly logLevel: LogLevel
}

export type StoreConfig =
  /** GRANARY_DATA_DIR, --data-dir. Default ./data. */
  { readonly kind: 'folder'; readonly dataDir: string } | DatabaseConfig

export interface DatabaseConfig {
  readonly kind: 'postgres'
  /** DATABASE_URL. It goes before GRANARY_DATA_DIR. */
  readonly url: string
  /** DATABASE_POOL_SIZE. Connections at the most. Default 10. */
  readonly connections: number
}

/** A setting that cannot be used, in a sentence that says what to do. */
class BadSetting extends Error {
  override name = 'BadSetting'
}

type Variables = Readonly<Record<string, string | undefined>>

/** @throws BadSetting. Nothing has been created or locked by then. */
export function readConfig(variables: Variables, invocation: Extract<Invocation, { kind: 'serve' }>): Config {
  const set = setIn(variables)
  return {
    port: portOf(invocation.port ?? set('PORT') ?? '4747'),
    host: invocation.host ?? set('HOST') ?? '127.0.0.1',
    store: storeOf(variables, invocation.dataDir),
    secretKey: secretKeyOf(set('GRANARY_SECRET_KEY')),
    idempotency: oneOf('GRANARY_IDEMPOTENCY', set('GRANARY_IDEMPOTENCY') ?? 'replay', ['replay', 'reject']),
    retention: retentionOf(set),
    reads: oneOf('GRANARY_READS', set('GRANARY_READS') ?? 'linearizable', ['linearizable', 'local']),
    fastPath: oneOf('GRANARY_HTTP_FAST_PATH', set('GRANARY_HTTP_FAST_PATH') ?? 'on', ['on', 'off']),
    modelPrices: set('GRANARY_MODEL_PRICES') ?? null,
    logLevel: oneOf('LOG_LEVEL', set('LOG_LEVEL') ?? 'info', LOG_LEVELS),
  }
}

/** The database that DATABASE_URL names, or null. @throws BadSetting */
export function readDatabase(variables: Variables): DatabaseConfig | null {
  const set = setIn(variables)
  const url = set('DATABASE_URL')
  if (url === undefined) return null
  // The value itself is not told: it may hold a password.
  if (!/^postgres(ql)?:\/\/./.test(url) || !URL.canParse(url)) {
    throw new BadSetting('DATABASE_URL must look like postgres://user:password@host:5432/database')
  }
  const connections = Number(set('DATABASE_POOL_SIZE') ?? '10')
  if (!Number.isInteger(connections) || connections < 3 || connections > 1000) {
    throw new BadSetting('DATABASE_POOL_SIZE must be a number from 3 to 1000: how many connections to open at the most')
  }
  return { kind: 'postgres', url, connections }
}

function storeOf(variables: Variables, dataDir: string | undefined): StoreConfig {
  const database = readDatabase(variables)
  if (database !== null && dataDir !== undefined) {
    throw new BadSetting(
      'DATABASE_URL is set, and --data-dir too: leave out --data-dir to use the database, or unset DATABASE_URL to use the folder',
    )
  }
  return database ?? { kind: 'folder', dataDir: dataDir ?? setIn(variables)('GRANARY_DATA_DIR') ?? './data' }
}

const RETENTION_SETTINGS = {
  idempotencyKeys: 'GRANARY_IDEMPOTENCY_RETENTION',
  events: 'GRANARY_EVENT_RETENTION',
  deletedCustomers: 'GRANARY_DELETED_CUSTOMERS',
} as const satisfies Record<keyof RetentionAsWritten, string>

function retentionOf(set: (name: string) => string | undefined): Retention {
  const { idempotencyKeys, events, deletedCustomers } = RETENTION_SETTINGS
  const read = readRetention({
    idempotencyKeys: set(idempotencyKeys),
    events: set(events),
    deletedCustomers: set(deletedCustomers)?.toLowerCase(),
  })
  if ('problem' in read) throw new BadSetting(`${RETENTION_SETTINGS[read.part]} ${read.problem}`)
  return read
}

/** What is empty is not set. */
function setIn(variables: Variables) {
  return (name: string) => (variables[name] === '' ? undefined : variables[name])
}

function portOf(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw new BadSetting(`PORT is "${text}": it must be a number from 0 to 65535`)
}

function secretKeyOf(text: string | undefined): Config['secretKey'] {
  if (text === undefined) return null
  const env = environmentOfKey(text)
  if (env !== null) return { key: text, env }
  throw new BadSetting(
    'GRANARY_SECRET_KEY must start with am_sk_test_ (sandbox) or am_sk_live_ (live) and go on with letters and digits',
  )
}

function oneOf<T extends string>(name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === text.toLowerCase())
  if (found === undefined) throw new BadSetting(`${name} is "${text}": it must be one of ${allowed.join(', ')}`)
  return found
}

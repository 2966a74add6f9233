import { parseArgs } from 'node:util'

/** What the command line asks for. */
export type Invocation =
  | { readonly kind: 'serve'; readonly port?: string; readonly host?: string; readonly dataDir?: string }
  | ClockInvocation
  | { readonly kind: 'verify'; readonly dataDir?: string }
  | { readonly kind: 'migrate' }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'mistake'; readonly message: string; readonly exitCode: number }

/** `granary clock [get]`, or `granary clock advance` by a length of time or to an instant. */
export interface ClockInvocation {
  readonly kind: 'clock'
  /** Null only looks. */
  readonly advance: string | null
  /** One customer's clock instead of the environment's. */
  readonly customer?: string
  readonly url?: string
}

export const HELP = `Usage: granary [serve] [options]
       granary clock [get | advance <time>] [--customer <id>] [--url <address>]
       granary verify [--data-dir <folder>]
       granary migrate

serve starts the server. Every option has a setting in the environment; the option wins.

  --port <number>      port to listen on            PORT               default 4747
  --host <address>     address to listen on         HOST               default 127.0.0.1
  --data-dir <folder>  where the store lives        GRANARY_DATA_DIR   default ./data
                       or a PostgreSQL database     DATABASE_URL       postgres://user:password@host:5432/database

clock shows or moves the clock of a running server's sandbox. <time> is a length of time (31d, 12h, 90m, 30s, 2w, 1mo,
1y) or an instant (2027-01-31T10:00:00Z). Clocks only move forward, and only in the sandbox.

  --customer <id>      this customer's clock alone
  --url <address>      where the server listens     GRANARY_URL        default http://127.0.0.1:4747
                       its secret key               GRANARY_SECRET_KEY

verify proves the books of a store, also while a server is using it: every balance follows from its ledger, and nothing
belongs to nobody. It changes nothing. It exits with 0 when all is well, 1 when something is wrong, 2 when it could not look.

  --data-dir <folder>  where the store lives        GRANARY_DATA_DIR   default ./data
                       or a PostgreSQL database     DATABASE_URL

migrate brings the tables of DATABASE_URL up to date, which the server also does when it starts.

  --help               this text
  --version            the version

More settings: GRANARY_IDEMPOTENCY, GRANARY_IDEMPOTENCY_RETENTION, GRANARY_EVENT_RETENTION, GRANARY_DELETED_CUSTOMERS,
LOG_LEVEL, DATABASE_POOL_SIZE. See README.md.
`

/** The exit code of `granary verify` when it could not look; 1 would say that the books are wrong. */
export const COULD_NOT_LOOK = 2

/** @param args what follows the program's name. */
export function readArguments(args: readonly string[]): Invocation {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        port: { type: 'string' },
        host: { type: 'string' },
        'data-dir': { type: 'string' },
        customer: { type: 'string' },
        url: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    })
    if (values.help === true) return { kind: 'help' }
    if (values.version === true) return { kind: 'version' }
    const [command = 'serve', ...rest] = positionals
    const { port, host, customer, url, 'data-dir': dataDir } = values
    if (command === 'clock') {
      if (port !== undefined || host !== undefined || dataDir !== undefined) {
        return mistake('--port, --host and --data-dir are for granary serve; say with --url which server is meant')
      }
      return readClock(rest, { ...(customer === undefined ? {} : { customer }), ...(url === undefined ? {} : { url }) })
    }
    if (command === 'verify') {
      const others = [port, host, customer, url].some((option) => option !== undefined)
      if (others) return mistake('granary verify has no other option than --data-dir', COULD_NOT_LOOK)
      if (rest[0] !== undefined) return mistake(`unexpected argument "${rest[0]}": try granary --help`, COULD_NOT_LOOK)
      return { kind: 'verify', ...(dataDir === undefined ? {} : { dataDir }) }
    }
    if (command !== 'serve' && command !== 'migrate') {
      return mistake(`unknown command "${command}": try granary --help`)
    }
    if (rest[0] !== undefined) return mistake(`unexpected argument "${rest[0]}": try granary --help`)
    if (command === 'migrate') {
      const given = Object.values(values).some((value) => value !== undefined)
      return given ? mistake('granary migrate takes no options: it reads DATABASE_URL') : { kind: 'migrate' }
    }
    if (customer !== undefined || url !== undefined) return mistake('--customer and --url are for granary clock')
    return {
      kind: 'serve',
      ...(port === undefined ? {} : { port }),
      ...(host === undefined ? {} : { host }),
      ...(dataDir === undefined ? {} : { dataDir }),
    }
  } catch (error) {
    const message = `${error instanceof Error ? error.message : String(error)}: try granary --help`
    return mistake(message, args.includes('verify') ? COULD_NOT_LOOK : 1)
  }
}

function readClock(words: readonly string[], options: Pick<ClockInvocation, 'customer' | 'url'>): Invocation {
  const [verb = 'get', time, extra] = words
  if (verb !== 'get' && verb !== 'advance') return mistake(`unknown command "clock ${verb}": try granary --help`)
  const unexpected = verb === 'get' ? time : extra
  if (unexpected !== undefined) return mistake(`unexpected argument "${unexpected}": try granary --help`)
  if (verb === 'get') return { kind: 'clock', advance: null, ...options }
  if (time === undefined) return mistake('by how long, or to when? For instance: granary clock advance 31d')
  return { kind: 'clock', advance: time, ...options }
}

function mistake(message: string, exitCode = 1): Invocation {
  return { kind: 'mistake', message, exitCode }
}

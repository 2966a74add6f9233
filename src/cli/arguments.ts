import { parseArgs } from 'node:util'

/** What the command line asks for. */
export type Invocation =
  | { readonly kind: 'serve'; readonly port?: string; readonly host?: string; readonly dataDir?: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'mistake'; readonly message: string }

export const HELP = `Usage: granary [serve] [options]

Starts the server. Every option has a setting in the environment; the option wins.

  --port <number>      port to listen on            PORT               default 4747
  --host <address>     address to listen on         HOST               default 127.0.0.1
  --data-dir <folder>  where the store lives        GRANARY_DATA_DIR   default ./data
  --help               this text
  --version            the version

More settings: GRANARY_SECRET_KEY, GRANARY_IDEMPOTENCY, LOG_LEVEL, DATABASE_URL. See README.md.
`

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
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    })
    if (values.help === true) return { kind: 'help' }
    if (values.version === true) return { kind: 'version' }
    const [command = 'serve', extra] = positionals
    if (command !== 'serve') return { kind: 'mistake', message: `unknown command "${command}": try granary --help` }
    if (extra !== undefined) return { kind: 'mistake', message: `unexpected argument "${extra}": try granary --help` }
    return {
      kind: 'serve',
      ...(values.port === undefined ? {} : { port: values.port }),
      ...(values.host === undefined ? {} : { host: values.host }),
      ...(values['data-dir'] === undefined ? {} : { dataDir: values['data-dir'] }),
    }
  } catch (error) {
    return { kind: 'mistake', message: `${error instanceof Error ? error.message : String(error)}: try granary --help` }
  }
}

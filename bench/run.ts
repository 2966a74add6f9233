/**
 * Measures check and track of the built server beside a bare HTTP server on the same machine: `npm run bench -- --help`.
 * Figures of one run compare with each other; those of different machines do not, which is why ratios are printed.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { startServer } from '../test/postgres/server.ts'
import { CUSTOMERS, createCustomers, sampleAnswers, totalUsage } from './customers.ts'
import { describeInside, measureInside } from './inside.ts'
import { describeMachine, machineOf } from './machine.ts'
import { has, memoryOf, sleep, stop, temporaryFolder } from './processes.ts'
import { describeTarget, type Row, rowOf, table, targetsOf } from './report.ts'
import { MAIN, type Server, startEcho, startGranary, startGranaryOn, startNaive } from './servers.ts'
import { describeStart, measureStart } from './start.ts'
import { type Load, type Run, run } from './wrk.ts'

const HELP = `Usage: npm run bench -- [options]

  --seconds <n>      how long one run takes, after a warm-up of one second   default 4
  --rounds <n>       how often every run is repeated; medians are shown      default 3
  --quick            a smoke test: 1 second, 1 round, few starts
  --pinned           the servers on core 0 and wrk on core 1; the server's store then shares its one core
  --unpinned         the system places every thread                          default
  --parent <folder>  where the temporary data folder is made                 default the system's
  --json <file>      also writes everything to a file
`

interface Options {
  readonly seconds: number
  readonly rounds: number
  readonly quick: boolean
  readonly pinned: boolean
  readonly parent: string
  readonly json: string | undefined
}

/** One line of the report. */
interface Plan {
  readonly name: string
  readonly target: 'echo' | 'granary' | 'postgres' | 'naive'
  readonly load: Load
  /** The line that it is compared with, of the same number of connections. */
  readonly baseline: string | null
}

/** For each number of connections: the echo server right before what is compared with it. */
const PLANS: readonly Plan[] = [
  ...[1, 16, 64].flatMap((connections) => [
    ...pair('check', { tracks: 0, customers: CUSTOMERS, connections }),
    ...pair('track', { tracks: 100, customers: CUSTOMERS, connections }),
    ...(connections < 64
      ? []
      : [
          ...pair('90 % check, 10 % track', { tracks: 10, customers: CUSTOMERS, connections }),
          ...pair('track, one customer', { tracks: 100, customers: 1, connections }),
          ...onPostgres('check', { tracks: 0, customers: CUSTOMERS, connections }),
          ...onPostgres('track', { tracks: 100, customers: CUSTOMERS, connections }),
        ]),
  ]),
  // With this many at a time, commits on PostgreSQL are as large as the server can use.
  ...pair('track', { tracks: 100, customers: CUSTOMERS, connections: 256 }),
  ...onPostgres('track', { tracks: 100, customers: CUSTOMERS, connections: 256 }),
]

/** Beside the echo server's run of the same load, and a transaction for every request on the same database server. */
function onPostgres(name: string, load: Load): Plan[] {
  const baseline = `echo: ${name}`
  return [
    { name: `${name}, PostgreSQL`, target: 'postgres', load, baseline },
    { name: `${name}, naive SQL`, target: 'naive', load, baseline },
  ]
}

function pair(name: string, load: Load): Plan[] {
  const baseline = `echo: ${name}`
  return [
    { name: baseline, target: 'echo', load, baseline: null },
    { name, target: 'granary', load, baseline },
  ]
}

/** The unit that asking for the sample answers used. */
const SAMPLED = 1

try {
  process.exitCode = (await main()) ? 0 : 1
} catch (error) {
  process.stderr.write(`The benchmark failed: ${error instanceof Error ? error.message : String(error)}\n`)
  // Not `exitCode`: children may still be running, and they end only with this process.
  process.exit(1)
}

/** @returns whether every answer was good and nothing was lost. */
async function main(): Promise<boolean> {
  const options = readOptions()
  if (options === null) return true
  const missing = whatIsMissing(options)
  if (missing !== null) {
    process.stderr.write(`${missing}\n`)
    return false
  }
  const folder = temporaryFolder(options.parent)
  const machine = machineOf(folder)
  say(describeMachine(machine))
  say(
    `Placement   ${options.pinned ? 'pinned: servers on core 0, wrk on core 1' : 'unpinned: the system places every thread'}`,
  )
  say(`Runs        ${options.rounds} rounds of ${options.seconds} s, one at a time, each after 1 s of warm-up; medians`)
  say(`Data        ${CUSTOMERS} customers with 3 balances each, one chosen at random for every request\n`)

  const core = options.pinned ? 0 : null
  const first = await startGranary(folder, core)
  note('Creating the customers…')
  await createCustomers(first.url)
  const answers = await sampleAnswers(first.url)
  const echo = await startEcho(answers.check, answers.track, core)
  note('Starting PostgreSQL…')
  const database = await startServer()
  process.on('exit', () => void database.kill())
  const postgres = await startGranaryOn(database.url(), core)
  await createCustomers(postgres.url)
  await sampleAnswers(postgres.url)
  const naive = await startNaive(database.url(), answers.check, answers.track, CUSTOMERS)
  const { rows, applied } = await measure({ echo, granary: first, postgres, naive }, options)
  const peakMiB = memoryOf(first.pid, 'VmHWM')
  say(table(rows))
  say('')
  say(
    'CPU µs/req: of the server, all threads; the main thread is also shown alone. × echo: the echo server in the same round.',
  )
  say(
    'PostgreSQL: reads confirmed for every request, as with several processes; the database server itself is in “others”.',
  )
  say(
    'void: the generator used more than 60 % of a core, here or for the echo server. failed: not 2xx, or no answer.\n',
  )

  note('Counting what was applied…')
  const before = await totalUsage(first.url)
  const inDatabase = await totalUsage(postgres.url)
  await Promise.all([echo, postgres, naive].map(({ child }) => stop(child, 'SIGTERM')))
  await database.remove()
  await stop(first.child, 'SIGKILL')
  const second = await startGranary(folder, core)
  const after = await totalUsage(second.url)
  await stop(second.child, 'SIGTERM')
  const { least, most } = withSample(applied.granary)
  const alsoKept = isBetween(inDatabase, withSample(applied.postgres))
  const kept = before === after && isBetween(after, { least, most }) && alsoKept
  say(
    `Nothing lost  ${kept ? 'yes' : 'NO'}: ${least} tracks were answered, the customers' usage is ${before}, and ${after} after SIGKILL`,
  )
  say(
    '              and a start from disk. wrk forgets requests that are under way when a run ends, at most one for each',
  )
  say(`              connection: so up to ${most} may have been applied.`)
  say(`              PostgreSQL: ${applied.postgres.least + SAMPLED} answered, usage ${inDatabase}\n`)

  note('Starting on the existing data…')
  const start = await measureStart(folder, options.quick ? 3 : 10, options.quick ? 2 : 10)
  say(describeStart(start))
  say(describeInside(measureInside(options.quick ? 3 : 10)))
  say(`Peak        ${peakMiB.toFixed(0)} MiB resident under the loads above\n`)

  const targets = targetsOf(rows)
  for (const target of targets) say(`Target      ${describeTarget(target)}`)
  if (options.quick) say('\n--quick is a smoke test: do not quote these figures.')
  if (options.json !== undefined) {
    const usage = { least, most, before, after, kept }
    const all = { options, machine, rows, usage, start, peakMiB, targets }
    writeFileSync(options.json, `${JSON.stringify(all, null, 2)}\n`)
  }
  return kept && rows.every(({ failures }) => failures === 0)
}

/** How many tracks were applied, between two bounds. */
interface Applied {
  least: number
  most: number
}

function withSample({ least, most }: Applied): Applied {
  return { least: least + SAMPLED, most: most + SAMPLED }
}

function isBetween(value: number, { least, most }: Applied): boolean {
  return least <= value && value <= most
}

async function measure(
  servers: Record<Plan['target'], Server>,
  { seconds, rounds, pinned, quick }: Options,
): Promise<{ rows: Row[]; applied: Record<Plan['target'], Applied> }> {
  const core = pinned ? 1 : null
  const none = () => ({ least: 0, most: 0 })
  const applied = { echo: none(), granary: none(), postgres: none(), naive: none() }
  const go = async ({ target, load }: Plan, duration: number) => {
    const result = await run(servers[target], load, duration, core)
    applied[target].least += result.applied.least
    applied[target].most += result.applied.most
    await sleep(100)
    return result
  }

  note('Warming up…')
  for (const plan of PLANS.filter(({ load }) => load.connections === 16)) await go(plan, quick ? 1 : 3)
  const runs = new Map<Plan, Run[]>(PLANS.map((plan) => [plan, []]))
  for (let round = 1; round <= rounds; round++) {
    for (const plan of PLANS) {
      note(`Round ${round} of ${rounds}: ${plan.name}, ${plan.load.connections} connections`)
      await go(plan, 1)
      runs.get(plan)?.push(await go(plan, seconds))
    }
  }
  const rows = PLANS.map((plan) => {
    const { connections } = plan.load
    const baseline = PLANS.find(({ name, load }) => name === plan.baseline && load.connections === connections)
    const echo = baseline === undefined ? null : (runs.get(baseline) ?? [])
    return rowOf(plan.name, connections, runs.get(plan) ?? [], echo)
  })
  return { rows, applied }
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      pinned: { type: 'boolean', default: false },
      unpinned: { type: 'boolean', default: false },
      parent: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return null
  }
  const { quick, pinned, unpinned, parent, json } = values
  if (pinned && unpinned) throw new RangeError('--pinned and --unpinned exclude each other')
  const seconds = wholeNumber('--seconds', values.seconds ?? (quick ? '1' : '4'))
  const rounds = wholeNumber('--rounds', values.rounds ?? (quick ? '1' : '3'))
  return { seconds, rounds, quick, pinned, parent, json }
}

function wholeNumber(option: string, text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text)
  throw new RangeError(`${option} must be a whole number, 1 or more`)
}

/** A sentence that says what to do first, or null. */
function whatIsMissing({ pinned }: Options): string | null {
  if (!existsSync('/proc/self/stat')) return 'The benchmark reads /proc and so runs on Linux only.'
  if (!has('wrk')) return 'The benchmark needs wrk, which is not on the PATH: install it with `apt-get install wrk`.'
  if (!existsSync(MAIN)) return 'The server is not built: run `npm run bench`, which builds it first.'
  if (pinned && !has('taskset')) {
    return '--pinned needs taskset, which is not on the PATH: install it with `apt-get install util-linux`.'
  }
  return null
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** What is going on, for a person who waits. */
function note(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`${text}\n`)
}

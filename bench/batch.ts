/**
 * What `balances.batch_track` comes to beside the store alone: `node bench/batch.ts [--seconds n] [--rounds n] [--parent folder]`
 * after `npm run build`. Batches of 1,000 uses, one for each of 1,000 customers, over a few connections; and, right after it in
 * each round, what the same store takes when it is given the same rows directly, already decided, in commits of the same size.
 */
import { cpSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ONE } from '../src/domain/amount.ts'
import { type Catalogue, catalogueOf } from '../src/domain/feature.ts'
import type { Command, IdempotencyKey, Waiting } from '../src/engine/command.ts'
import { Group } from '../src/engine/group.ts'
import { Entry } from '../src/engine/holdings-cache.ts'
import { idGenerator } from '../src/engine/ids.ts'
import { trackCommand } from '../src/operations/track.ts'
import { SqliteStore } from '../src/store/sqlite/sqlite.ts'
import type { CustomerChange } from '../src/store/store.ts'
import { CUSTOMERS, createCustomers, FEATURE, ids, totalUsage } from './customers.ts'
import { describeMachine, machineOf } from './machine.ts'
import { cpuOf, stop, temporaryFolder } from './processes.ts'
import { median } from './report.ts'
import { SECRET_KEY, type Server, startGranary } from './servers.ts'

const CONNECTIONS = 4
/** As the engine divides a batch: two commits are under way, each with half of the customers. */
const HALVES = 2
/** Commits that are decided before any of them is timed. */
const PREPARED = 20
/** Items. */
const WARM_UP = 60_000
const LEAST_RATIO = 0.6
const LEAST_PER_SECOND = 20_000

interface Figures {
  readonly perSecond: number
  /** Of the server, or of this process, for one item: all threads, and the main one alone. */
  readonly cpuMicros: number
  readonly mainCpuMicros: number
}

interface Round {
  readonly served: Figures
  readonly alone: Figures
}

const newId = idGenerator(Date.now)

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, rounds: { type: 'string' }, parent: { type: 'string' } },
})
const seconds = Number(values.seconds ?? 4)
const rounds = Number(values.rounds ?? 3)
const parent = values.parent ?? tmpdir()

const folder = temporaryFolder(parent)
process.stdout.write(`${describeMachine(machineOf(folder))}\n`)
process.stdout.write(`Runs        ${rounds} rounds of ${seconds} s each; medians\n\n`)
const first = await startGranary(join(folder, 'served'), null)
await createCustomers(first.url)
await stop(first.child, 'SIGTERM')
cpSync(join(folder, 'served'), join(folder, 'bare'), { recursive: true })
const server = await startGranary(join(folder, 'served'), null)
const store = await SqliteStore.open(join(folder, 'bare'))
const bare = await openBare(store)
let sent = 0
let ok = true
for (const [name, keyed] of [
  ['no keys', false],
  ['a key for each batch', true],
] as const) {
  // By items and not by time: on a busy machine a second is too short for code to be compiled.
  for (const enough = sent + WARM_UP; sent < enough; ) await viaHttp(server, keyed, 0)
  await bare(keyed, 1)
  const runs: Round[] = []
  for (let round = 0; round < rounds; round++) {
    runs.push({ served: await viaHttp(server, keyed, seconds), alone: await bare(keyed, seconds) })
  }
  const of = (pick: (run: Round) => number) => median(runs.map(pick))
  const perSecond = of(({ served }) => served.perSecond)
  const ratio = of(({ served, alone }) => served.perSecond / alone.perSecond)
  const met = ratio >= LEAST_RATIO || perSecond >= LEAST_PER_SECOND
  ok &&= met
  process.stdout.write(`${name}\n`)
  for (const [who, pick] of [
    ['batch_track', ({ served }: Round) => served],
    ['the store alone', ({ alone }: Round) => alone],
  ] as const) {
    const [each, cpu, main] = (['perSecond', 'cpuMicros', 'mainCpuMicros'] as const).map((figure) =>
      of((run) => pick(run)[figure]).toFixed(figure === 'perSecond' ? 0 : 1),
    )
    process.stdout.write(
      `  ${who.padEnd(15)} ${each} items/s, ${cpu} µs CPU for each, ${main} of them on the main thread\n`,
    )
  }
  process.stdout.write(`  ratio           ${ratio.toFixed(2)}\n`)
  process.stdout.write(
    `Target      ≥ ${LEAST_PER_SECOND} items/s or ≥ ${LEAST_RATIO} of the store alone: ${met ? 'met' : 'not met'}\n`,
  )
}
const before = await totalUsage(server.url)
await stop(server.child, 'SIGKILL')
const again = await startGranary(join(folder, 'served'), null)
const after = await totalUsage(again.url)
await stop(again.child, 'SIGTERM')
await store.close()
const kept = before === sent && after === sent
process.stdout.write(
  `Nothing lost  ${kept ? 'yes' : 'NO'}: ${sent} items were answered, ${before} are used, ${after} after SIGKILL\n`,
)
process.exitCode = ok && kept ? 0 : 1

async function viaHttp({ url, pid }: Server, keyed: boolean, duration: number): Promise<Figures> {
  const body = JSON.stringify(ids.map((customer_id) => ({ customer_id, feature_id: FEATURE, value: 1 })))
  const common = { 'content-type': 'application/json', authorization: `Bearer ${SECRET_KEY}` }
  const [cpu, from] = [cpuOf(pid), performance.now()]
  const until = from + duration * 1000
  let items = 0
  const connection = async () => {
    do {
      const headers = keyed ? { ...common, 'idempotency-key': `batch-${sent}-${items}-${Math.random()}` } : common
      const response = await fetch(`${url}/v1/balances.batch_track`, { method: 'POST', headers, body })
      const { results } = (await response.json()) as { results?: { status: number }[] }
      const done = results?.filter(({ status }) => status === 200).length ?? 0
      if (response.status !== 202 || done !== CUSTOMERS) throw new Error(`${response.status}: ${done} items were done`)
      items += done
    } while (performance.now() < until)
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connection))
  const elapsed = (performance.now() - from) / 1000
  sent += items
  const used = cpuOf(pid)
  if (cpu === null || used === null) throw new Error('the server ended during a run')
  const perItem = (thread: 'all' | 'main') => ((used[thread] - cpu[thread]) / items) * 1e6
  return { perSecond: items / elapsed, cpuMicros: perItem('all'), mainCpuMicros: perItem('main') }
}

/** @returns what measures the store alone: as many commits as fit, each decided before the time runs. */
async function openBare(opened: SqliteStore): Promise<typeof measure> {
  const { version, features, clockAhead } = await opened.loadCatalogue('sandbox')
  const catalogue = catalogueOf(version, features, clockAhead)
  const found = await opened.load(ids.map((id) => ({ env: 'sandbox', id })))
  const entries = found.map((stored, i) => Object.assign(new Entry('sandbox', ids[i] ?? ''), { stored }))
  const halves = Array.from({ length: HALVES }, (_, half) => entries.filter((_, i) => i % HALVES === half))
  const measure = async (keyed: boolean, duration: number): Promise<Figures> => {
    let [items, elapsed, cpu, main] = [0, 0, 0, 0]
    while (elapsed < duration * 1000) {
      const commits = Array.from({ length: PREPARED }, (_, i) => decided(halves[i % HALVES] ?? [], keyed, catalogue))
      const [used, usedHere, from] = [process.cpuUsage(), process.threadCpuUsage(), performance.now()]
      const left = commits.values()
      const writer = async () => {
        for (const changes of left) {
          const results = await opened.commit({ at: Date.now(), changes })
          items += results.filter(({ kind }) => kind === 'committed').length
        }
      }
      await Promise.all(Array.from({ length: HALVES }, writer))
      elapsed += performance.now() - from
      cpu += micros(process.cpuUsage(used))
      main += micros(process.threadCpuUsage(usedHere))
    }
    return { perSecond: items / (elapsed / 1000), cpuMicros: cpu / items, mainCpuMicros: main / items }
  }
  return measure
}

function micros({ user, system }: NodeJS.CpuUsage): number {
  return user + system
}

/** One use of each customer, decided as the engine does it, and taken for committed. */
function decided(entries: readonly Entry[], keyed: boolean, catalogue: Catalogue): CustomerChange[] {
  return entries.map((entry) => {
    const group = new Group(entry, 'replay')
    const command = useOf(entry.id, keyed ? [keyOf(newId('evt'))] : [])
    group.decideAll([waiting(command)], () => ({ now: Date.now(), newId }), catalogue)
    const change = group.change()
    if (group.after === null) throw new Error('a use changes something')
    entry.stored = { holdings: group.after, version: (entry.stored?.version ?? 0) + 1 }
    return change
  })
}

function useOf(customerId: string, keys: readonly IdempotencyKey[]): Command<unknown> {
  const what = { value: ONE, behavior: 'cap', properties: {}, timestamp: undefined } as const
  const manner = { recorded: true, tellsBalance: false }
  return trackCommand({ env: 'sandbox', keys }, { customerId, of: { featureId: FEATURE }, ...what, ...manner })
}

function keyOf(key: string): IdempotencyKey {
  return {
    space: 'header',
    key,
    input: { customer_id: key, feature_id: FEATURE, value: 1 },
    operation: 'balances.track',
  }
}

function waiting(command: Command<unknown>): Waiting {
  return { command, resolve: () => undefined, reject: () => undefined, attempts: 0, arrived: 0, alone: false }
}

/**
 * Reading among a million events, on both stores: `node bench/events.ts [count]`. Writes them straight into a new store, then
 * asks for lists and aggregates as a caller would, one after another, with nothing else going on.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createGranary, type Granary, openPostgresStore, openSqliteStore, type Store } from '../src/index.ts'
import { startServer } from '../test/postgres/server.ts'
import { writeEvents } from './event-data.ts'
import { describeMachine, machineOf } from './machine.ts'
import { median } from './report.ts'

const count = Number(process.argv[2] ?? 1_000_000)
const LISTS = 40
const AGGREGATES = 10

interface Question {
  readonly name: string
  readonly operation: 'events.list' | 'events.aggregate'
  readonly body: object
  /** The most milliseconds that it is meant to take. */
  readonly target?: number
}

const daily = { range: '30d', feature_id: 'messages' }
const QUESTIONS: readonly Question[] = [
  list('newest 100 of one customer (10 % of all)', { customer_id: 'big' }, 10),
  list('newest 100 of one customer (50 %)', { customer_id: 'most' }, 10),
  list('newest 100 of one customer (0.04 %)', { customer_id: 'customer_7' }, 10),
  list('newest 100 of everyone', {}, 10),
  list('newest 100 of one feature', { customer_id: 'most', feature_id: 'images' }),
  list('newest 100 of one entity', { customer_id: 'most', entity_id: 'seat_3' }),
  list('newest 100 with a property', { customer_id: 'most', filter_by: { region: 'eu' } }),
  list('100 of a feature, 1 in 10,000 (50 %)', { customer_id: 'most', feature_id: 'rare' }),
  list('100 of an entity, 1 in 10,000 (50 %)', { customer_id: 'most', entity_id: 'seldom' }),
  list('none with a property (50 %)', { customer_id: 'most', filter_by: { region: 'nowhere' } }),
  list('none of a feature, of everyone', { feature_id: 'nothing' }),
  add('30 days of one customer (10 %)', { customer_id: 'big', ...daily }, 200),
  add('with three features', { customer_id: 'big', ...daily, feature_id: ['messages', 'images', 'rare'] }),
  add('by entity', { customer_id: 'big', ...daily, group_by: '$entity_id' }),
  add('by a property', { customer_id: 'big', ...daily, group_by: 'properties.region' }),
  add('by a property of 1,000 values', { customer_id: 'big', ...daily, group_by: 'properties.tokens' }),
  add('where a property is so', { customer_id: 'big', ...daily, filter_by: { region: 'eu' } }),
  add('with what was deducted', { customer_id: 'big', ...daily, aggregate_on: 'deducted' }),
  add('90 days of one customer (50 %)', { customer_id: 'most', ...daily, range: '90d' }),
  add('30 days of everyone (43 %)', daily),
  add('30 days of everyone, by customer', { ...daily, group_by: '$customer_id' }),
]

function list(name: string, body: object, target?: number): Question {
  return { name, operation: 'events.list', body: { limit: 100, ...body }, ...(target === undefined ? {} : { target }) }
}

function add(name: string, body: object, target?: number): Question {
  return { name, operation: 'events.aggregate', body, ...(target === undefined ? {} : { target }) }
}

const folder = mkdtempSync(join(tmpdir(), 'granary-events-'))
process.stdout.write(`${describeMachine(machineOf(folder))}\n`)
say(
  'Columns     CPU: of this process, all threads, for one question; held: the longest that its event loop did nothing else',
)
say(`Load        ${loadavg()[0]?.toFixed(1)} at the beginning: above 1 others used the machine too`)
const server = await startServer()
try {
  await measure('SQLite', await openSqliteStore(folder))
  await measure('PostgreSQL', await openPostgresStore(server.url()))
} finally {
  rmSync(folder, { recursive: true, force: true })
  await server.remove()
}

async function measure(name: string, store: Store): Promise<void> {
  const begun = performance.now()
  await writeEvents(store, count, Date.now(), (part) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${name}: ${(part * 100).toFixed(0)} % written `)
  })
  const seconds = ((performance.now() - begun) / 1000).toFixed(0)
  process.stdout.write(`\n${name}: ${count} events, written in ${seconds} s${' '.repeat(20)}\n`)
  process.stdout.write(`${'milliseconds'.padEnd(45)}    best  median   worst     CPU    held\n`)
  const granary = await createGranary({ store })
  try {
    for (const question of QUESTIONS) await ask(granary, question)
  } finally {
    await granary.close()
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Prints how long it takes, and for how long meanwhile nothing else was answered. */
async function ask(granary: Granary, { name, operation, body, target }: Question): Promise<void> {
  const question = (): Promise<unknown> => granary.call(operation as 'events.list', body)
  await question()
  await question()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const times: number[] = []
  const cpu = process.cpuUsage()
  for (let i = 0; i < (operation === 'events.list' ? LISTS : AGGREGATES); i++) {
    const from = performance.now()
    await question()
    times.push(performance.now() - from)
  }
  const { user, system } = process.cpuUsage(cpu)
  delay.disable()
  const middle = median(times)
  const verdict = target === undefined ? '' : `  target ${target}: ${middle < target ? 'met' : 'NOT MET'}`
  const used = (user + system) / 1000 / times.length
  const figures = [Math.min(...times), middle, Math.max(...times), used, delay.max / 1e6]
  const cells = figures.map((ms) => ms.toFixed(1).padStart(7))
  process.stdout.write(`${name.padEnd(45)} ${cells.join(' ')}${verdict}\n`)
}

/**
 * What plans cost, over HTTP on the built server with its embedded store: `node bench/plans.ts [customers]` after
 * `npm run build`; needs wrk. Creates customers that begin with a plan of four items and others that begin with nothing, then
 * compares check and track of a plan's balance with those of a balance without a plan, in turns.
 */
import { connect, type Socket } from 'node:net'
import { loadavg, tmpdir } from 'node:os'
import { FEATURE, ids } from './customers.ts'
import { describeMachine, machineOf } from './machine.ts'
import { cpuOf, stop, temporaryFolder } from './processes.ts'
import { median } from './report.ts'
import { SECRET_KEY, type Server, startGranary } from './servers.ts'
import { type Run, run } from './wrk.ts'

const CONNECTIONS = 64
const ROUNDS = 5
const SECONDS = 3
const TARGET = 2000
const MONTH = { interval: 'month' }

const customers = Number(process.argv[2] ?? 10_000)
/** The same for a plan and, one by one, for a customer. */
const GRANTS = [
  { feature_id: FEATURE, included: 1_000_000_000, reset: MONTH },
  { feature_id: 'images', included: 100, reset: MONTH },
  { feature_id: 'seats', included: 5 },
  { feature_id: 'sso' },
]

try {
  await main()
} finally {
  process.exit()
}

async function main(): Promise<void> {
  say(describeMachine(machineOf(temporaryFolder(tmpdir()))))
  say(`Load        ${loadavg()[0]?.toFixed(1)} at the beginning: above 1 others used the machine too\n`)
  const [bare, planned] = [await furnished(false), await furnished(true)]
  for (let round = 1; round <= 3; round++) {
    const names = (kind: string) => Array.from({ length: customers }, (_, i) => `${kind}_${round}_${i}`)
    for (const [kind, server] of [
      ['without a plan', bare],
      ['with a plan of 4 items', planned],
    ] as const) {
      const bodies = names(kind.replaceAll(' ', '_')).map((customer_id) => JSON.stringify({ customer_id, name: 'N' }))
      const { perSecond, cpuMicros } = await timed(server, 'customers.get_or_create', bodies)
      const met = kind.startsWith('with ') ? `  target ${TARGET}: ${perSecond >= TARGET ? 'met' : 'MISSED'}` : ''
      say(
        `create ${kind.padEnd(24)} ${perSecond.toFixed(0).padStart(7)}/s ${cpuMicros.toFixed(0).padStart(5)} µs CPU${met}`,
      )
    }
  }

  await timed(bare, 'customers.get_or_create', each({}))
  await timed(planned, 'customers.get_or_create', each({}))
  for (const grant of GRANTS) await timed(bare, 'balances.create', each(grant))
  const loads = [
    ['check', 0],
    ['track', 100],
  ] as const
  for (const [name, tracks] of loads) {
    const runs: [Run[], Run[]] = [[], []]
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [i, server] of [bare, planned].entries()) {
        const result = await run(server, { tracks, customers: ids.length, connections: CONNECTIONS }, SECONDS, null)
        // The first round warms up.
        if (round > 0) runs[i]?.push(result)
        if (result.failures > 0) throw new Error(`${name}: ${result.failures} failed`)
      }
    }
    for (const [i, kind] of ['loose', 'of a plan'].entries()) {
      const cpu = median((runs[i] ?? []).map(({ cpuMicros }) => cpuMicros))
      const rate = median((runs[i] ?? []).map(({ perSecond }) => perSecond))
      say(`${name} ${kind.padEnd(24)} ${rate.toFixed(0).padStart(7)}/s ${cpu.toFixed(1).padStart(6)} µs CPU`)
    }
  }
  say(`Load        ${loadavg()[0]?.toFixed(1)} at the end`)
  for (const { child } of [bare, planned]) await stop(child, 'SIGTERM')
}

function each(more: object): string[] {
  return ids.map((customer_id) => JSON.stringify({ customer_id, ...more }))
}

async function furnished(withPlan: boolean): Promise<Server> {
  const server = await startGranary(temporaryFolder(tmpdir()), null)
  const ask = (operation: string, body: object) => timed(server, operation, [JSON.stringify(body)])
  for (const [feature_id, type] of [
    [FEATURE, { type: 'metered', consumable: true }],
    ['images', { type: 'metered', consumable: true }],
    ['seats', { type: 'metered', consumable: false }],
    ['sso', { type: 'boolean' }],
  ] as const)
    await ask('features.create', { feature_id, name: feature_id, ...type })
  if (withPlan) await ask('plans.create', { plan_id: 'free', name: 'Free', auto_enable: true, items: GRANTS })
  return server
}

/** Sends all of them over as many connections as there are, each waiting for its answer. */
async function timed(server: Server, operation: string, bodies: readonly string[]) {
  const left = bodies.values()
  const [from, before] = [performance.now(), cpuOf(server.pid)]
  await Promise.all(
    Array.from({ length: Math.min(CONNECTIONS, bodies.length) }, () => sendAll(server, operation, left)),
  )
  const seconds = (performance.now() - from) / 1000
  const cpu = (cpuOf(server.pid)?.all ?? 0) - (before?.all ?? 0)
  return { perSecond: bodies.length / seconds, cpuMicros: (cpu / bodies.length) * 1e6 }
}

/** A plain socket: a whole HTTP client would take more of the machine than the server does. */
function sendAll({ url }: Server, operation: string, left: Iterator<string>): Promise<void> {
  const { hostname, port } = new URL(url)
  const head = `POST /v1/${operation} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${SECRET_KEY}\r\ncontent-type: application/json\r\n`
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(Number(port), hostname)
    let heard = ''
    const next = () => {
      const { value, done } = left.next()
      heard = ''
      if (done === true) socket.end(resolve)
      else socket.write(`${head}content-length: ${Buffer.byteLength(value)}\r\n\r\n${value}`)
    }
    socket.once('connect', next)
    socket.once('error', reject)
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
      const end = heard.indexOf('\r\n\r\n')
      if (end < 0 || heard.length < end + 4 + Number(/content-length: (\d+)/i.exec(heard)?.[1])) return
      if (heard.startsWith('HTTP/1.1 200')) next()
      else reject(new Error(`${operation}: ${heard}`))
    })
  })
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

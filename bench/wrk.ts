import { fileURLToPath } from 'node:url'
import { cpuOf, cpuOfMachine, sleep, start } from './processes.ts'
import { SECRET_KEY, type Server } from './servers.ts'

const SCRIPT = fileURLToPath(new URL('./load.lua', import.meta.url))
const SAMPLE_MS = 100

/** What is asked for. */
export interface Load {
  /** How many of 100 requests are a track; the others are a check. */
  readonly tracks: number
  readonly customers: number
  readonly connections: number
}

/** One run of the generator against one server. */
export interface Run {
  readonly requests: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers with a status above 399, and requests without an answer. */
  readonly failures: number
  /** What the server used for one request, all its threads together, and its main thread alone. */
  readonly cpuMicros: number
  readonly mainCpuMicros: number
  /** Of one core, by the generator. */
  readonly generator: number
  /** Of one core, by everything else on this machine. */
  readonly others: number
  /** Between how many and how many tracks the server must have applied. */
  readonly applied: { readonly least: number; readonly most: number }
}

let seed = 1

export async function run(server: Server, load: Load, seconds: number, core: number | null): Promise<Run> {
  const before = cpuOf(server.pid)
  const [from, machine, own] = [performance.now(), cpuOfMachine(), ownCpu()]
  const args = ['--threads', '1', '--connections', String(load.connections), '--duration', `${seconds}s`]
  const rest = ['--timeout', '10s', '--script', SCRIPT, server.url, '--']
  const forScript = [SECRET_KEY, String(load.customers), String(load.tracks), String(seed++)]
  const child = start('wrk', [...args, ...rest, ...forScript], { PATH: process.env['PATH'] }, core)
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const generator = watch(child.pid ?? 0)
  const code = await ended
  const used = generator()
  // Requests that were under way when the generator left are still being worked on.
  await sleep(50)
  const after = cpuOf(server.pid)
  const elapsed = (performance.now() - from) / 1000
  const elsewhere = cpuOfMachine() - machine - (ownCpu() - own)
  const line = /^result (.*)$/m.exec(said)?.[1]
  if (line === undefined || code !== 0) throw new Error(`wrk failed (code ${code}): ${said}`)
  if (before === null || after === null) throw new Error('the server ended during a run')
  const result = JSON.parse(line) as Record<
    'requests' | 'micros' | 'p50' | 'p99' | 'refused' | 'broken' | 'tracksSent',
    number
  >
  const { requests, tracksSent } = result
  return {
    requests,
    perSecond: requests / (result.micros / 1e6),
    p50Ms: result.p50 / 1000,
    p99Ms: result.p99 / 1000,
    failures: result.refused + result.broken,
    cpuMicros: ((after.all - before.all) / requests) * 1e6,
    mainCpuMicros: ((after.main - before.main) / requests) * 1e6,
    generator: used,
    others: Math.max(0, (elsewhere - (after.all - before.all)) / elapsed - used),
    applied: {
      least: load.tracks === 100 ? requests : Math.max(0, tracksSent - load.connections),
      most: load.tracks === 100 ? Math.min(tracksSent, requests + load.connections) : tracksSent,
    },
  }
}

function ownCpu(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Samples a process's CPU while it lives, because nothing can be read once it is gone. @returns a function that stops. */
function watch(pid: number): () => number {
  const samples: { at: number; cpu: number }[] = []
  const timer = setInterval(() => {
    const cpu = cpuOf(pid)
    if (cpu !== null) samples.push({ at: performance.now(), cpu: cpu.all })
  }, SAMPLE_MS)
  return () => {
    clearInterval(timer)
    const [first, last] = [samples[0], samples.at(-1)]
    if (first === undefined || last === undefined || first === last) return Number.NaN
    return (last.cpu - first.cpu) / ((last.at - first.at) / 1000)
  }
}

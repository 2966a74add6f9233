import type { Run } from './wrk.ts'

/** A generator that uses more of a core than this may itself be what is slow: the run says nothing. */
const MOST_GENERATOR = 0.6

export interface Row {
  readonly name: string
  readonly connections: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuMicros: number
  readonly mainCpuMicros: number
  /** Of the echo server in the same round: throughput, and CPU for one request. Null for the echo server itself. */
  readonly throughputRatio: number | null
  readonly cpuRatio: number | null
  /** The most that the generator used of a core in any round. */
  readonly generator: number
  /** The most that other programs used of a core in any round: above a few percent the figures are not of a quiet machine. */
  readonly others: number
  /** The generator was too busy in a round, here or where the echo server was measured. */
  readonly void: boolean
  readonly failures: number
  readonly rounds: readonly Run[]
}

/** @param echo the runs against the echo server in the same rounds, or null for a row of the echo server. */
export function rowOf(name: string, connections: number, rounds: readonly Run[], echo: readonly Run[] | null): Row {
  const of = (pick: (run: Run) => number) => median(rounds.map(pick))
  const ratio = (pick: (run: Run) => number) =>
    echo === null ? null : median(rounds.map((run, i) => pick(run) / pick(echo[i] ?? run)))
  const most = (pick: (run: Run) => number) => Math.max(...rounds.map(pick))
  return {
    name,
    connections,
    perSecond: of((run) => run.perSecond),
    p50Ms: of((run) => run.p50Ms),
    p99Ms: of((run) => run.p99Ms),
    cpuMicros: of((run) => run.cpuMicros),
    mainCpuMicros: of((run) => run.mainCpuMicros),
    throughputRatio: ratio((run) => run.perSecond),
    cpuRatio: ratio((run) => run.cpuMicros),
    generator: most((run) => run.generator),
    others: most((run) => run.others),
    void: ![...rounds, ...(echo ?? [])].every((run) => run.generator <= MOST_GENERATOR),
    failures: rounds.reduce((sum, run) => sum + run.failures, 0),
    rounds,
  }
}

const HEADINGS = [
  'load',
  'conns',
  'req/s',
  'p50 ms',
  'p99 ms',
  'CPU µs/req',
  'main thread',
  '× echo req/s',
  '× echo CPU',
  'generator',
  'others',
  'failed',
  '',
]

export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.name,
    String(row.connections),
    row.perSecond.toFixed(0),
    row.p50Ms.toFixed(2),
    row.p99Ms.toFixed(2),
    row.cpuMicros.toFixed(1),
    row.mainCpuMicros.toFixed(1),
    row.throughputRatio?.toFixed(2) ?? '',
    row.cpuRatio?.toFixed(2) ?? '',
    `${(row.generator * 100).toFixed(0)} %`,
    `${(row.others * 100).toFixed(0)} %`,
    String(row.failures),
    row.failures > 0 ? 'FAILED' : row.void ? 'void' : '',
  ])
  const widths = HEADINGS.map((heading, i) => Math.max(heading.length, ...cells.map((line) => line[i]?.length ?? 0)))
  const lineOf = (line: readonly string[]) =>
    line
      .map((cell, i) =>
        i === 0 || i === line.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return [lineOf(HEADINGS), lineOf(widths.map((width) => '─'.repeat(width))), ...cells.map(lineOf)].join('\n')
}

export interface Target {
  readonly name: string
  readonly connections: number
  /** Of whose throughput in the same run. */
  readonly of: string
  readonly least: number
  readonly reached: number
  readonly verdict: 'met' | 'not met' | 'void'
}

const TARGETS = [
  { name: 'check', connections: 64, of: 'echo', least: 0.6 },
  { name: 'track', connections: 64, of: 'echo', least: 0.3 },
  { name: 'check, PostgreSQL', connections: 64, of: 'echo', least: 0.6 },
  { name: 'track, PostgreSQL', connections: 64, of: 'echo', least: 0.3 },
  { name: 'track, PostgreSQL', connections: 64, of: 'track, naive SQL', least: 5 },
  { name: 'track, PostgreSQL', connections: 256, of: 'track, naive SQL', least: 5 },
]

export function targetsOf(rows: readonly Row[]): Target[] {
  return TARGETS.map((target) => {
    const called = (wanted: string) =>
      rows.find(({ name, connections }) => name === wanted && connections === target.connections)
    const row = called(target.name)
    const other = called(target.of)
    const reached =
      (other === undefined ? row?.throughputRatio : median(ratios(row?.rounds ?? [], other.rounds))) ?? Number.NaN
    const valid = row !== undefined && !row.void && row.failures === 0
    return { ...target, reached, verdict: !valid ? 'void' : reached >= target.least ? 'met' : 'not met' }
  })
}

/** Round by round, because the machine may be slower in one than in another. */
function ratios(rounds: readonly Run[], others: readonly Run[]): number[] {
  return rounds.map((run, i) => run.perSecond / (others[i]?.perSecond ?? Number.NaN))
}

export function describeTarget({ name, connections, of, least, reached, verdict }: Target): string {
  return `${name} at ${connections} connections: ${reached.toFixed(2)} of the throughput of ${of}, target ≥ ${least}: ${verdict}`
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2
}

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { median } from './report.ts'

const INDEX = fileURLToPath(new URL('../dist/index.js', import.meta.url))

/** What one process does: loads the package, starts it in memory, asks once, and then lives through a year of resets. */
const SCRIPT = `
const begun = performance.now()
const { createGranary, movableClock } = await import(${JSON.stringify(INDEX)})
const loaded = performance.now()
const clock = movableClock('2026-01-15T10:00:00Z')
const granary = await createGranary({ clock })
await granary.call('features.list', {})
const started = performance.now()
await granary.call('features.create', { feature_id: 'm', name: 'M', type: 'metered', consumable: true })
await granary.call('customers.get_or_create', { customer_id: 'c' })
await granary.call('balances.create', { customer_id: 'c', feature_id: 'm', included: 100, reset: { interval: 'day' } })
const ready = performance.now()
for (let day = 0; day < 365; day++) {
  await granary.call('balances.track', { customer_id: 'c', feature_id: 'm', value: 60 })
  clock.advance('1d')
}
console.log(JSON.stringify([loaded - begun, started - loaded, performance.now() - ready]))
`

export interface InsideFigures {
  readonly starts: number
  readonly loadMs: number
  readonly startMs: number
  readonly yearMs: number
}

/** The package inside of another program, medians over several processes. */
export function measureInside(starts: number): InsideFigures {
  const runs = Array.from({ length: starts }, () => {
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', SCRIPT], { encoding: 'utf8' })
    return JSON.parse(printed) as [number, number, number]
  })
  const [loadMs, startMs, yearMs] = [0, 1, 2].map((i) => median(runs.map((run) => run[i] ?? 0)))
  return { starts, loadMs: loadMs ?? 0, startMs: startMs ?? 0, yearMs: yearMs ?? 0 }
}

export function describeInside({ starts, loadMs, startMs, yearMs }: InsideFigures): string {
  const [load, start, year] = [loadMs, startMs, yearMs].map((ms) => ms.toFixed(0))
  return [
    `In process  ${load} ms to import the package, ${start} ms from createGranary to the first answer, in memory (median of ${starts})`,
    `            ${year} ms for a year: 365 times a use and a day that passes`,
  ].join('\n')
}

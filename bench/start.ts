import { memoryOf, sleep, stop } from './processes.ts'
import { median } from './report.ts'
import { startGranary } from './servers.ts'

export interface StartFigures {
  readonly starts: number
  /** Median, from starting the process to the line that says that it listens. */
  readonly startMs: number
  readonly idleSeconds: number
  /** Resident memory after that time without a request. */
  readonly idleMiB: number
}

/** Starts the server on a folder that holds data already. */
export async function measureStart(folder: string, starts: number, idleSeconds: number): Promise<StartFigures> {
  const times: number[] = []
  let idleMiB = 0
  for (let i = 1; i <= starts; i++) {
    const server = await startGranary(folder, null)
    times.push(server.startMs)
    if (i === starts) {
      await sleep(idleSeconds * 1000)
      idleMiB = memoryOf(server.pid, 'VmRSS')
    }
    await stop(server.child, 'SIGTERM')
  }
  return { starts, startMs: median(times), idleSeconds, idleMiB }
}

export function describeStart({ starts, startMs, idleSeconds, idleMiB }: StartFigures): string {
  return [
    `Start       ${startMs.toFixed(0)} ms from starting the process to listening, on existing data (median of ${starts})`,
    `Idle        ${idleMiB.toFixed(0)} MiB resident after ${idleSeconds} s without a request`,
  ].join('\n')
}

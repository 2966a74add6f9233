import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'

/** Ticks per second in /proc; fixed by Linux's interface to programs, whatever the kernel counts in. */
const TICKS = 100

const children = new Set<ChildProcess>()
const folders = new Set<string>()

process.on('exit', cleanUp)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(128 + constants.signals[signal]))
}

function cleanUp(): void {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
}

/** Whether a program is on the PATH. */
export function has(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined
}

/** A folder that is gone when this process is. */
export function temporaryFolder(parent: string): string {
  const folder = mkdtempSync(join(parent, 'granary-bench-'))
  folders.add(folder)
  return folder
}

/** A process that ends with this one. Its stdout is piped and must be read. @param core to be pinned to, if any. */
export function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv, core: number | null) {
  const line = core === null ? [command, ...args] : ['taskset', '--cpu-list', String(core), command, ...args]
  const [program = command, ...rest] = line
  const child = spawn(program, rest, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  child.once('close', () => children.delete(child))
  return child
}

export function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill(signal)
  })
}

/** Seconds of CPU that a process has used, its main thread alone, or null when the process is gone. */
export function cpuOf(pid: number): { readonly all: number; readonly main: number } | null {
  const all = cpuSeconds(`/proc/${pid}/stat`)
  const main = cpuSeconds(`/proc/${pid}/task/${pid}/stat`)
  return all === null || main === null ? null : { all, main }
}

function cpuSeconds(file: string): number | null {
  try {
    const text = readFileSync(file, 'utf8')
    // The second field is the program's name in brackets and may hold anything; the third follows the last bracket.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS
  } catch {
    return null
  }
}

/** Seconds of CPU that all programs of this machine have used, and that other virtual machines took from it. */
export function cpuOfMachine(): number {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/\s+/).slice(1).map(Number) ?? []
  const [user = 0, nice = 0, system = 0, , , , , stolen = 0] = fields
  return (user + nice + system + stolen) / TICKS
}

/** A line of /proc/<pid>/status in MiB, for instance `VmRSS`. */
export function memoryOf(pid: number, line: string): number {
  const found = new RegExp(`^${line}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1] ?? 0) / 1024
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

import { closeSync, fdatasyncSync, openSync, readFileSync, realpathSync, rmSync, writeSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { median } from './report.ts'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  /** File system of the data folder. */
  readonly disk: string
  /** One 4 KiB append that waits for the disk, in the data folder: the least that a durable answer can take. */
  readonly flushMicros: number
}

/** File systems in memory: waiting for the disk means nothing there. */
const NO_DISK = new Set(['tmpfs', 'ramfs'])

export function machineOf(folder: string): Machine {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGiB: os.totalmem() / 2 ** 30,
    system: `${os.type()} ${os.release()}`,
    node: process.version,
    disk: fileSystemOf(folder),
    flushMicros: flushMicros(folder),
  }
}

export function describeMachine(machine: Machine): string {
  const { cpu, cores, memoryGiB, system, node, disk, flushMicros: flush } = machine
  const lines = [
    `Machine     ${cpu}, ${cores} cores, ${memoryGiB.toFixed(1)} GiB, ${system}, Node ${node}`,
    `Disk        ${disk}; a 4 KiB append that waits for the disk takes ${flush.toFixed(0)} µs (median)`,
    'Durability  SQLite WAL, synchronous=FULL: every answer is on disk',
  ]
  if (NO_DISK.has(disk)) {
    lines.push(
      `            but ${disk} has no disk: choose a folder on one with --parent, or figures of track are worthless`,
    )
  }
  return lines.join('\n')
}

/** The type of the mount that a folder is on: the longest mount point that is its beginning. */
function fileSystemOf(folder: string): string {
  const real = `${realpathSync(folder)}/`
  let [longest, type] = ['', 'unknown']
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, point = '', kind = ''] = line.split(' ')
    const prefix = point.endsWith('/') ? point : `${point}/`
    if (point !== '' && real.startsWith(prefix) && prefix.length >= longest.length) [longest, type] = [prefix, kind]
  }
  return type
}

function flushMicros(folder: string): number {
  const file = join(folder, 'flush')
  const handle = openSync(file, 'w')
  const page = Buffer.alloc(4096, 1)
  const micros = Array.from({ length: 200 }, () => {
    const from = performance.now()
    writeSync(handle, page)
    fdatasyncSync(handle)
    return (performance.now() - from) * 1000
  })
  closeSync(handle)
  rmSync(file)
  return median(micros)
}

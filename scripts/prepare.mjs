// Makes the working copy ready to run: installs the dependencies, and with the argument `build` also builds dist/.
// Does nothing when nothing has changed. It runs before anything is installed, so it needs only Node 20 and npm.
// Everything it says goes to stderr; stdout belongs to the command that comes after it.

import { spawn, spawnSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const at = (...parts) => path.join(root, ...parts)

const installStamp = at('node_modules/.granary-lock')
const buildStamp = at('dist/.built')
const node = at('node_modules/.bin/node')

const say = (line) => process.stderr.write(`${line}\n`)

class Failure extends Error {}

const read = (file) => {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

const hash = (...texts) => {
  const sum = createHash('sha256')
  for (const text of texts) sum.update(`${text.length}:`).update(text)
  return sum.digest('hex')
}

// ---- What is wanted, and what is there ----

const wantedInstall = () => {
  const lockfile = read(at('package-lock.json'))
  if (lockfile === undefined) throw new Failure('package-lock.json is missing: run this in a complete working copy.')
  return hash(lockfile)
}

const installed = (wanted) => read(installStamp) === wanted && fs.existsSync(node)

/** Every file under src/ that ends up in dist/, as a path relative to src/. */
const sources = () =>
  fs
    .readdirSync(at('src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => path.relative(at('src'), path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort()

const wantedBuild = (install) => {
  const settings = ['tsconfig.json', 'tsconfig.build.json', path.join('scripts', 'bundle.mjs')]
  const files = [...sources().map((file) => path.join('src', file)), ...settings]
  return hash(install, ...files.flatMap((file) => [file, fs.readFileSync(at(file), 'utf8')]))
}

const built = (wanted) => read(buildStamp) === wanted

// ---- One at a time: the lock is a folder that its holder touches every second ----

const lock = at('.prepare.lock')
const self = `${process.pid} ${randomUUID()}`
const abandonedAfter = 20_000

const alive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

const takeLock = () => {
  try {
    fs.mkdirSync(lock)
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
  fs.writeFileSync(path.join(lock, 'holder'), self)
  return true
}

/** A holder that was killed leaves its lock behind; whoever waits clears it away. */
const clearAbandonedLock = () => {
  const holder = read(path.join(lock, 'holder'))
  const age = Date.now() - (fs.statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
  const pid = Number(holder?.split(' ')[0])
  const abandoned = age > abandonedAfter || (pid > 0 && age > 2_000 && !alive(pid))
  if (!abandoned || holder !== read(path.join(lock, 'holder'))) return
  const aside = `${lock}.${randomUUID()}`
  try {
    fs.renameSync(lock, aside)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  fs.rmSync(aside, { recursive: true, force: true })
}

const releaseLock = () => {
  if (read(path.join(lock, 'holder')) === self) fs.rmSync(lock, { recursive: true, force: true })
}

const withLock = async (work) => {
  for (let waits = 0; !takeLock(); waits += 1) {
    if (waits === 5) say('Waiting for another process that is installing or building here…')
    clearAbandonedLock()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const touch = setInterval(() => {
    const now = new Date()
    fs.utimes(lock, now, now, () => {})
  }, 1_000)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      child?.kill(signal)
      releaseLock()
      process.kill(process.pid, signal)
    })
  }
  try {
    return await work()
  } finally {
    clearInterval(touch)
    releaseLock()
  }
}

// ---- Doing it ----

let child

/** Runs a command with its output on stderr and answers how it ended: 0 when well. */
const run = (command, args, env = process.env) =>
  new Promise((resolve) => {
    child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 2, 2] })
    child.once('error', (error) => resolve(error.code === 'ENOENT' ? 'the command not being found' : error.message))
    child.once('exit', (code, signal) => resolve(code === 0 ? 0 : (signal ?? `exit code ${code}`)))
  })

/** npm itself must not run on the Node that it is about to replace. */
const outsideEnv = () => {
  const kept = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => !folder.endsWith('node_modules/.bin'))
  return { ...process.env, PATH: kept.join(path.delimiter) }
}

const works = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0

/** Whether `npm install` or `npm ci`, run by hand, has already put in place what package-lock.json asks for. */
const installedByHand = () => {
  try {
    const wanted = JSON.parse(read(at('package-lock.json'))).packages
    const present = JSON.parse(read(at('node_modules/.package-lock.json'))).packages
    return Object.entries(wanted).every(
      ([name, entry]) =>
        name === '' ||
        (present[name] === undefined
          ? entry.optional === true || entry.devOptional === true || entry.peer === true
          : present[name].integrity === entry.integrity && fs.existsSync(at(name))),
    )
  } catch {
    return false
  }
}

const install = async (wanted) => {
  if (!(installedByHand() && works(node))) {
    say('Installing dependencies (once)…')
    const ended = await run(
      'npm',
      // The development dependencies hold Node itself, so they are needed in production mode too.
      ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'],
      outsideEnv(),
    )
    if (ended !== 0) throw new Failure(`Installing the dependencies failed: npm ci ended with ${ended}.`)
  }
  if (!works(node)) {
    // The published Node does not run on this system, or npm was told not to run install scripts.
    if (Number(process.versions.node.split('.')[0]) < 24 || process.execPath.startsWith(root)) {
      throw new Failure(
        'The dependency `node` was installed but does not run here. Use Node 24 or newer, ' +
          'or allow its install script: npm rebuild node --ignore-scripts=false',
      )
    }
    say(`Using this system's Node ${process.versions.node}.`)
    fs.mkdirSync(path.dirname(node), { recursive: true })
    fs.rmSync(node, { force: true })
    fs.symlinkSync(process.execPath, node)
  }
  fs.writeFileSync(installStamp, wanted)
}

const build = async (wanted) => {
  say('Building…')
  for (const name of fs.readdirSync(root)) {
    if (name.startsWith('dist.')) fs.rmSync(at(name), { recursive: true, force: true })
  }
  const fresh = at(`dist.${process.pid}`)
  // The types for those who use the package, and at once the check of all types; then what runs.
  const tsc = ['tsc', [at('node_modules/typescript/bin/tsc'), '-p', at('tsconfig.build.json'), '--outDir', fresh]]
  const bundle = ['the bundler', [at('scripts/bundle.mjs'), fresh]]
  for (const [name, args] of [tsc, bundle]) {
    const ended = await run(node, args)
    if (ended === 0) continue
    fs.rmSync(fresh, { recursive: true, force: true })
    throw new Failure(`Building failed: ${name} ended with ${ended}.`)
  }
  if (fs.existsSync(path.join(fresh, 'main.js'))) fs.chmodSync(path.join(fresh, 'main.js'), 0o755)
  fs.writeFileSync(path.join(fresh, '.built'), wanted)
  if (fs.existsSync(at('dist'))) fs.renameSync(at('dist'), at('dist.old'))
  fs.renameSync(fresh, at('dist'))
  fs.rmSync(at('dist.old'), { recursive: true, force: true })
}

const main = async (toBuild) => {
  const lockfile = wantedInstall()
  if (installed(lockfile) && (!toBuild || built(wantedBuild(lockfile)))) return
  await withLock(async () => {
    if (!installed(lockfile)) await install(lockfile)
    if (!toBuild) return
    const wanted = wantedBuild(lockfile)
    if (!built(wanted)) await build(wanted)
  })
}

try {
  await main(process.argv[2] === 'build')
} catch (error) {
  say(error instanceof Failure ? error.message : `Preparing the working copy failed: ${error.message}`)
  process.exitCode = 1
}

// Runs every check and every test, in order; the last line on stdout counts them.
//
//   node scripts/test.mjs              the static checks, the build, then all tests
//   node scripts/test.mjs amount       the build, then the tests whose path contains `amount` (arguments go to vitest)
//   node scripts/test.mjs --long ...   the same, with more cases for each property; without arguments for vitest it also
//                                      runs the mutation tests, which take long

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const root = path.dirname(import.meta.dirname)
const bin = path.join(root, 'node_modules/.bin')

const long = process.argv.includes('--long')
const forVitest = process.argv.slice(2).filter((arg) => arg !== '--long')

const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}` }
if (long) env.GRANARY_TEST_LONG = '1'

const staticChecks = [
  ['Types', 'tsc', ['--noEmit']],
  ['Lint and format', 'biome', ['check', '--error-on-warnings']],
  ['Arrows between modules', 'depcruise', ['src']],
  ['Unused code', 'knip', ['--no-progress']],
]
// Not with more cases for each property: the quick tests must find a changed rule.
const mutationTests = ['Mutation tests of src/domain', 'stryker', ['run'], { ...env, GRANARY_TEST_LONG: '' }]
const buildCheck = ['Build', process.execPath, [path.join(root, 'scripts/prepare.mjs'), 'build']]

let child
let stoppedBy
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stoppedBy = signal
    child?.kill(signal)
  })
}

/** Runs a command on this terminal and answers whether it ended well. */
const run = (command, args, withEnv = env) =>
  new Promise((resolve) => {
    if (stoppedBy !== undefined) return resolve(false)
    child = spawn(command, args, { cwd: root, env: withEnv, stdio: 'inherit' })
    child.once('error', (error) => {
      console.error(`${command}: ${error.message}`)
      resolve(false)
    })
    child.once('exit', (code) => resolve(code === 0))
  })

const counts = { passed: 0, failed: 0, skipped: 0 }

/** Runs a check that counts as one test. */
const check = async ([name, command, args, withEnv]) => {
  const start = performance.now()
  console.log(`\n== ${name}`)
  const good = await run(command, args, withEnv)
  counts[good ? 'passed' : 'failed'] += 1
  console.log(`${good ? 'ok' : 'FAILED'} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
}

for (const each of forVitest.length > 0 ? [buildCheck] : [...staticChecks, buildCheck]) await check(each)

console.log('\n== Tests')
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'granary-test-'))
const file = path.join(folder, 'results.json')
const good = await run('vitest', [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${file}`,
  ...forVitest,
])

let results
try {
  results = JSON.parse(fs.readFileSync(file, 'utf8'))
} catch {
  // vitest ended before it could write its results
}
fs.rmSync(folder, { recursive: true, force: true })

let ran = 0
let failed = 0
if (results === undefined) {
  console.error('The tests did not run to their end.')
} else {
  ran = results.numPassedTests + results.numFailedTests
  failed = results.numFailedTests
  // A file that fails without a failed test (it could not be loaded, say) counts as one.
  failed += results.testResults.filter(
    (each) => each.status === 'failed' && !each.assertionResults.some((test) => test.status === 'failed'),
  ).length
  counts.passed += results.numPassedTests
  counts.skipped += results.numPendingTests + results.numTodoTests
  if (ran === 0) console.error('No test was run.')
}
// vitest can fail without a failed test: it crashed, or something threw outside of a test.
if (!good && failed === 0 && (ran > 0 || results === undefined)) failed = 1
counts.failed += failed

if (long && forVitest.length === 0) await check(mutationTests)

const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
process.exitCode = counts.failed > 0 || ran === 0 || !good ? 1 : 0
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed${skipped}\n`)

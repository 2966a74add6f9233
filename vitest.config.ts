import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

// `npm run test:long` sets this: the same tests, with more cases and more time for each.
const long = process.env['GRANARY_TEST_LONG'] === '1'
const time = long ? 600_000 : 30_000
/** Of each law, as many as `test/laws/runs.ts` counts, on stores that take their time: SQLite waits for the disk at each step. */
const HISTORIES = long ? { sqlite: '800', postgres: '800' } : { sqlite: '100', postgres: '200' }

/** @param name also the store of worlds that name none. */
function project(name: string, include: string[], histories?: string): TestProjectInlineConfiguration {
  return {
    test: {
      name,
      environment: 'node',
      include,
      env: {
        GRANARY_TEST_STORE: name,
        ...(histories === undefined
          ? {}
          : { GRANARY_TEST_HISTORIES: process.env['GRANARY_TEST_HISTORIES'] ?? histories }),
      },
      setupFiles: ['test/properties.ts'],
      // A process per test file: tests start worker threads, open SQLite files and spawn servers.
      pool: 'forks',
      testTimeout: time,
      hookTimeout: time,
    },
  }
}

/** Stories and laws once more: what is told in them holds whatever the store. */
const WHATEVER_THE_STORE = ['test/scenarios/**/*.test.ts', 'test/laws/{histories,refunds}.test.ts']

// One store for everything where the run says so.
const only = process.env['GRANARY_TEST_STORE']
const all = ['src/**/*.test.ts', 'test/**/*.test.ts']

export default defineConfig({
  test: {
    globalSetup: ['test/seed.ts', 'test/postgres/setup.ts'],
    maxWorkers: 2,
    projects:
      only === undefined || only === ''
        ? [
            project('memory', all),
            project('sqlite', WHATEVER_THE_STORE, HISTORIES.sqlite),
            project('postgres', WHATEVER_THE_STORE, HISTORIES.postgres),
          ]
        : [project(only, all)],
  },
})

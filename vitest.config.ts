import { defineConfig } from 'vitest/config'

// `npm run test:long` sets this: the same tests, with more cases and more time for each.
const long = process.env['GRANARY_TEST_LONG'] === '1'

export default defineConfig({
  test: {
    environment: 'node',
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: ['test/seed.ts', 'test/postgres/setup.ts'],
    setupFiles: ['test/properties.ts'],
    // A process per test file: tests start worker threads, open SQLite files and spawn servers.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: long ? 600_000 : 30_000,
    hookTimeout: long ? 600_000 : 30_000,
  },
})

// Changes src/domain/ in small ways, one at a time, and runs the quick tests on each: a change that no test notices survives.

export default {
  mutate: ['src/domain/*.ts', '!src/domain/*.test.ts'],
  // A text is a word of a union type, which the compiler holds, or a sentence for people.
  mutator: { excludedMutations: ['StringLiteral'] },
  testRunner: 'vitest',
  vitest: { configFile: 'test/mutants/vitest.config.ts', related: false },
  coverageAnalysis: 'perTest',
  concurrency: 2,
  reporters: ['clear-text', 'progress-append-only', 'html', 'json'],
  clearTextReporter: { logTests: false, allowColor: false },
  htmlReporter: { fileName: 'coverage/mutation.html' },
  jsonReporter: { fileName: 'coverage/mutation.json' },
  tempDirName: 'coverage/stryker',
  ignorePatterns: ['/dist*', '/data', '/coverage', '/bench'],
  allowEmpty: false,
  thresholds: { high: 95, low: 90, break: 85 },
}

import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// The tests that run on each changed version of src/domain/ (stryker.config.mjs): the tables and the
// properties of the domain. Stories notice little that these do not, and take most of the time.

process.env['GRANARY_TEST_SEED'] ??= '1'

/** The first failure ends a run, so the tables come before the properties. */
class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => Number(moduleId.includes('/src/domain/'))
    return [...files].sort((a, b) => rank(a) - rank(b) || (a.moduleId < b.moduleId ? -1 : 1))
  }
}

export default defineConfig({
  test: {
    environment: 'node',
    include: ['src/domain/*.test.ts', 'test/mutants/*.test.ts'],
    globalSetup: ['test/seed.ts'],
    setupFiles: ['test/mutants/properties.ts'],
    // One worker and one load of the modules for all files of a run, which takes most of the time otherwise.
    isolate: false,
    sequence: { sequencer: QuickFirst },
  },
})

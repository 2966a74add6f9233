import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// The tests that run on each changed version of src/domain/ (stryker.config.mjs): all of the domain, and quick stories.

process.env['GRANARY_TEST_SEED'] ??= '1'

const stories = [
  'denials',
  'entities',
  'entity-balances',
  'entity-updates',
  'grants',
  'prices',
  'refunds',
  'seats',
  'setters',
  'unknown-entities',
  'updates',
  'usage',
]

/** The first failure ends a run, so the tables come before the properties and the stories. */
class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number =>
      ['/test/mutants/', '/src/domain/', '/'].findIndex((folder) => moduleId.includes(folder))
    return [...files].sort((a, b) => rank(a) - rank(b) || (a.moduleId < b.moduleId ? -1 : 1))
  }
}

export default defineConfig({
  test: {
    environment: 'node',
    include: ['src/domain/*.test.ts', 'test/mutants/*.test.ts', `test/scenarios/{${stories.join(',')}}.test.ts`],
    globalSetup: ['test/seed.ts'],
    setupFiles: ['test/mutants/properties.ts'],
    // One worker and one load of the modules for all files of a run, which takes most of the time otherwise.
    isolate: false,
    sequence: { sequencer: QuickFirst },
  },
})

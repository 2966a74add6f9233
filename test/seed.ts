import { randomInt } from 'node:crypto'
import type { TestProject } from 'vitest/node'

/**
 * Once before all tests: the seed of every property and of every other choice by chance. Printed, so that a run can be
 * repeated with GRANARY_TEST_SEED.
 */
export default function setup(_project: TestProject): void {
  process.env['GRANARY_TEST_SEED'] ??= String(randomInt(2 ** 31))
  console.log(`\nGRANARY_TEST_SEED=${process.env['GRANARY_TEST_SEED']} makes the same choices again`)
}

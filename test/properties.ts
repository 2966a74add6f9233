import fc from 'fast-check'

// In every test process: properties draw from the seed that the run has printed.
fc.configureGlobal({ seed: Number(process.env['GRANARY_TEST_SEED']) })

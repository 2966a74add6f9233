import fc from 'fast-check'

// That a changed version fails is enough to know; the smallest example of it is not looked for.
fc.configureGlobal({ seed: Number(process.env['GRANARY_TEST_SEED']), endOnFailure: true })

import fc from 'fast-check'

// That a changed version fails is enough to know, and soon: the smallest example of it is not looked for, nor a rare one.
fc.configureGlobal({
  seed: Number(process.env['GRANARY_TEST_SEED']),
  endOnFailure: true,
  interruptAfterTimeLimit: 200,
})

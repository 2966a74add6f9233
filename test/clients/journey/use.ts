import type { CustomerExpand } from 'autumn-js'
import { expect } from 'vitest'
import { countsOf, type Journey, SUCCESS } from './journey.ts'

const EXPANSIONS: CustomerExpand[] = [
  ...(['invoices', 'trials_used', 'rewards', 'entities', 'referrals', 'payment_method'] as const),
  ...(['subscriptions.plan', 'purchases.plan', 'balances.feature', 'flags.feature'] as const),
]

export async function check({ autumn, newCustomer, refusal }: Journey): Promise<void> {
  await newCustomer('cara')
  const nothing = await autumn.check({ customerId: 'cara', featureId: 'messages' })
  expect(nothing).toMatchObject({ allowed: false, customerId: 'cara', requiredBalance: 1, balance: null, flag: null })

  const ask = (featureId: string, requiredBalance: number) =>
    autumn.check({ customerId: 'cara', featureId, requiredBalance, withPreview: true })
  await autumn.balances.create({ customerId: 'cara', featureId: 'messages', includedGrant: 10.5 })
  const enough = await ask('messages', 10.5)
  expect(enough).toMatchObject({ allowed: true, requiredBalance: 10.5, balance: { granted: 10.5, nextResetAt: null } })
  expect(enough.preview ?? null).toBeNull()
  const short = await ask('messages', 10.500000000001)
  expect(short).toMatchObject({ allowed: false, balance: { remaining: 10.5 } })
  expect(short.preview).toMatchObject({ scenario: 'usage_limit', featureId: 'messages', featureName: 'Messages' })
  expect(short.preview?.products).toEqual([])

  const off = await autumn.check({ customerId: 'cara', featureId: 'sso', withPreview: true })
  expect(off).toMatchObject({ allowed: false, balance: null, flag: null, preview: { scenario: 'feature_flag' } })
  expect(await autumn.balances.create({ customerId: 'cara', featureId: 'sso' })).toEqual(SUCCESS)
  const on = await autumn.check({ customerId: 'cara', featureId: 'sso' })
  expect(on).toMatchObject({ allowed: true, balance: null, flag: { featureId: 'sso', planId: null, expiresAt: null } })

  await autumn.balances.create({ customerId: 'cara', featureId: 'credits', includedGrant: 2 })
  const paid = { allowed: true, requiredBalance: 2, balance: { featureId: 'credits', remaining: 2 } }
  expect(await ask('renders', 10)).toMatchObject(paid)
  expect(await ask('renders', 11)).toMatchObject({ allowed: false, requiredBalance: 2.2 })

  await autumn.balances.create({ customerId: 'cara', featureId: 'downloads', unlimited: true })
  const unlimited = { unlimited: true, granted: 0, remaining: 0, usage: 0 }
  expect(await ask('downloads', 1e12)).toMatchObject({ allowed: true, balance: unlimited })

  const expanded = await autumn.customers.getOrCreate({ customerId: 'cara', expand: EXPANSIONS })
  expect(expanded).toMatchObject({ invoices: [], entities: [], trialsUsed: [], referrals: [] })
  expect(expanded.balances['credits']?.feature).toEqual(await autumn.features.get({ featureId: 'credits' }))
  expect(expanded.flags['sso']?.feature).toEqual(await autumn.features.get({ featureId: 'sso' }))

  const nobody = autumn.check({ customerId: 'nobody', featureId: 'messages' })
  expect(await refusal(nobody)).toEqual([404, 'customer_not_found'])
  const nothingSuch = autumn.check({ customerId: 'cara', featureId: 'nothing' })
  expect(await refusal(nothingSuch)).toEqual([404, 'feature_not_found'])
}

export async function checkAndUse({ autumn, newCustomer, read }: Journey): Promise<void> {
  await newCustomer('dora')
  await autumn.balances.create({ customerId: 'dora', featureId: 'messages', includedGrant: 10 })
  await autumn.balances.create({ customerId: 'dora', featureId: 'credits', includedGrant: 1 })
  const use = (featureId: string, requiredBalance: number) =>
    autumn.check({ customerId: 'dora', featureId, requiredBalance, sendEvent: true })
  expect(await use('messages', 6)).toMatchObject({ allowed: true, balance: { remaining: 4, usage: 6 } })
  expect(await use('messages', 5)).toMatchObject({ allowed: false, balance: { remaining: 4, usage: 6 } })
  const paid = await use('renders', 3)
  expect(paid).toMatchObject({ allowed: true, requiredBalance: 0.6, balance: { featureId: 'credits', remaining: 0.4 } })
  const { balances, flags } = await read('dora')
  expect(Object.keys(balances).sort()).toEqual(['credits', 'messages'])
  expect([countsOf(balances['messages']), countsOf(balances['credits'])]).toEqual([
    [10, 4, 6],
    [1, 0.4, 0.6],
  ])
  expect(flags).toEqual({})
}

export async function track({ autumn, newCustomer, refusal, withKey }: Journey): Promise<void> {
  await newCustomer('finn')
  const messages = { customerId: 'finn', featureId: 'messages' }
  await autumn.balances.create({ ...messages, includedGrant: 2 })
  expect(await autumn.track({ ...messages, value: 0.1 })).toMatchObject({ customerId: 'finn', value: 0.1 })
  expect(countsOf((await autumn.track({ ...messages, value: 0.2 })).balance)).toEqual([2, 1.7, 0.3])
  const usual = await autumn.track({ ...messages, properties: { model: 'm', tokens: 7 } })
  expect([usual.value, countsOf(usual.balance)]).toEqual([1, [2, 0.7, 1.3]])
  const back = await autumn.track({ ...messages, value: -0.8 })
  expect([back.value, countsOf(back.balance)]).toEqual([-0.8, [2, 1.5, 0.5]])
  const capped = await autumn.track({ ...messages, value: 5 })
  expect([capped.value, countsOf(capped.balance)]).toEqual([5, [2, 0, 2]])

  const key = { headers: { 'idempotency-key': 'order-1' } }
  const once = await autumn.track({ ...messages, value: -1 }, key)
  expect(countsOf(once.balance)).toEqual([2, 1, 1])
  expect(await autumn.track({ ...messages, value: -1 }, key)).toEqual(once)
  expect(countsOf((await autumn.check(messages)).balance)).toEqual([2, 1, 1])
  const reused = autumn.track({ ...messages, value: -0.5 }, key)
  expect(await refusal(reused)).toEqual([409, 'idempotency_key_reused'])

  const seats = { customerId: 'finn', featureId: 'seats' }
  await autumn.balances.create({ ...seats, includedGrant: 3 })
  expect(countsOf((await autumn.track({ ...seats, value: 4 })).balance)).toEqual([3, 0, 4])
  expect(countsOf((await autumn.track({ ...seats, value: -2 })).balance)).toEqual([3, 1, 2])

  const nobody = autumn.track({ customerId: 'nobody', featureId: 'messages' })
  expect(await refusal(nobody)).toEqual([404, 'customer_not_found'])
  const unheard = autumn.track({ customerId: 'finn', eventName: 'unheard.of' })
  expect(await refusal(unheard)).toEqual([404, 'invalid_request'])
  const stranger = withKey('am_sk_test_stranger').track(messages)
  expect(await refusal(stranger)).toEqual([401, 'invalid_secret_key'])
}

export async function trackByEventName({ autumn, newCustomer }: Journey): Promise<void> {
  await newCustomer('gus')
  const give = (featureId: string, includedGrant: number) =>
    autumn.balances.create({ customerId: 'gus', featureId, includedGrant })
  await give('credits', 10)
  const paid = await autumn.track({ customerId: 'gus', featureId: 'renders', value: 2 })
  expect(paid).toMatchObject({ value: 2, balance: { featureId: 'credits', remaining: 9.6, usage: 0.4 } })
  // A feature that is not held is null, or left out where the release refuses a null.
  expect(paid.balances?.['renders'] ?? null).toBeNull()
  expect(countsOf(paid.balances?.['credits'])).toEqual([10, 9.6, 0.4])

  await give('renders', 3)
  await give('downloads', 20)
  const done = await autumn.track({ customerId: 'gus', eventName: 'job.done', value: 5 })
  expect(done).toMatchObject({ eventName: 'job.done', value: 5, balance: null })
  const counts = Object.entries(done.balances ?? {}).map(([featureId, balance]) => [featureId, countsOf(balance)])
  expect(counts.sort()).toEqual([
    ['credits', [10, 9.2, 0.8]],
    ['downloads', [20, 15, 5]],
    ['renders', [3, 0, 3]],
  ])
}

/** Releases since early 2.3 have it. */
export async function trackTokens({ autumn, calls, newCustomer, refusal }: Journey): Promise<void> {
  if (!calls.has('balances.track_tokens')) return
  await newCustomer('hal')
  const markups = {
    modelMarkups: { 'custom/llm': { inputCost: 5, outputCost: 15, markup: 50 } },
    providerMarkups: { openai: { markup: 20 } },
    defaultMarkup: 10,
  }
  const ai = await autumn.features.create({ featureId: 'ai', name: 'AI', type: 'ai_credit_system', ...markups })
  expect(ai).toMatchObject({ id: 'ai', type: 'ai_credit_system', consumable: true, ...markups })
  const changed = await autumn.features.update({ featureId: 'ai', defaultMarkup: -100 })
  expect(changed).toMatchObject({ ...markups, defaultMarkup: -100 })
  expect(await autumn.balances.create({ customerId: 'hal', featureId: 'ai', includedGrant: 1 })).toEqual(SUCCESS)

  const used = { customerId: 'hal', modelId: 'custom/llm', inputTokens: 10_000, outputTokens: 5_000 }
  const spent = await autumn.trackTokens(used)
  expect(spent).toMatchObject({ customerId: 'hal', value: 0.1875, balance: { featureId: 'ai', remaining: 0.8125 } })
  const more = { cacheReadTokens: 1_000, reasoningTokens: 1_000, properties: { run: 7 } }
  expect(await autumn.trackTokens({ ...used, ...more, featureId: 'ai' })).toMatchObject({ value: 0.2175 })
  const later = await autumn.trackTokens({ ...used, async: true })
  expect(later).toMatchObject({ value: 0.1875, balance: null })
  expect(countsOf((await autumn.check({ customerId: 'hal', featureId: 'ai' })).balance)).toEqual([1, 0.4075, 0.5925])

  const unknown = autumn.trackTokens({ ...used, modelId: 'openai/unknown' })
  expect(await refusal(unknown)).toEqual([400, 'invalid_request'])
  const metered = autumn.trackTokens({ ...used, featureId: 'messages' })
  expect(await refusal(metered)).toEqual([400, 'invalid_request'])
}

/** Releases that know a batch know a use that does not wait for its balance too. */
export async function batchTrack({ autumn, calls, refusal }: Journey): Promise<void> {
  if (!calls.has('balances.batch_track')) return
  const messages = { customerId: 'gus', featureId: 'messages' }
  await autumn.balances.create({ ...messages, includedGrant: 50 })
  const items = [
    { ...messages, value: 1 },
    { ...messages, value: 2, properties: { model: 'n' } },
    { customerId: 'nobody', featureId: 'messages' },
  ]
  const key = { headers: { 'idempotency-key': 'batch-1' } }
  expect(await autumn.batchTrack(items, key)).toEqual(SUCCESS)
  expect(await autumn.batchTrack(items, key)).toEqual(SUCCESS)
  expect(countsOf((await autumn.check(messages)).balance)).toEqual([50, 47, 3])
  expect(await refusal(autumn.batchTrack([]))).toEqual([400, 'invalid_inputs'])
  const unheard = autumn.batchTrack([{ ...messages }, { customerId: 'gus', featureId: 'nothing' }])
  expect(await refusal(unheard)).toEqual([404, 'feature_not_found'])

  const later = await autumn.track({ ...messages, value: 4, async: true })
  expect(later).toMatchObject({ customerId: 'gus', value: 4, balance: null })
  expect(countsOf((await autumn.check(messages)).balance)).toEqual([50, 43, 7])
  const nobody = autumn.track({ customerId: 'nobody', featureId: 'messages', async: true })
  expect(await refusal(nobody)).toEqual([404, 'customer_not_found'])
}

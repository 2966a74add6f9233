import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { codeOf, Story } from './story.ts'

type Body = Record<string, unknown>

let story: Story
beforeAll(async () => {
  story = await Story.begin()
  const fee = (amount: number) => ({ price: { amount, interval: 'month' } })
  const messages = (included: number) => ({
    items: [{ feature_id: 'messages', included, reset: { interval: 'month' } }],
  })
  const trial = { free_trial: { duration_length: 14, duration_type: 'day', card_required: true } }
  const sold = { amount: 4, interval: 'one_off', billing_units: 100, billing_method: 'prepaid' }
  const plans: Body[] = [
    { plan_id: 'pack', name: 'Pack', add_on: true, items: [{ feature_id: 'messages', price: sold }] },
    { plan_id: 'boost', name: 'Boost', add_on: true, ...fee(6), ...messages(50) },
    { plan_id: 'hobby', name: 'Hobby', group: 'main', ...messages(5) },
    { plan_id: 'starter', name: 'Starter', group: 'main', ...fee(10), ...messages(10) },
    { plan_id: 'studio', name: 'Studio', group: 'main', ...fee(24), ...messages(20), ...trial },
    { plan_id: 'agency', name: 'Agency', group: 'main', ...fee(90), items: [{ feature_id: 'sso' }] },
    { plan_id: 'old', name: 'Old', group: 'main', ...fee(99), ...messages(99) },
  ]
  for (const plan of plans) await story.world.ok('plans.create', plan)
  await story.world.ok('plans.update', { plan_id: 'old', archived: true })
})
beforeEach(() => story.anew())
afterAll(() => story.world.close())

const attach = (plan_id: string, more: Body = {}) =>
  story.world.ok('billing.attach', { customer_id: 'alice', plan_id, ...more })
const paywall = async (feature: string, more: Body = {}) =>
  (await story.check(feature, 1000, { with_preview: true, ...more })).preview

describe('what a paywall offers (R55-R58)', () => {
  test.each<[string, readonly string[], string, readonly string[], string]>([
    [
      'all plans that have the feature, where no main plan is had; main ones first',
      [],
      'messages',
      ['hobby', 'starter', 'studio', 'pack', 'boost'],
      'Upgrade to Hobby',
    ],
    ['only upgrades of the main plan', ['starter'], 'messages', ['studio', 'pack', 'boost'], 'Start a trial of Studio'],
    ['add-ons that are not had', ['studio', 'boost'], 'messages', ['pack'], 'Purchase Pack'],
    ['what is paid once always', ['studio', 'boost', 'pack'], 'messages', ['pack'], 'Purchase Pack'],
    ['nothing, where nothing has it', [], 'images', [], 'Feature unavailable'],
    ['what has a flag', [], 'sso', ['agency'], 'Upgrade to Agency'],
  ])('%s', async (_label, had, feature, offered, title) => {
    for (const plan of had) await attach(plan)
    const { products, upgrade_product_id, ...preview } = await paywall(feature)
    expect(products.map(({ id }: Body) => id)).toEqual(offered)
    expect([upgrade_product_id, preview.title]).toEqual([offered[0] ?? null, title])
  })

  test('it says whether nothing is had or not enough, of the feature that answers (R56)', async () => {
    expect(await paywall('messages')).toMatchObject({ scenario: 'feature_flag', feature_id: 'credits' })
    await attach('starter')
    expect(await paywall('messages')).toMatchObject({
      ...{
        scenario: 'usage_limit',
        feature_id: 'messages',
        feature_name: 'Messages',
        title: 'Start a trial of Studio',
      },
      message: 'The usage limit for Messages is reached. Try Studio, which has Messages.',
    })
    await story.track('messages', 10)
    const sent = await story.check('messages', 1, { with_preview: true, send_event: true })
    expect([sent.allowed, sent.preview.upgrade_product_id]).toEqual([false, 'studio'])
  })

  test('it is null where access is allowed, and absent where nobody asked (R55)', async () => {
    await attach('starter')
    expect((await story.check('messages', 1, { with_preview: true })).preview).toBeNull()
    expect((await story.check('messages', 1, { with_preview: true, send_event: true })).preview).toBeNull()
    expect(await story.check('messages', 1000)).not.toHaveProperty('preview')
  })

  test.each(['2.4', '2.1', '2.0', '1.2'])('at %s plans are products on it', async (version) => {
    await attach('starter')
    const headers = { 'x-api-version': version }
    const body = { customer_id: 'alice', feature_id: 'messages', required_balance: 1000, with_preview: true }
    const { preview } = await story.world.ok('balances.check', body, headers)
    expect(preview.products[0]).toMatchObject({
      ...{ id: 'studio', is_add_on: false, is_default: false, scenario: 'upgrade', base_variant_id: null },
      items: [
        { type: 'price', feature_id: null, price: 24, interval: 'month' },
        { type: 'feature', feature_id: 'messages', feature_type: 'single_use', included_usage: 20, interval: 'month' },
      ],
      free_trial: { duration: 'day', length: 14, trial_available: true },
    })
  })

  test('a replay shows the same paywall', async () => {
    await attach('starter')
    const keyed = { 'idempotency-key': 'once' }
    const body = { customer_id: 'alice', feature_id: 'messages', required_balance: 1000, with_preview: true }
    const first = await story.world.call('balances.check', { ...body, send_event: true }, keyed)
    await attach('studio')
    const again = await story.world.call('balances.check', { ...body, send_event: true }, keyed)
    expect(first.body.preview.products).toHaveLength(3)
    expect(again.body).toEqual(first.body)
  })
})

describe('whether a product is had (R53, R54)', () => {
  const check = (product_id: string, more: Body = {}, version = '2.4') =>
    story.world.ok('POST /v1/check', { customer_id: 'alice', product_id, ...more }, { 'x-api-version': version })
  const FOUND = { customer_id: 'alice', code: 'product_found' }

  test.each(['2.4', '2.1', '2.0', '1.2'])('at %s the answer is the same', async (version) => {
    expect(await check('starter', {}, version)).toEqual({ ...FOUND, product_id: 'starter', allowed: false })
    await attach('starter')
    const had = { ...FOUND, product_id: 'starter', allowed: true, status: 'active' }
    expect(await check('starter', {}, version)).toEqual(had)
  })

  test('what is not simply had has a status', async () => {
    await attach('studio')
    expect(await check('studio')).toMatchObject({ allowed: true, status: 'trialing' })
    story.at('2026-03-01')
    expect(await check('studio')).toMatchObject({ allowed: true, status: 'active' })
    await attach('starter')
    expect(await check('studio')).toMatchObject({ allowed: true, status: 'canceled' })
    expect(await check('starter')).toMatchObject({ allowed: false, status: 'scheduled' })
  })

  test('an entity has only what is attached to it', async () => {
    await story.seat('desk')
    await attach('starter')
    const entity_id = 'desk'
    expect(await check('starter', { entity_id })).toEqual({ ...FOUND, product_id: 'starter', allowed: false })
    await attach('boost', { entity_id })
    expect(await check('boost', { entity_id })).toEqual({
      ...{ ...FOUND, product_id: 'boost', entity_id, allowed: true, status: 'active' },
    })
  })

  test('who is missing is created, unless there is no such product', async () => {
    const carol = { customer_id: 'carol', customer_data: { name: 'Carol' } }
    expect(await codeOf(story.world, 'balances.check', { ...carol, product_id: 'nope' })).toBe('404 product_not_found')
    expect(await codeOf(story.world, 'customers.get', { customer_id: 'carol' })).toBe('404 customer_not_found')
    expect(await check('starter', carol)).toMatchObject({ customer_id: 'carol', allowed: false })
    expect(await story.world.ok('customers.get', { customer_id: 'carol' })).toMatchObject({ name: 'Carol' })
  })

  test.each<[string, Body]>([
    ['neither a feature nor a product', {}],
    ['both', { feature_id: 'messages', product_id: 'starter' }],
    ['a product that is no text', { product_id: 5 }],
  ])('%s is refused', async (_label, body) => {
    expect(await codeOf(story.world, 'balances.check', { customer_id: 'alice', ...body })).toBe('400 invalid_inputs')
  })

  test('a preview says what it would cost, and in the place of what (R54)', async () => {
    story.at('2026-03-01T00:00:00Z')
    await attach('starter')
    story.at('2026-03-16T12:00:00Z')
    await attach('boost')
    const { preview } = await check('agency', { with_preview: true })
    expect(preview).toMatchObject({
      ...{ scenario: 'upgrade', product_id: 'agency', product_name: 'Agency', recurring: true, error_on_attach: false },
      ...{ current_product_name: 'Starter', options: [], product: { id: 'agency', scenario: 'upgrade' } },
      due_today: { price: 40, currency: 'usd' },
      due_next_cycle: { price: 90, currency: 'usd' },
      next_cycle_at: Date.parse('2026-04-01'),
    })
    expect(preview.items).toEqual(preview.product.items)
    expect((await check('starter', { with_preview: true })).preview).toMatchObject({
      ...{ scenario: 'active', due_today: { price: 0 }, due_next_cycle: null, next_cycle_at: null },
    })
  })
})

import { describe, expect, test } from 'vitest'
import { LIVE_KEY, openWorld } from '../world.ts'

const metered = { name: 'Messages', type: 'metered', consumable: true }
const AI = { feature_id: 'f', name: 'F', type: 'ai_credit_system' }

describe('defining features (B228-B233)', () => {
  test.each<[string, Record<string, unknown>, number, string]>([
    ['no name', { feature_id: 'f', type: 'boolean' }, 400, 'invalid_inputs'],
    ['an unknown type', { feature_id: 'f', name: 'F', type: 'gauge' }, 400, 'invalid_inputs'],
    ['an id with a space', { feature_id: 'a b', name: 'F', type: 'boolean' }, 400, 'invalid_inputs'],
    ['an id that exists', { feature_id: 'messages', ...metered }, 409, 'duplicate_feature_id'],
    ['a credit system without members', { feature_id: 'f', name: 'F', type: 'credit_system' }, 400, 'invalid_inputs'],
    [
      'a credit system with no member',
      { feature_id: 'f', name: 'F', type: 'credit_system', credit_schema: [] },
      400,
      'invalid_feature',
    ],
    [
      'a member that does not exist (REC)',
      {
        feature_id: 'f',
        name: 'F',
        type: 'credit_system',
        credit_schema: [{ metered_feature_id: 'nope', credit_cost: 1 }],
      },
      404,
      'feature_not_found',
    ],
    [
      'a member that is a flag',
      {
        feature_id: 'f',
        name: 'F',
        type: 'credit_system',
        credit_schema: [{ metered_feature_id: 'sso', credit_cost: 1 }],
      },
      400,
      'invalid_feature',
    ],
    [
      'a member twice',
      {
        feature_id: 'f',
        name: 'F',
        type: 'credit_system',
        credit_schema: [1, 2].map((credit_cost) => ({ metered_feature_id: 'messages', credit_cost })),
      },
      400,
      'invalid_feature',
    ],
    [
      'a negative cost',
      {
        feature_id: 'f',
        name: 'F',
        type: 'credit_system',
        credit_schema: [{ metered_feature_id: 'messages', credit_cost: -1 }],
      },
      400,
      'invalid_inputs',
    ],
    [
      'credits that are not consumable',
      {
        feature_id: 'f',
        name: 'F',
        type: 'credit_system',
        consumable: false,
        credit_schema: [{ metered_feature_id: 'messages', credit_cost: 1 }],
      },
      400,
      'invalid_inputs',
    ],
    [
      'AI credits with a schema',
      { ...AI, credit_schema: [{ metered_feature_id: 'messages', credit_cost: 1 }] },
      400,
      'invalid_feature',
    ],
    ['AI credits that are held', { ...AI, consumable: false }, 400, 'invalid_inputs'],
    ['AI credits below nothing', { ...AI, default_markup: -100.5 }, 400, 'invalid_inputs'],
    ['AI credits with a markup that is no number', { ...AI, default_markup: 'much' }, 400, 'invalid_inputs'],
    ['a provider without a markup', { ...AI, provider_markups: { openai: {} } }, 400, 'invalid_inputs'],
    ['a model that no provider has', { ...AI, model_markups: { '/gpt': { markup: 1 } } }, 400, 'invalid_inputs'],
    [
      'markups of what is no AI credit system',
      { feature_id: 'f', ...metered, default_markup: 1 },
      400,
      'invalid_inputs',
    ],
  ])('refuses %s', async (_label, body, status, code) => {
    const world = await openWorld()
    await world.ok('features.create', { feature_id: 'messages', ...metered })
    await world.ok('features.create', { feature_id: 'sso', name: 'SSO', type: 'boolean' })
    const reply = await world.call('features.create', body)
    expect([reply.status, reply.body.code]).toEqual([status, code])
    expect((await world.ok('features.list', {})).list).toHaveLength(2)
  })

  test('many created at once are all there, in the order of their answers', async () => {
    const world = await openWorld()
    const ids = Array.from({ length: 20 }, (_, i) => `f${i}`)
    await Promise.all(ids.map((feature_id) => world.ok('features.create', { feature_id, ...metered })))
    expect((await world.ok('features.list', {})).list.map(({ id }: { id: string }) => id)).toEqual(ids)
    await world.close()
  })

  test('a feature called __proto__ is a feature like any other', async () => {
    const world = await openWorld()
    await world.ok('features.create', { ...metered, feature_id: '__proto__' })
    await world.ok('customers.get_or_create', { customer_id: 'alice' })
    await world.ok('balances.create', { customer_id: 'alice', feature_id: '__proto__', included: 5 })
    const { balances } = await world.ok('customers.get', { customer_id: 'alice' })
    expect(Object.keys(balances)).toEqual(['__proto__'])
  })
})

describe('customers (B184-B204)', () => {
  test('an existing one is returned as it is; only a missing name or email is filled in (B189)', async () => {
    const world = await openWorld()
    const first = await world.ok('customers.get_or_create', {
      customer_id: 'alice',
      name: 'Alice',
      metadata: { tier: 'beta' },
    })
    expect(Object.keys(first)).toEqual([
      'id',
      'name',
      'email',
      'created_at',
      'fingerprint',
      'stripe_id',
      'env',
      'metadata',
      'send_email_receipts',
      'billing_controls',
      'subscriptions',
      'purchases',
      'licenses',
      'balances',
      'flags',
      'config',
    ])
    const second = await world.ok('customers.get_or_create', {
      customer_id: 'alice',
      name: 'Other',
      email: 'a@example.org',
      metadata: { tier: 'x' },
    })
    expect(second).toEqual({ ...first, email: 'a@example.org' })
  })

  test('update changes what it names, merges metadata and removes its nulls (B202, B204)', async () => {
    const world = await openWorld()
    await world.ok('customers.get_or_create', {
      customer_id: 'alice',
      name: 'Alice',
      email: 'a@example.org',
      metadata: { a: 1, b: { c: 2 } },
    })
    const after = await world.ok('customers.update', {
      customer_id: 'alice',
      name: null,
      metadata: { a: null, d: 3 },
      stripe_id: 'cus_9',
    })
    expect(after).toMatchObject({
      name: null,
      email: 'a@example.org',
      metadata: { b: { c: 2 }, d: 3 },
      stripe_id: 'cus_9',
    })
    expect(after.metadata).not.toHaveProperty('a')
    expect(await world.ok('customers.update', { customer_id: 'alice', stripe_id: '' })).toMatchObject({
      stripe_id: null,
    })
  })

  test.each(['', 'a b', 'a@b', 'ä', 'a.b', 'x'.repeat(257)])('refuses the id %j (B184)', async (customer_id) => {
    const world = await openWorld()
    const reply = await world.call('customers.get_or_create', { customer_id })
    expect([reply.status, reply.body.code]).toEqual([400, 'invalid_inputs'])
  })

  test.each<[string, Record<string, unknown>]>([
    ['usage limits', { billing_controls: { usage_limits: [{ feature_id: 'messages', limit: 5, interval: 'day' }] } }],
    ['overage that is not paid for', { config: { disable_overage_billing: true } }],
    ['a customer in Stripe', { create_in_stripe: true }],
  ])('refuses %s, which comes later, rather than ignore it', async (_label, body) => {
    const world = await openWorld()
    const reply = await world.call('customers.get_or_create', { customer_id: 'alice', ...body })
    expect([reply.status, reply.body.code]).toEqual([400, 'not_supported'])
    expect((await world.call('customers.get', { customer_id: 'alice' })).status).toBe(404)
  })

  test('controls and settings that ask for nothing pass', async () => {
    const world = await openWorld()
    const body = {
      billing_controls: { usage_limits: [], auto_topups: [] },
      config: { disable_pooled_balance: false, disable_overage_billing: false },
      create_in_stripe: false,
    }
    await world.ok('customers.get_or_create', { customer_id: 'alice', ...body })
  })

  test('what is expanded is shown, empty where there is none (B199)', async () => {
    const world = await openWorld()
    await world.ok('features.create', {
      feature_id: 'messages',
      ...metered,
      display: { singular: 'message', plural: 'messages' },
    })
    await world.ok('features.create', { feature_id: 'sso', name: 'SSO', type: 'boolean' })
    await world.ok('customers.get_or_create', { customer_id: 'alice' })
    await world.ok('balances.create', { customer_id: 'alice', feature_id: 'messages', included: 5 })
    await world.ok('balances.create', { customer_id: 'alice', feature_id: 'sso' })
    const customer = await world.ok('customers.get', {
      customer_id: 'alice',
      expand: ['balances.feature', 'flags.feature', 'entities', 'invoices'],
    })
    expect(customer.balances.messages.feature).toMatchObject({ id: 'messages', display: { singular: 'message' } })
    expect(customer.flags.sso.feature).toMatchObject({ id: 'sso', type: 'boolean' })
    expect([customer.entities, customer.invoices]).toEqual([[], []])
    expect((await world.call('customers.get', { customer_id: 'alice', expand: ['nonsense'] })).body.code).toBe(
      'invalid_inputs',
    )
  })

  test('sandbox and live share nothing (B10)', async () => {
    const world = await openWorld()
    const live = { authorization: `Bearer ${LIVE_KEY}` }
    await world.ok('features.create', { feature_id: 'messages', ...metered })
    await world.ok('customers.get_or_create', { customer_id: 'alice' })
    expect((await world.call('customers.get', { customer_id: 'alice' }, live)).body).toMatchObject({
      code: 'customer_not_found',
      env: 'live',
    })
    expect((await world.ok('features.list', {}, live)).list).toEqual([])
    expect(await world.ok('customers.get_or_create', { customer_id: 'alice' }, live)).toMatchObject({ env: 'live' })
  })
})

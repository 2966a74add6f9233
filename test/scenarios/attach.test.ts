import { describe, expect, test } from 'vitest'
import { D0, each, monthly, PlanStory, prepaid, seats } from './plan-story.ts'

const ADD_ON = { add_on: true, items: [{ feature_id: 'messages', included: 20, reset: { interval: 'one_off' } }] }
const PLANS = {
  hobby: { items: [each('messages', 25), { feature_id: 'sso' }] },
  starter: { price: monthly(10), items: [each('messages', 50)] },
  studio: { price: monthly(24), items: [each('messages', 300), { feature_id: 'images', unlimited: true }] },
  agency: { price: monthly(90), items: [each('messages', 1000)] },
  yearly: { price: { amount: 100, interval: 'year' }, items: [each('messages', 400)] },
  boost: ADD_ON,
  pack: { add_on: true, price: { amount: 9, interval: 'one_off' }, items: [{ feature_id: 'messages', included: 500 }] },
  'one-off': { price: { amount: 9, interval: 'one_off' }, items: [{ feature_id: 'messages', included: 5 }] },
  solo: { group: 'other', items: [each('images', 7)] },
}

describe('attaching a plan', () => {
  test('a free one beside nothing grants at once, flags and unlimited features too (C108, B45)', async () => {
    const told = await PlanStory.begin(PLANS)
    expect(await told.attach('hobby')).toEqual({ customer_id: 'alice', payment_url: null })
    expect(await told.plans()).toEqual(['hobby active'])
    await told.holds('messages', '25/25/0')
    await told.resets('messages', '2030-02-28')
    expect((await told.story.check('sso')).flag.plan_id).toBe('hobby')
    await told.attach('studio')
    expect((await told.story.check('images', 1000)).allowed).toBe(true)
    // It was part of the plan that is gone.
    expect((await told.story.check('sso')).allowed).toBe(false)
  })

  test('resets are counted from the day of attaching, not from the one before (W1, W2, law 9)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('hobby')
    await told.story.track('messages', 5)
    told.at('2030-02-28T10:00:01Z')
    await told.holds('messages', '25/25/0')
    await told.resets('messages', '2030-03-31')
  })

  test('plans of other groups, add-ons and purchases stand beside a main plan, each time anew (C96, C128, W19)', async () => {
    const told = await PlanStory.begin(PLANS)
    for (const plan of ['starter', 'solo', 'boost', 'boost', 'pack', 'pack']) await told.attach(plan)
    expect(await told.plans()).toEqual([
      'starter active',
      'solo active',
      'boost active',
      'boost active',
      'pack bought',
      'pack bought',
    ])
    await told.holds('messages', '1090/1090/0')
  })

  test('the same main plan twice is refused, also while it is cancelled (C111, W15)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    expect(await told.refused('billing.attach', { plan_id: 'studio' })).toBe('409 plan_already_attached')
    await told.update({ plan_id: 'studio', cancel_action: 'cancel_end_of_cycle' })
    expect(await told.refused('billing.attach', { plan_id: 'studio' })).toBe('409 plan_already_attached')
    await told.holds('messages', '300/300/0')
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['a plan that nobody defined', { plan_id: 'gold' }, '404 product_not_found'],
    ['a version that there never was', { plan_id: 'studio', version: 2 }, '404 product_not_found'],
    ['an entity that is not there', { plan_id: 'studio', entity_id: 'desk' }, '404 entity_not_found'],
    ['a customer that is not there', { plan_id: 'studio', customer_id: 'bob' }, '404 customer_not_found'],
    ['nobody at all', { plan_id: 'studio', customer_id: null }, '400 invalid_inputs'],
    ['a cycle of its own in the past', { plan_id: 'studio', billing_cycle_anchor: 1000 }, '400 invalid_request'],
    ['a cycle of what is paid once', { plan_id: 'pack', billing_cycle_anchor: 'now' }, '400 invalid_request'],
    ['an end that has passed', { plan_id: 'studio', ends_at: 1000 }, '400 invalid_request'],
    ['an end of what is free', { plan_id: 'hobby', ends_at: Date.parse(D0) + 1000 }, '400 invalid_request'],
    ['a beginning of what is free', { plan_id: 'hobby', starts_at: Date.parse(D0) + 999_999 }, '400 invalid_request'],
    [
      'a beginning, and one at the end of the cycle',
      { plan_id: 'studio', starts_at: Date.parse(D0) + 999_999, plan_schedule: 'end_of_cycle' },
      '400 invalid_request',
    ],
    [
      'a shared cycle where nothing is paid',
      { plan_id: 'boost', new_billing_subscription: false },
      '400 invalid_request',
    ],
    [
      'use of what is held',
      { plan_id: 'studio', carry_over_usages: { enabled: true, feature_ids: ['seats'] } },
      '400 invalid_request',
    ],
    [
      'use of what is not defined',
      { plan_id: 'studio', carry_over_balances: { enabled: true, feature_ids: ['gold'] } },
      '404 feature_not_found',
    ],
    [
      'the end of a plan that she does not have',
      { plan_id: 'studio', remove_plan_ids: ['solo'] },
      '404 product_not_found',
    ],
    ['the end of the plan itself', { plan_id: 'studio', remove_plan_ids: ['studio'] }, '400 invalid_request'],
    ['discounts', { plan_id: 'studio', discounts: [{ reward_id: 'ten' }] }, '400 not_supported'],
    ['another currency', { plan_id: 'studio', currency: 'eur' }, '400 not_supported'],
  ])('%s is refused, and nothing changes', async (_label, body, code) => {
    const told = await PlanStory.begin(PLANS)
    expect(await told.refused('billing.attach', body)).toBe(code)
    expect(await told.plans()).toEqual([])
  })

  test('an archived plan can still be attached, and an older version by its number (C58, C66)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.world.ok('customers.get_or_create', { customer_id: 'bob' })
    await told.attach('starter', { customer_id: 'bob' })
    await told.world.ok('plans.update', { plan_id: 'starter', items: [each('messages', 60)], archived: true })
    await told.attach('starter')
    await told.holds('messages', '60/60/0')
    await told.world.ok('customers.get_or_create', { customer_id: 'carol' })
    await told.attach('starter', { customer_id: 'carol', version: 1 })
    const { balances } = await told.world.ok('customers.get', { customer_id: 'carol' })
    expect(balances.messages.granted).toBe(50)
    // Who has the older version keeps it.
    expect((await told.world.ok('customers.get', { customer_id: 'bob' })).balances.messages.granted).toBe(50)
  })

  test('the caller names a subscription once (C123, C178)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('boost', { subscription_id: 'first' })
    const again = { plan_id: 'boost', subscription_id: 'first' }
    expect(await told.refused('billing.attach', again)).toBe('409 duplicate_subscription_id')
    await told.attach('boost', { subscription_id: 'second' })
    await told.update({ subscription_id: 'first', cancel_action: 'cancel_immediately' })
    const { subscriptions } = await told.world.ok('customers.get', { customer_id: 'alice' })
    expect(subscriptions.map(({ id }: { id: string }) => id)).toEqual(['second'])
    // Whose time is over has no name any more.
    await told.attach('boost', { subscription_id: 'first' })
  })

  test('plans can end with the attaching of another, and what is left of the only one can be carried over (C129)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('solo')
    await told.attach('boost')
    await told.attach('studio', { remove_plan_ids: ['solo', 'boost'] })
    expect(await told.plans()).toEqual(['studio active'])
    await told.holds('messages', '300/300/0')
  })

  test('a plan that begins later is scheduled, and gives nothing before (C118, C133)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio', { starts_at: Date.parse('2030-02-10T10:00:00Z') })
    expect(await told.plans()).toEqual(['studio scheduled from 2030-02-10'])
    await told.holds('messages', 'nothing')
    told.at('2030-02-10')
    expect(await told.plans()).toEqual(['studio active from 2030-02-10'])
    await told.holds('messages', '300/300/0')
    await told.resets('messages', '2030-03-10')
  })

  test('an end that is set already is never put off, by a cancellation or by what is to come after', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio', { ends_at: Date.parse('2030-02-10T10:00:00Z') })
    await told.update({ plan_id: 'studio', cancel_action: 'cancel_end_of_cycle' })
    expect(await told.plans()).toEqual(['studio active cancelled until 2030-02-10'])
    await told.attach('starter')
    expect(await told.plans()).toEqual([
      'studio active cancelled until 2030-02-10',
      'starter scheduled from 2030-02-10',
    ])
  })

  test('a plan with an end is gone with it (C119)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio', { ends_at: Date.parse('2030-03-10T10:00:00Z') })
    expect(await told.plans()).toEqual(['studio active until 2030-03-10'])
    told.at('2030-03-10')
    expect(await told.plans()).toEqual([])
    await told.holds('messages', 'nothing')
  })
})

describe('several plans at once (C175)', () => {
  test('are all attached, to whom each names', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.story.seat('desk')
    const plans = [{ plan_id: 'agency' }, { plan_id: 'boost' }, { plan_id: 'solo', entity_id: 'desk' }]
    await told.world.ok('billing.multi_attach', { customer_id: 'alice', plans })
    expect(await told.plans()).toEqual(['agency active', 'boost active', 'solo active of an entity'])
    await told.holds('messages', '1020/1020/0')
    await told.story.sees('desk', 'images', '7/7/0')
  })

  const REPEATED = { plan_id: 'one-off', customize: { price: monthly(9) } }

  test.each<[string, unknown[], string]>([
    [
      'two main plans of a group, one of them on terms of her own',
      [REPEATED, { plan_id: 'starter' }],
      '400 invalid_request',
    ],
    ['two main plans of a group', [{ plan_id: 'studio' }, { plan_id: 'starter' }], '400 invalid_request'],
    ['one that she has', [{ plan_id: 'boost' }, { plan_id: 'hobby' }], '400 invalid_request'],
    ['one that is not there', [{ plan_id: 'boost' }, { plan_id: 'gold' }], '404 product_not_found'],
    ['none', [], '400 invalid_inputs'],
  ])('%s: nothing is attached', async (_label, plans, code) => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('hobby')
    expect(await told.refused('billing.multi_attach', { plans })).toBe(code)
    expect(await told.plans()).toEqual(['hobby active'])
  })
})

describe('units that are bought in advance', () => {
  const PACK = { pack: { items: [prepaid('messages', 100, { billing_units: 100 })] } }

  test.each<[string, number | undefined, string]>([
    ['W3: rounded up to whole packs', 250, '300/300/0'],
    ['W4: the total counts what is included', 300, '300/300/0'],
    ['W5: less than what is included buys nothing', 80, '100/100/0'],
    ['W6: nothing is ordered', undefined, '100/100/0'],
  ])('%s (C130)', async (_label, quantity, figures) => {
    const told = await PlanStory.begin(PACK)
    const feature_quantities = quantity === undefined ? [] : [{ feature_id: 'messages', quantity }]
    await told.attach('pack', { feature_quantities })
    await told.holds('messages', figures)
    told.at('2030-02-28')
    await told.holds('messages', figures)
  })

  test('what is not sold in advance is ordered in vain; what may not be bought is refused (C127)', async () => {
    const told = await PlanStory.begin({
      pack: { items: [prepaid('messages', 100, { max_purchase: 200 }), each('images', 5)] },
    })
    const order = (feature_id: string, quantity: number) => ({
      plan_id: 'pack',
      feature_quantities: [{ feature_id, quantity }],
    })
    expect(await told.refused('billing.attach', order('messages', 301))).toBe('400 invalid_request')
    expect(await told.refused('billing.attach', order('messages', -1))).toBe('400 invalid_inputs')
    await told.world.ok('billing.attach', { customer_id: 'alice', ...order('images', 50) })
    await told.holds('images', '5/5/0')
    await told.holds('messages', '100/100/0')
  })

  test('the breakdown tells what was bought, and its price (B34, K 3.4)', async () => {
    const told = await PlanStory.begin(PACK)
    await told.attach('pack', { feature_quantities: [{ feature_id: 'messages', quantity: 250 }] })
    const { breakdown, max_purchase, overage_allowed } = await told.balance('messages')
    expect(breakdown).toMatchObject([
      {
        plan_id: 'pack',
        included_grant: 100,
        prepaid_grant: 200,
        price: { amount: 1, billing_units: 100, billing_method: 'prepaid', max_purchase: null },
      },
    ])
    expect([max_purchase, overage_allowed]).toEqual([null, false])
    expect((await told.story.check('messages', 301)).allowed).toBe(false)
  })

  test('units bought once last as long as the item says, from each purchase on (K 2.2)', async () => {
    const told = await PlanStory.begin({
      topup: {
        add_on: true,
        items: [prepaid('messages', 0, { interval: 'one_off' }, { expiry: { duration: 'month', length: 1 } })],
      },
    })
    const buy = { feature_quantities: [{ feature_id: 'messages', quantity: 10 }] }
    await told.attach('topup', buy)
    told.at('2030-02-15')
    await told.attach('topup', buy)
    await told.holds('messages', '20/20/0')
    told.at('2030-02-28')
    await told.holds('messages', '10/10/0')
    told.at('2030-03-15')
    await told.holds('messages', 'nothing')
    expect(await told.plans()).toEqual(['topup bought', 'topup bought from 2030-02-15'])
  })
})

describe('plans and entities', () => {
  test('those of a customer and of its entities never replace each other (C219, W21)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.story.seat('desk')
    await told.attach('studio')
    await told.attach('starter', { entity_id: 'desk' })
    expect(await told.plans()).toEqual(['studio active', 'starter active of an entity'])
    expect(await told.plans('desk')).toEqual(['starter active of an entity', 'studio active'])
    await told.story.sees('desk', 'messages', '350/350/0')
    await told.update({ plan_id: 'starter', entity_id: 'desk', cancel_action: 'cancel_immediately' })
    expect(await told.plans()).toEqual(['studio active'])
    await told.story.sees('desk', 'messages', '300/300/0')
  })

  test('a plan of an entity goes with it (B220)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.story.seat('desk')
    await told.attach('starter', { entity_id: 'desk' })
    await told.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'desk' })
    expect(await told.plans()).toEqual([])
    await told.holds('messages', 'nothing')
  })

  test('entities that are there take the seats of a plan that comes later, and owe what it does not include (B218)', async () => {
    const told = await PlanStory.begin({ team: { price: monthly(5), items: [seats(2)] } })
    await told.story.seat('a', 'b', 'c')
    await told.attach('team')
    await told.holds('seats', '2/0/3')
    await told.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'c' })
    await told.holds('seats', '2/0/2')
  })
})

import { describe, expect, test } from 'vitest'
import { each, monthly, PlanStory } from './plan-story.ts'

const PLANS = {
  hobby: { items: [each('messages', 25)], auto_enable: true },
  studio: { price: monthly(24), items: [each('messages', 300)] },
  other: { group: 'other', price: monthly(9), items: [each('images', 9)] },
  boost: { add_on: true, price: monthly(3), items: [each('messages', 20)] },
  pack: { add_on: true, price: { amount: 9, interval: 'one_off' }, items: [{ feature_id: 'messages', included: 500 }] },
}

describe('cancelling at once', () => {
  test('ends the plan with its balances, and the free default of its group begins anew (W17, C165)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    await told.story.track('messages', 290)
    await told.update({ plan_id: 'studio', cancel_action: 'cancel_immediately' })
    expect(await told.plans()).toEqual(['hobby active'])
    await told.holds('messages', '25/25/0')
  })

  test.each<[string, string[]]>([
    ['boost', ['studio active']],
    ['pack', ['studio active']],
    // Its group has no plan that everybody gets.
    ['other', ['studio active']],
  ])('%s: nothing comes in its place (C166)', async (plan, left) => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    await told.attach(plan)
    await told.update({ plan_id: plan, cancel_action: 'cancel_immediately' })
    expect(await told.plans()).toEqual(left)
    await told.holds('messages', '300/300/0')
  })

  test('what was to come in its place never comes, nor add-ons that were to come beside it', async () => {
    const told = await PlanStory.begin({ ...PLANS, starter: { price: monthly(5), items: [each('messages', 50)] } })
    await told.attach('studio')
    await told.attach('starter')
    await told.attach('boost', { starts_at: Date.parse('2030-02-10T10:00:00Z') })
    await told.update({ plan_id: 'studio', cancel_action: 'cancel_immediately' })
    expect(await told.plans()).toEqual(['hobby active'])
    told.at('2030-04-01')
    expect(await told.plans()).toEqual(['hobby active'])
  })

  test('a plan of an entity hands over to nothing (C165)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.story.seat('desk')
    await told.attach('studio', { entity_id: 'desk' })
    await told.update({ plan_id: 'studio', entity_id: 'desk', cancel_action: 'cancel_immediately' })
    expect(await told.plans('desk')).toEqual([])
  })

  test('a balance that no plan gave survives, a rollover of the plan does not (C174)', async () => {
    const rollover = { max: 100, expiry_duration_type: 'forever' }
    const told = await PlanStory.begin({ a: { price: monthly(1), items: [each('messages', 50, { rollover })] } })
    await told.attach('a')
    await told.story.grant('messages', { included_grant: 7 })
    told.at('2030-02-28')
    await told.holds('messages', '107/107/0')
    await told.update({ plan_id: 'a', cancel_action: 'cancel_immediately' })
    await told.holds('messages', '7/7/0')
  })
})

describe('cancelling at the end of the cycle', () => {
  test('leaves the plan as it is until then, with the free default scheduled (W18)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    told.at('2030-02-10')
    await told.update({ plan_id: 'studio', cancel_action: 'cancel_end_of_cycle' })
    expect(await told.plans()).toEqual(['studio active cancelled until 2030-02-28', 'hobby scheduled from 2030-02-28'])
    await told.holds('messages', '300/300/0')
    told.at('2030-02-28')
    expect(await told.plans()).toEqual(['hobby active from 2030-02-28'])
    await told.holds('messages', '25/25/0')
    await told.resets('messages', '2030-03-28')
  })

  test('an add-on just ends (C173)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('boost')
    await told.update({ plan_id: 'boost', cancel_action: 'cancel_end_of_cycle' })
    expect(await told.plans()).toEqual(['boost active cancelled until 2030-02-28'])
    told.at('2030-02-28')
    expect(await told.plans()).toEqual([])
  })

  test.each(['hobby', 'pack'])('%s has no cycle (C167)', async (plan) => {
    const told = await PlanStory.begin(PLANS)
    await told.attach(plan)
    const body = { plan_id: plan, cancel_action: 'cancel_end_of_cycle' }
    expect(await told.refused('billing.update', body)).toBe('400 invalid_request')
  })

  test('is taken back: the plan goes on, and what was scheduled never comes; where nothing is cancelled nothing happens', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    await told.update({ plan_id: 'studio', cancel_action: 'uncancel' })
    await told.update({ plan_id: 'studio', cancel_action: 'cancel_end_of_cycle' })
    await told.update({ plan_id: 'studio', cancel_action: 'uncancel' })
    expect(await told.plans()).toEqual(['studio active'])
    told.at('2030-04-01')
    expect(await told.plans()).toEqual(['studio active'])
  })

  test('a scheduled plan has nothing that could be taken back (C169)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    await told.attach('hobby')
    const body = { plan_id: 'hobby', cancel_action: 'uncancel' }
    expect(await told.refused('billing.update', body)).toBe('400 invalid_request')
  })
})

describe('which plan is meant (C156)', () => {
  test('the most important one where none is named', async () => {
    const told = await PlanStory.begin(PLANS)
    for (const plan of ['pack', 'boost', 'studio']) await told.attach(plan)
    for (const left of [
      ['boost active', 'hobby active', 'pack bought'],
      ['boost active', 'pack bought'],
      ['pack bought'],
      [],
    ]) {
      await told.update({ cancel_action: 'cancel_immediately' })
      expect(await told.plans()).toEqual(left)
    }
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['a plan that she does not have', { plan_id: 'other', cancel_action: 'uncancel' }, '404 cus_product_not_found'],
    [
      'a subscription that there is not',
      { subscription_id: 'x', cancel_action: 'uncancel' },
      '404 cus_product_not_found',
    ],
    ['an entity that is not there', { entity_id: 'x', cancel_action: 'uncancel' }, '404 entity_not_found'],
    [
      'a feature that is not sold in advance',
      { plan_id: 'studio', feature_quantities: [{ feature_id: 'messages', quantity: 5 }] },
      '404 cus_product_not_found',
    ],
    ['nothing to change', { plan_id: 'studio' }, '400 invalid_inputs'],
    ['a version that there is not', { plan_id: 'studio', version: 7 }, '404 product_not_found'],
    ['a refund of what is not cancelled', { refund_last_payment: 'full', version: 1 }, '400 invalid_inputs'],
    [
      'a cycle of its own, and a cancellation',
      { billing_cycle_anchor: 'now', cancel_action: 'uncancel' },
      '400 invalid_request',
    ],
  ])('%s is refused', async (_label, body, code) => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    expect(await told.refused('billing.update', body)).toBe(code)
    expect(await told.plans()).toEqual(['studio active'])
  })
})

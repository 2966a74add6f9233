import { describe, expect, test } from 'vitest'
import { each, monthly, PlanStory, prepaid, seats } from './plan-story.ts'

const STUDIO = { price: monthly(24), items: [each('messages', 300), seats(2)] }
const sold = (on_decrease: string) =>
  prepaid('images', 0, {}, { proration: { on_increase: 'prorate_immediately', on_decrease } })
const order = (quantity: number) => ({ feature_quantities: [{ feature_id: 'images', quantity }] })

describe('terms of one customer alone', () => {
  test('are made at attaching: a price, items instead of all, items more and fewer (C102-C104)', async () => {
    const told = await PlanStory.begin({ studio: STUDIO })
    await told.attach('studio', {
      customize: {
        price: monthly(19),
        add_items: [{ feature_id: 'images', unlimited: true }],
        remove_items: [{ feature_id: 'seats' }],
      },
    })
    await told.holds('messages', '300/300/0')
    await told.holds('seats', 'nothing')
    expect((await told.story.check('images', 99)).allowed).toBe(true)
    // The catalogue, and whoever has the plan otherwise, know nothing of it.
    expect((await told.world.ok('plans.get', { plan_id: 'studio' })).price.amount).toBe(24)
    await told.world.ok('plans.update', { plan_id: 'studio', items: [each('messages', 1)] })
    await told.holds('messages', '300/300/0')
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['nothing', {}, '400 invalid_inputs'],
    ['all items anew and some more', { items: [], add_items: [] }, '400 invalid_inputs'],
    ['a filter that says hardly anything', { remove_items: [{ included: 5 }] }, '400 invalid_inputs'],
    ['a filter that nothing matches', { remove_items: [{ feature_id: 'images' }] }, '400 invalid_request'],
    ['an unknown feature', { add_items: [{ feature_id: 'gold', included: 1 }] }, '404 feature_not_found'],
    ['what the plan has already', { add_items: [each('messages', 50)] }, '400 invalid_product_item'],
    ['weeks beside months', { price: { amount: 5, interval: 'week' } }, '400 invalid_product_item'],
    ['controls', { billing_controls: { usage_limits: [{ limit: 5 }] } }, '400 not_supported'],
  ])('%s are refused', async (_label, customize, code) => {
    const told = await PlanStory.begin({ studio: STUDIO })
    expect(await told.refused('billing.attach', { plan_id: 'studio', customize })).toBe(code)
    expect(await told.plans()).toEqual([])
  })

  test('a change keeps all use and the day of the reset, whatever is left of it (C158, W11)', async () => {
    const told = await PlanStory.begin({ studio: STUDIO })
    await told.attach('studio')
    await told.story.track('messages', 80)
    await told.story.track('seats', 3)
    told.at('2030-02-10')
    await told.update({ plan_id: 'studio', customize: { items: [each('messages', 50), seats(1)] } })
    await told.holds('messages', '50/0/80')
    await told.holds('seats', '1/0/3')
    await told.resets('messages', '2030-02-28')
    expect(await told.plans()).toEqual(['studio active'])
    told.at('2030-02-28')
    await told.holds('messages', '50/50/0')
  })

  test('discovered: of a free plan that comes later, which cost something then, begin their cycles when it begins', async () => {
    const told = await PlanStory.begin({ hobby: { items: [each('messages', 5)], auto_enable: true }, studio: STUDIO })
    await told.attach('studio')
    await told.update({ plan_id: 'studio', cancel_action: 'cancel_end_of_cycle' })
    await told.update({ plan_id: 'hobby', customize: { price: monthly(2) } })
    told.at('2030-02-28')
    await told.resets('messages', '2030-03-28')
  })

  test('use can be forgotten instead (C144)', async () => {
    const told = await PlanStory.begin({ studio: STUDIO })
    await told.attach('studio')
    await told.story.track('messages', 80)
    await told.story.track('seats', 3)
    const customize = { items: [each('messages', 50), seats(5)] }
    await told.update({ plan_id: 'studio', customize, carry_over_usages: { enabled: false } })
    await told.holds('messages', '50/50/0')
    // What is held is always held.
    await told.holds('seats', '5/2/3')
  })

  test('another version is taken up on request, and only then (C58)', async () => {
    const told = await PlanStory.begin({ studio: STUDIO })
    await told.attach('studio')
    await told.story.track('messages', 80)
    expect((await told.world.ok('plans.update', { plan_id: 'studio', items: [each('messages', 400)] })).version).toBe(2)
    await told.holds('messages', '300/220/80')
    await told.update({ plan_id: 'studio', version: 2 })
    await told.holds('messages', '400/320/80')
    await told.holds('seats', 'nothing')
  })

  test('a plan that is paid again and again never becomes a purchase (C158)', async () => {
    const told = await PlanStory.begin({ studio: STUDIO })
    await told.attach('studio')
    const once = { price: { amount: 9, interval: 'one_off' }, items: [{ feature_id: 'messages', included: 5 }] }
    expect(await told.refused('billing.update', { plan_id: 'studio', customize: once })).toBe('400 invalid_request')
  })

  test.each<[string, Record<string, unknown>]>([
    ['the same items', { customize: { items: [seats(2), each('messages', 300)] } }],
    ['the same price', { customize: { price: monthly(24) } }],
    ['the same version', { version: 1 }],
  ])('%s are no change (C158)', async (_label, change) => {
    const told = await PlanStory.begin({ studio: STUDIO })
    await told.attach('studio')
    expect(await told.refused('billing.update', { plan_id: 'studio', ...change })).toBe('400 invalid_request')
  })

  test('a scheduled plan can be changed before it begins (C164)', async () => {
    const told = await PlanStory.begin({
      studio: STUDIO,
      starter: { price: monthly(5), items: [each('messages', 50)] },
    })
    await told.attach('studio')
    await told.attach('starter')
    await told.update({ plan_id: 'starter', customize: { items: [each('messages', 70)] } })
    await told.holds('messages', '300/300/0')
    told.at('2030-02-28')
    await told.holds('messages', '70/70/0')
  })

  test('the cycle can be begun now', async () => {
    const told = await PlanStory.begin({ studio: STUDIO })
    await told.attach('studio')
    await told.story.track('messages', 80)
    told.at('2030-02-10')
    await told.update({ plan_id: 'studio', billing_cycle_anchor: 'now' })
    await told.holds('messages', '300/220/80')
    await told.resets('messages', '2030-03-10')
  })
})

describe('quantities', () => {
  test('more is there at once, and again at every reset (C159)', async () => {
    const told = await PlanStory.begin({ studio: { price: monthly(9), items: [sold('none')] } })
    await told.attach('studio', order(5))
    await told.story.track('images', 4)
    await told.update({ plan_id: 'studio', ...order(8) })
    await told.holds('images', '8/4/4')
    told.at('2030-02-28')
    await told.holds('images', '8/8/0')
  })

  test.each([
    ['none', '5/5/0', '3/3/0'],
    ['no_prorations', '5/5/0', '3/3/0'],
    ['prorate', '3/3/0', '3/3/0'],
    ['prorate_immediately', '3/3/0', '3/3/0'],
    ['prorate_next_cycle', '3/3/0', '3/3/0'],
    ['no_action', '5/5/0', '3/3/0'],
    ['refund_immediately', '3/3/0', '3/3/0'],
  ])(
    'fewer, with on_decrease %s: now %s, from the next reset on %s (C160, C254, W22, W23)',
    async (policy, now, then) => {
      const told = await PlanStory.begin({ studio: { price: monthly(9), items: [sold(policy)] } })
      await told.attach('studio', order(5))
      await told.update({ plan_id: 'studio', ...order(3) })
      await told.holds('images', now)
      told.at('2030-02-28')
      await told.holds('images', then)
      told.at('2030-03-31')
      await told.holds('images', then)
    },
  )

  test('fewer seats wait for the end of what is paid for, where the first cycle is a longer one (C160, W22)', async () => {
    const told = await PlanStory.begin({
      studio: { price: monthly(9), items: [{ ...sold('none'), feature_id: 'seats' }] },
    })
    const seatsOf = (quantity: number) => ({ feature_quantities: [{ feature_id: 'seats', quantity }] })
    await told.attach('studio', { ...seatsOf(5), billing_cycle_anchor: Date.parse('2030-05-15T10:00:00Z') })
    await told.update({ plan_id: 'studio', ...seatsOf(3) })
    told.at('2030-05-14')
    await told.holds('seats', '5/5/0')
    told.at('2030-05-15')
    await told.holds('seats', '3/3/0')
  })

  test('discovered: stay those of their item where those of the plan are told in another order (C55)', async () => {
    const items = [prepaid('images', 0), prepaid('messages', 0)]
    const told = await PlanStory.begin({ studio: { price: monthly(9), items }, agency: { price: monthly(90), items } })
    await told.attach('studio', order(5))
    await told.world.ok('plans.update', { plan_id: 'studio', items: items.toReversed() })
    await told.attach('agency')
    await told.holds('images', '5/5/0')
    await told.holds('messages', '0/0/0')
  })

  test('a decrease that waits is undone by ordering more again (C160)', async () => {
    const told = await PlanStory.begin({ studio: { price: monthly(9), items: [sold('none')] } })
    await told.attach('studio', order(5))
    await told.update({ plan_id: 'studio', ...order(3) })
    await told.update({ plan_id: 'studio', ...order(5) })
    told.at('2030-02-28')
    await told.holds('images', '5/5/0')
  })

  test('a decrease may leave less than was used, and debts can be set off against what is left elsewhere (C160, C162)', async () => {
    const told = await PlanStory.begin({ studio: { price: monthly(9), items: [sold('prorate')] } })
    await told.attach('studio', order(5))
    await told.story.track('images', 4)
    await told.story.grant('images', { included_grant: 10, reset: { interval: 'month' } })
    await told.update({ plan_id: 'studio', ...order(2) })
    expect((await told.lines('images')).sort()).toEqual(['- 10/10/0', 'studio 2/0/4'])
    await told.update({ plan_id: 'studio', ...order(1), recalculate_balances: { enabled: true } })
    expect((await told.lines('images')).sort()).toEqual(['- 10/7/3', 'studio 1/0/1'])
  })

  test('a top-up adds to what is bought once, and pays off debts first (C163)', async () => {
    const items = [
      each('images', 10, { price: { amount: 1, interval: 'month', billing_method: 'usage_based' } }),
      prepaid('images', 0, { interval: 'one_off', billing_units: 10 }),
    ]
    const told = await PlanStory.begin({ studio: { price: monthly(9), items } })
    await told.attach('studio')
    await told.story.track('images', 14)
    await told.update({ plan_id: 'studio', ...order(25) })
    expect((await told.lines('images')).sort()).toEqual(['studio 10/0/10', 'studio 30/26/4'])
    await told.update({ plan_id: 'studio', ...order(10) })
    expect((await told.lines('images')).sort()).toEqual(['studio 10/0/10', 'studio 40/36/4'])
    const more = { plan_id: 'studio', ...order(5), cancel_action: 'cancel_immediately' }
    expect(await told.refused('billing.update', more)).toBe('400 invalid_request')
  })
})

import { describe, expect, test } from 'vitest'
import { each, monthly, PlanStory } from './plan-story.ts'

const trial = (duration_length: number, duration_type: string, card_required: boolean) => ({
  free_trial: { duration_length, duration_type, card_required },
})
const PLANS = {
  hobby: { items: [each('messages', 25)] },
  card: { price: monthly(20), items: [each('messages', 300)], ...trial(14, 'day', true) },
  free_trial: { price: monthly(20), items: [each('messages', 300)], ...trial(14, 'day', false) },
  long: { price: monthly(20), items: [each('messages', 300)], ...trial(3, 'month', true) },
  dear: { price: monthly(50), items: [each('messages', 900)], ...trial(7, 'day', true) },
  trial_only: { items: [each('messages', 40)], ...trial(7, 'day', false) },
}

describe('a trial', () => {
  test('gives everything at once; the first reset is its end, and a paid plan with a card goes on (C74, C77)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('card')
    expect(await told.plans()).toEqual(['card active on trial until 2030-02-14'])
    await told.holds('messages', '300/300/0')
    await told.resets('messages', '2030-02-14')
    told.at('2030-02-14')
    expect(await told.plans()).toEqual(['card active'])
    await told.resets('messages', '2030-03-14')
  })

  test('a longer one has resets that are counted back from its end (C77)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('long')
    expect(await told.plans()).toEqual(['long active on trial until 2030-04-30'])
    await told.resets('messages', '2030-02-28')
    told.at('2030-02-28')
    await told.resets('messages', '2030-03-30')
  })

  test('without a card it ends the plan, and the free default comes (C78)', async () => {
    const told = await PlanStory.begin({ ...PLANS, hobby: { ...PLANS.hobby, auto_enable: true } })
    await told.attach('free_trial')
    expect(await told.plans()).toEqual(['free_trial active on trial until 2030-02-14 until 2030-02-14'])
    told.at('2030-02-14')
    expect(await told.plans()).toEqual(['hobby active from 2030-02-14'])
    await told.holds('messages', '25/25/0')
  })

  test('of a plan that costs nothing ends it, too', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('trial_only')
    told.at('2030-02-07')
    expect(await told.plans()).toEqual([])
  })

  test('is given once for each plan and subject, whatever the version (C75)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('card')
    await told.update({ plan_id: 'card', cancel_action: 'cancel_immediately' })
    await told.attach('card')
    expect(await told.plans()).toEqual(['card active'])
    const { trials_used } = await told.world.ok('customers.get', { customer_id: 'alice', expand: ['trials_used'] })
    expect(trials_used).toEqual([{ plan_id: 'card', customer_id: 'alice', fingerprint: null }])
    await told.story.seat('desk')
    await told.attach('card', { entity_id: 'desk' })
    expect(await told.plans('desk')).toContain('card active of an entity on trial until 2030-02-14')
  })

  test('made for one customer is given whatever was before, and can be left out (C76)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('card', { customize: { free_trial: null } })
    expect(await told.plans()).toEqual(['card active'])
    await told.update({ plan_id: 'card', cancel_action: 'cancel_immediately' })
    const longer = { duration_length: 1, duration_type: 'month', card_required: true }
    await told.attach('card', { customize: { free_trial: longer } })
    expect(await told.plans()).toEqual(['card active on trial until 2030-02-28'])
  })

  test('an upgrade has the trial of its own plan, and what follows has that of before (C76)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('card')
    told.at('2030-02-10')
    await told.attach('dear')
    expect(await told.plans()).toEqual(['dear active from 2030-02-10 on trial until 2030-02-17'])
    await told.attach('long', { plan_schedule: 'immediate' })
    expect(await told.plans()).toEqual(['long active from 2030-02-10 on trial until 2030-02-17'])
  })

  test('the rest of one with a card is no end of the plan that has it, that of one without is', async () => {
    const told = await PlanStory.begin({ ...PLANS, plain: { price: monthly(5), items: [each('messages', 10)] } })
    await told.attach('card')
    await told.attach('plain', { plan_schedule: 'immediate' })
    expect(await told.plans()).toEqual(['plain active on trial until 2030-02-14'])
    await told.world.ok('customers.get_or_create', { customer_id: 'bob' })
    await told.attach('free_trial', { customer_id: 'bob' })
    await told.attach('plain', { customer_id: 'bob', plan_schedule: 'immediate' })
    told.at('2030-02-14')
    expect(await told.plans()).toEqual(['plain active'])
    expect((await told.world.ok('customers.get', { customer_id: 'bob' })).subscriptions).toEqual([])
  })

  test('one that is over, and was made for one customer, is no end of a plan that is not cancelled after all', async () => {
    const told = await PlanStory.begin({ plain: { price: monthly(5), items: [each('messages', 10)] } })
    const free_trial = { duration_length: 7, duration_type: 'day', card_required: true }
    await told.attach('plain', { customize: { free_trial } })
    await told.update({ cancel_action: 'cancel_end_of_cycle' })
    await told.update({ cancel_action: 'uncancel' })
    expect(await told.plans()).toEqual(['plain active on trial until 2030-02-07'])
    told.at('2030-02-10')
    await told.update({ cancel_action: 'cancel_end_of_cycle' })
    await told.update({ cancel_action: 'uncancel' })
    expect(await told.plans()).toEqual(['plain active'])
  })

  test('a downgrade waits for its end (C151)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('dear')
    await told.attach('hobby')
    expect(await told.plans()).toEqual([
      'dear active on trial until 2030-02-07 cancelled until 2030-02-07',
      'hobby scheduled from 2030-02-07',
    ])
    told.at('2030-02-07')
    expect(await told.plans()).toEqual(['hobby active from 2030-02-07'])
  })

  test('discovered: the rest of one with a card is no end either after a cancellation that is taken back', async () => {
    const told = await PlanStory.begin({ ...PLANS, plain: { price: monthly(5), items: [each('messages', 10)] } })
    await told.attach('card')
    await told.attach('plain', { plan_schedule: 'immediate' })
    await told.update({ cancel_action: 'cancel_end_of_cycle' })
    await told.update({ cancel_action: 'uncancel' })
    expect(await told.plans()).toEqual(['plain active on trial until 2030-02-14'])
    told.at('2030-02-14')
    expect(await told.plans()).toEqual(['plain active'])
  })

  test('discovered: the rest of one is not given with a plan that costs nothing', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('free_trial')
    await told.attach('hobby', { plan_schedule: 'immediate' })
    expect(await told.plans()).toEqual(['hobby active'])
    told.at('2030-02-14')
    expect(await told.plans()).toEqual(['hobby active'])
  })

  test('discovered: of a plan that begins later counts from its beginning', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('long', { free_trial: null })
    await told.attach('hobby')
    await told.update({ plan_id: 'hobby', ...trial(7, 'day', true) })
    expect(await told.plans()).toEqual([
      'long active cancelled until 2030-02-28',
      'hobby scheduled from 2030-02-28 on trial until 2030-03-07 until 2030-03-07',
    ])
  })

  test('discovered: another one does not put off the end of a plan that is cancelled', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('card')
    await told.update({ cancel_action: 'cancel_end_of_cycle' })
    await told.update({ ...trial(30, 'day', true) })
    expect(await told.plans()).toEqual(['card active on trial until 2030-03-02 cancelled until 2030-02-14'])
    told.at('2030-02-14')
    expect(await told.plans()).toEqual([])
  })

  test('discovered: goes on on the terms of another version, with or without a card as it began', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('card')
    await told.world.ok('plans.update', { plan_id: 'card', items: [each('messages', 400)], free_trial: null })
    await told.update({ plan_id: 'card', version: 2 })
    await told.holds('messages', '400/400/0')
    await told.update({ cancel_action: 'cancel_end_of_cycle' })
    await told.update({ cancel_action: 'uncancel' })
    expect(await told.plans()).toEqual(['card active on trial until 2030-02-14'])
  })

  test.each([
    ['attach', { plan_id: 'pack', ...trial(7, 'day', true) }],
    ['attach', { plan_id: 'pack', customize: trial(7, 'day', true) }],
    ['update', { plan_id: 'bought', ...trial(7, 'day', true) }],
  ])('discovered: is not given with what is paid once (%s %o, C51)', async (action, body) => {
    const once = { amount: 10, interval: 'one_off' }
    const items = [{ feature_id: 'messages', included: 25 }]
    const told = await PlanStory.begin({ pack: { price: once, items }, bought: { price: once, items } })
    await told.attach('bought')
    expect(await told.refused(`billing.${action}`, body)).toBe('400 invalid_request')
    expect(await told.plans()).toEqual(['bought bought'])
  })

  test('discovered: sets when the cycles begin, and nothing else does meanwhile (C164)', async () => {
    const pack = { price: { amount: 10, interval: 'one_off' }, items: [{ feature_id: 'messages', included: 25 }] }
    const told = await PlanStory.begin({ ...PLANS, pack })
    await told.attach('card')
    await told.attach('pack')
    const refused = (plan_id: string) => told.refused('billing.update', { plan_id, billing_cycle_anchor: 'now' })
    expect(await refused('card')).toBe('400 invalid_request')
    expect(await refused('pack')).toBe('400 invalid_request')
    told.at('2030-02-20')
    await told.update({ plan_id: 'card', billing_cycle_anchor: 'now' })
    await told.resets('messages', '2030-03-20')
  })

  test('can be ended, and begun, by a change (C158)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('free_trial')
    told.at('2030-02-10')
    await told.update({ plan_id: 'free_trial', customize: { free_trial: null } })
    expect(await told.plans()).toEqual(['free_trial active'])
    await told.resets('messages', '2030-03-10')
    const short = { duration_length: 2, duration_type: 'day', card_required: true }
    await told.update({ plan_id: 'free_trial', customize: { free_trial: short } })
    expect(await told.plans()).toEqual(['free_trial active on trial until 2030-02-12'])
  })
})

describe('plans that everybody gets (C71, B192)', () => {
  const DEFAULTS = {
    hobby: { items: [each('messages', 25)], auto_enable: true },
    trying: { price: monthly(20), items: [each('messages', 300)], ...trial(14, 'day', false), auto_enable: true },
    extra: { group: 'other', items: [each('images', 5)], auto_enable: true },
    paid: { price: monthly(9), items: [each('messages', 90)] },
    gift: { items: [each('messages', 7)] },
  }
  const get = async (told: PlanStory, body: Record<string, unknown>) => {
    const { subscriptions } = await told.world.ok('customers.get_or_create', { customer_id: 'bob', ...body })
    return subscriptions.map(({ plan_id }: { plan_id: string }) => plan_id)
  }

  test.each<[string, Record<string, unknown>, string[]]>([
    ['one for each group, a trial before what is free', {}, ['trying', 'extra']],
    ['those of one group', { internal_options: { default_group: 'other' } }, ['extra']],
    ['a group wins over none', { internal_options: { default_group: 'other', disable_defaults: true } }, ['extra']],
    ['none', { internal_options: { disable_defaults: true } }, []],
    ['another plan instead', { auto_enable_plan_id: 'gift' }, ['gift']],
  ])('%s', async (_label, body, plans) => {
    const told = await PlanStory.begin(DEFAULTS)
    expect((await get(told, body)).sort()).toEqual(plans.sort())
    // They are given to who is new, and not again.
    expect((await get(told, {})).sort()).toEqual(plans.sort())
  })

  test.each([
    ['a plan that has to be paid for', 'paid', '400 invalid_request'],
    ['a plan that is not there', 'gold', '404 product_not_found'],
  ])('%s makes no customer', async (_label, auto_enable_plan_id, code) => {
    const told = await PlanStory.begin(DEFAULTS)
    expect(await told.refused('customers.get_or_create', { customer_id: 'bob', auto_enable_plan_id })).toBe(code)
    expect(await told.refused('customers.get', { customer_id: 'bob' })).toBe('404 customer_not_found')
  })

  test('also to who is created on the way to something else', async () => {
    const told = await PlanStory.begin(DEFAULTS)
    await told.world.ok('entities.create', { customer_id: 'bob', entity_id: 'desk', feature_id: 'seats' })
    const answer = await told.world.ok(
      'balances.check',
      { customer_id: 'carol', feature_id: 'messages', customer_data: { auto_enable_plan_id: 'gift' } },
      { 'x-api-version': '2.0.0' },
    )
    expect(answer.balance.granted_balance).toBe(7)
    expect((await get(told, {})).sort()).toEqual(['extra', 'trying'])
  })

  test('asked for many times at once, a customer has each plan once (B191)', async () => {
    const told = await PlanStory.begin(DEFAULTS)
    const all = await Promise.all(Array.from({ length: 20 }, () => get(told, {})))
    for (const one of all) expect(one.sort()).toEqual(['extra', 'trying'])
  })
})

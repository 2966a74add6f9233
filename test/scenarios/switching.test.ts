import { describe, expect, test } from 'vitest'
import { each, monthly, PlanStory, prepaid, seats } from './plan-story.ts'

const PLANS = {
  hobby: { items: [each('messages', 25)] },
  hobby_plus: { items: [each('messages', 30)] },
  starter: { price: monthly(10), items: [each('messages', 50), seats(2)] },
  // A seat that is paid for by the month counts as a part of the price, use that is consumed does not (C98).
  same: { price: monthly(15), items: [each('messages', 60)] },
  studio: { price: monthly(24), items: [each('messages', 300), seats(2)] },
  agency: { price: monthly(90), items: [each('messages', 1000), seats(10)] },
  yearly: { price: { amount: 100, interval: 'year' }, items: [each('messages', 400)] },
}

describe('an upgrade', () => {
  test('is at once: use that was consumed is forgotten, the day of the reset stays (C101, C137, W9)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('starter')
    await told.story.track('messages', 45)
    told.at('2030-02-10')
    await told.attach('studio')
    expect(await told.plans()).toEqual(['studio active from 2030-02-10'])
    await told.holds('messages', '300/300/0')
    await told.resets('messages', '2030-02-28')
  })

  test.each<[string, string, string, string]>([
    ['a higher price', 'starter', 'studio', 'from 2030-02-10'],
    ['the same price (C99)', 'starter', 'same', 'from 2030-02-10'],
    ['a price instead of none', 'hobby', 'starter', 'from 2030-02-10'],
    ['free for free (C99)', 'hobby', 'hobby_plus', 'from 2030-02-10'],
    ['a longer interval, though cheaper by the month', 'starter', 'yearly', 'from 2030-02-10'],
    ['a lower price is none', 'studio', 'starter', 'scheduled from 2030-02-28'],
    ['no price instead of one is none', 'studio', 'hobby', 'scheduled from 2030-02-28'],
    ['a shorter interval is none, though the month is cheaper', 'yearly', 'hobby', 'scheduled from 2031-01-31'],
  ])('is %s', async (_label, before, after, when) => {
    const told = await PlanStory.begin(PLANS)
    await told.attach(before)
    told.at('2030-02-10')
    await told.attach(after)
    expect((await told.plans()).at(-1)).toContain(when)
  })

  test('from free to paid begins a cycle of its own; from free to free keeps the day (C137)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('hobby')
    told.at('2030-02-10')
    await told.attach('hobby_plus')
    await told.resets('messages', '2030-02-28')
    await told.attach('starter')
    await told.resets('messages', '2030-03-10')
  })

  test('from monthly to yearly keeps the day of a monthly grant (C138)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('starter')
    told.at('2030-02-10')
    await told.attach('yearly')
    await told.resets('messages', '2030-02-28')
    const { subscriptions } = await told.world.ok('customers.get', { customer_id: 'alice' })
    expect(subscriptions[0].current_period_end).toBe(Date.parse('2031-01-31T10:00:00Z'))
  })

  test('a cycle that begins now or at a chosen time (C117, C139)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('starter')
    told.at('2030-02-10')
    await told.attach('studio', { billing_cycle_anchor: 'now' })
    await told.resets('messages', '2030-03-10')
    await told.attach('agency', { billing_cycle_anchor: Date.parse('2030-02-20T10:00:00Z') })
    await told.resets('messages', '2030-02-20')
    told.at('2030-02-20')
    await told.resets('messages', '2030-03-20')
  })

  test('use is carried over when that is asked for, below zero too (C141, C144, W10)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('starter')
    await told.story.track('messages', 45)
    await told.attach('studio', { carry_over_usages: { enabled: true } })
    await told.holds('messages', '300/255/45')
    await told.story.track('messages', 100)
    await told.attach('starter', {
      plan_schedule: 'immediate',
      carry_over_usages: { enabled: true, feature_ids: ['messages'] },
    })
    await told.holds('messages', '50/0/145')
    told.at('2030-02-28')
    await told.holds('messages', '50/50/0')
  })

  test('what is left is carried over until it would have been renewed (C145)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('starter')
    await told.story.track('messages', 10)
    told.at('2030-02-10')
    await told.attach('studio', { billing_cycle_anchor: 'now', carry_over_balances: { enabled: true } })
    expect(await told.lines('messages')).toEqual(['studio 300/300/0', '- 40/40/0'])
    told.at('2030-02-28')
    expect(await told.lines('messages')).toEqual(['studio 300/300/0'])
  })

  test('tracked seats are always carried over, and so are those of entities, as many as there are (C143)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('starter')
    await told.story.track('seats', 4)
    await told.holds('seats', '2/0/4')
    await told.attach('agency')
    await told.holds('seats', '10/6/4')
    await told.world.ok('customers.get_or_create', { customer_id: 'bob' })
    const bob = { customer_id: 'bob' }
    await told.attach('starter', bob)
    await told.world.ok('entities.create', { ...bob, entity_id: 'a', feature_id: 'seats' })
    await told.attach('agency', bob)
    const { balances } = await told.world.ok('customers.get', bob)
    expect([balances.seats.granted, balances.seats.remaining]).toEqual([10, 9])
  })

  test('what was bought once stays, for ever and by itself (C146, W20)', async () => {
    const once = prepaid('images', 0, { interval: 'one_off', billing_units: 100 })
    const told = await PlanStory.begin({
      studio: { price: monthly(24), items: [each('messages', 300), once] },
      agency: { price: monthly(90), items: [each('messages', 1000), once] },
    })
    await told.attach('studio', { feature_quantities: [{ feature_id: 'images', quantity: 500 }] })
    await told.story.track('images', 120)
    await told.attach('agency')
    expect(await told.lines('images')).toEqual(['- 380/380/0', 'agency 0/0/0'])
    const line = (await told.balance('images')).breakdown[0]
    expect([line.expires_at, line.id]).toEqual([null, expect.stringMatching(/^one_off_prepaid_carryover_/)])
  })

  test('prepaid units are as many as before, in packs of the new plan, unless others are ordered (C132)', async () => {
    const sold = (units: number) => prepaid('messages', 0, { billing_units: units })
    const told = await PlanStory.begin({
      tens: { price: monthly(1), items: [sold(10)] },
      forties: { price: monthly(2), items: [sold(40)] },
      fives: { price: monthly(3), items: [sold(5)] },
    })
    await told.attach('tens', { feature_quantities: [{ feature_id: 'messages', quantity: 50 }] })
    await told.attach('forties')
    await told.holds('messages', '80/80/0')
    await told.attach('fives', { feature_quantities: [{ feature_id: 'messages', quantity: 3 }] })
    await told.holds('messages', '5/5/0')
  })

  test('rollovers go along, within the cap of the new plan, or are lost where it has none (C147)', async () => {
    const rolling = (included: number, max: number) =>
      each('messages', included, { rollover: { max, expiry_duration_type: 'forever' } })
    const told = await PlanStory.begin({
      a: { price: monthly(1), items: [rolling(50, 100)] },
      b: { price: monthly(2), items: [rolling(80, 30)] },
      c: { price: monthly(3), items: [each('messages', 10)] },
    })
    await told.attach('a')
    told.at('2030-02-28')
    await told.holds('messages', '100/100/0')
    await told.attach('b')
    await told.holds('messages', '110/110/0')
    await told.attach('c')
    await told.holds('messages', '10/10/0')
  })

  test('a balance that no plan gave stays as it is', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.story.grant('messages', { included_grant: 5 })
    await told.attach('starter')
    await told.story.track('messages', 52)
    await told.attach('studio')
    expect(await told.lines('messages')).toEqual(['studio 300/300/0', '- 5/3/2'])
  })
})

describe('a downgrade', () => {
  test('waits for the end of the cycle; then what is consumed is granted anew and seats are carried (W12, W13, C152)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    await told.story.track('messages', 120)
    await told.story.track('seats', 5)
    told.at('2030-02-10')
    await told.attach('starter')
    expect(await told.plans()).toEqual([
      'studio active cancelled until 2030-02-28',
      'starter scheduled from 2030-02-28',
    ])
    await told.holds('messages', '300/180/120')
    told.at('2030-02-28')
    expect(await told.plans()).toEqual(['starter active from 2030-02-28'])
    await told.holds('messages', '50/50/0')
    await told.holds('seats', '2/0/5')
    // The days are counted from the first attaching (C140), not from the switch.
    await told.resets('messages', '2030-03-31')
  })

  test('is taken back by uncancelling, not by attaching again (W14, C153)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    await told.attach('starter')
    await told.update({ plan_id: 'studio', cancel_action: 'uncancel' })
    expect(await told.plans()).toEqual(['studio active'])
    told.at('2030-03-10')
    expect(await told.plans()).toEqual(['studio active'])
  })

  test('makes way for an upgrade, and for another downgrade (W16, C150)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    await told.attach('starter')
    await told.attach('hobby')
    expect(await told.plans()).toEqual(['studio active cancelled until 2030-02-28', 'hobby scheduled from 2030-02-28'])
    await told.attach('agency')
    expect(await told.plans()).toEqual(['agency active'])
  })

  test('can be made at once, and an upgrade can be made to wait (C101)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    await told.attach('starter', { plan_schedule: 'immediate' })
    expect(await told.plans()).toEqual(['starter active'])
    await told.attach('agency', { plan_schedule: 'end_of_cycle' })
    expect(await told.plans()).toEqual([
      'starter active cancelled until 2030-02-28',
      'agency scheduled from 2030-02-28',
    ])
  })

  test('a free plan has no cycle whose end could be waited for (C151)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('hobby')
    await told.attach('starter', { plan_schedule: 'end_of_cycle' })
    expect(await told.plans()).toEqual(['starter active'])
  })

  test.each<[string, Record<string, unknown>]>([
    ['carries over use', { carry_over_usages: { enabled: true } }],
    ['carries over what is left', { carry_over_balances: { enabled: true } }],
    ['has a cycle of its own', { billing_cycle_anchor: 'now' }],
  ])('that waits never %s (C117, C121)', async (_label, more) => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    expect(await told.refused('billing.attach', { plan_id: 'starter', ...more })).toBe('400 invalid_request')
    expect(await told.plans()).toEqual(['studio active'])
  })

  test('a scheduled plan is cancelled by itself, and what was to end for it goes on (C168)', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    await told.attach('starter')
    await told.update({ plan_id: 'starter', cancel_action: 'cancel_immediately' })
    expect(await told.plans()).toEqual(['studio active'])
  })

  test('whoever looks late sees what there was to see, each thing at its time', async () => {
    const told = await PlanStory.begin(PLANS)
    await told.attach('studio')
    await told.story.track('messages', 100)
    await told.attach('starter')
    told.at('2030-05-05')
    expect(await told.plans()).toEqual(['starter active from 2030-02-28'])
    await told.story.track('messages', 1)
    await told.holds('messages', '50/49/1')
    await told.resets('messages', '2030-05-31')
  })
})

import { expect } from 'vitest'
import { type Journey, SUCCESS } from './journey.ts'

/** Every part of a plan that all releases know, and its versions. */
export async function planCatalogue({ autumn, refusal }: Journey): Promise<void> {
  const pro = await autumn.plans.create({
    planId: 'pro',
    name: 'Pro',
    description: 'For teams',
    group: 'main',
    price: { amount: 24, interval: 'month' },
    freeTrial: { durationLength: 14, durationType: 'day', cardRequired: true },
    items: [
      {
        ...{ featureId: 'messages', included: 300, reset: { interval: 'month' } },
        rollover: { max: 50, expiryDurationType: 'forever' },
      },
      {
        ...{
          featureId: 'renders',
          included: 100,
          proration: { onIncrease: 'prorate_immediately', onDecrease: 'none' },
        },
        price: {
          tiers: [
            { to: 1100, amount: 4 },
            { to: 'inf', amount: 3 },
          ],
          ...{ interval: 'one_off', billingUnits: 100, billingMethod: 'prepaid' },
        },
      },
      { featureId: 'seats', price: { amount: 9, interval: 'month', billingMethod: 'usage_based', maxPurchase: 10 } },
      { featureId: 'sso' },
    ],
  })
  expect(pro).toMatchObject({
    ...{ id: 'pro', name: 'Pro', description: 'For teams', group: 'main', version: 1, addOn: false, autoEnable: false },
    price: { amount: 24, interval: 'month', display: { primaryText: '$24', secondaryText: 'per month' } },
    freeTrial: { durationLength: 14, durationType: 'day', cardRequired: true },
    archived: false,
    items: [
      {
        ...{ featureId: 'messages', included: 300, unlimited: false, reset: { interval: 'month' }, price: null },
        rollover: { max: 50, expiryDurationType: 'forever' },
        display: { primaryText: '300 messages' },
      },
      {
        ...{ featureId: 'renders', included: 100, reset: { interval: 'one_off' } },
        price: {
          tiers: [
            { to: 1100, amount: 4 },
            { to: 'inf', amount: 3 },
          ],
          ...{ interval: 'one_off', billingUnits: 100, billingMethod: 'prepaid', maxPurchase: null },
        },
      },
      {
        featureId: 'seats',
        included: 0,
        reset: null,
        price: { amount: 9, billingMethod: 'usage_based', maxPurchase: 10 },
      },
      { featureId: 'sso', included: 0, reset: null, price: null, display: { primaryText: 'Single sign-on' } },
    ],
  })
  expect(await autumn.plans.get({ planId: 'pro' })).toEqual(pro)
  const free = await autumn.plans.create({ planId: 'free', name: 'Free' })
  expect(free).toMatchObject({ group: null, price: null, items: [] })
  const listed = async (asked?: { includeArchived: boolean }) => (await autumn.plans.list(asked)).list
  expect(await listed()).toEqual([pro, free])

  const price = { amount: 30, interval: 'year' } as const
  const changed = await autumn.plans.update({ planId: 'pro', group: 'main', name: 'Team', price })
  expect(changed).toMatchObject({ version: 1, name: 'Team', price })
  expect(changed.items).toEqual(pro.items)
  expect((await autumn.plans.update({ planId: 'free', archived: true })).archived).toBe(true)
  expect(await listed()).toEqual([changed])
  expect((await listed({ includeArchived: true })).map(({ id }) => id)).toEqual(['pro', 'free'])

  const again = autumn.plans.create({ planId: 'free', name: 'Again' })
  expect(await refusal(again)).toEqual([400, 'product_already_exists'])
  const twice = { featureId: 'messages', included: 5 }
  const wrong = autumn.plans.create({ planId: 'wrong', name: 'Wrong', items: [twice, twice] })
  expect(await refusal(wrong)).toEqual([400, 'invalid_product_item'])
  for (const planId of ['pro', 'free']) expect(await autumn.plans.delete({ planId })).toEqual(SUCCESS)
  expect(await refusal(autumn.plans.get({ planId: 'pro' }))).toEqual([404, 'product_not_found'])
}

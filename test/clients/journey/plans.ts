import type { CreatePlanParams } from 'autumn-js'
import { expect } from 'vitest'
import { type Journey, SUCCESS } from './journey.ts'

const month = { interval: 'month' } as const
const SEATS = {
  featureId: 'seats',
  included: 2,
  price: { amount: 5, ...month, billingMethod: 'usage_based' },
} as const

/** What everybody begins with. */
const FREE: CreatePlanParams = {
  planId: 'free',
  name: 'Free',
  autoEnable: true,
  items: [{ featureId: 'messages', included: 25, reset: month }, { featureId: 'sso' }],
}
const PRO: CreatePlanParams = {
  planId: 'pro',
  name: 'Pro',
  description: 'For teams',
  price: { amount: 20, ...month },
  items: [
    {
      featureId: 'messages',
      included: 300,
      price: {
        tiers: [
          { to: 1300, amount: 0.5 },
          { to: 'inf', amount: 0.25 },
        ],
        ...month,
        billingUnits: 10,
        billingMethod: 'usage_based',
        maxPurchase: 5000,
      },
    },
    { featureId: 'credits', included: 10, reset: month, rollover: { max: 4, expiryDurationType: 'forever' } },
    SEATS,
    { featureId: 'sso' },
  ],
}
/** Packs of a hundred, paid for once. */
const PACKS: CreatePlanParams = {
  planId: 'packs',
  name: 'Packs',
  addOn: true,
  items: [
    {
      featureId: 'messages',
      price: { amount: 3, interval: 'one_off', billingUnits: 100, billingMethod: 'prepaid' },
    },
  ],
}
const TEAM: CreatePlanParams = {
  planId: 'team',
  name: 'Team',
  price: { amount: 8, ...month },
  items: [
    {
      featureId: 'downloads',
      included: 10,
      price: { amount: 2, ...month, billingUnits: 10, billingMethod: 'prepaid' },
      proration: { onIncrease: 'prorate_immediately', onDecrease: 'none' },
    },
  ],
  freeTrial: { durationLength: 14, durationType: 'day', cardRequired: true },
}

export async function plans({ autumn, clock, refusal }: Journey): Promise<void> {
  const free = await autumn.plans.create(FREE)
  expect(free).toMatchObject({ id: 'free', name: 'Free', description: null, group: null, version: 1, price: null })
  expect(free).toMatchObject({ addOn: false, autoEnable: true, archived: false, createdAt: clock.now, env: 'sandbox' })
  expect(free.items.map(({ featureId, included, reset }) => [featureId, included, reset?.interval ?? null])).toEqual([
    ['messages', 25, 'month'],
    ['sso', 0, null],
  ])
  const pro = await autumn.plans.create(PRO)
  expect(pro).toMatchObject({ description: 'For teams', price: { amount: 20, interval: 'month' } })
  const [credits, messages, seats] = pro.items
  expect(messages?.price).toMatchObject({
    tiers: [
      { to: 1300, amount: 0.5 },
      { to: 'inf', amount: 0.25 },
    ],
    tierBehavior: 'graduated',
    billingUnits: 10,
    billingMethod: 'usage_based',
    maxPurchase: 5000,
  })
  expect(credits?.rollover).toMatchObject({ max: 4, expiryDurationType: 'forever' })
  expect(seats).toMatchObject({ included: 2, reset: null, price: { amount: 5, billingUnits: 1, maxPurchase: null } })
  expect(seats?.display).toMatchObject({ primaryText: expect.any(String) })
  await autumn.plans.create(PACKS)
  const team = await autumn.plans.create(TEAM)
  expect(team.freeTrial).toMatchObject({ durationLength: 14, durationType: 'day', cardRequired: true })
  expect(await autumn.plans.get({ planId: 'team' })).toEqual(team)
  const listed = async () => (await autumn.plans.list()).list.map(({ id, version }) => `${id} ${version}`)
  expect(await listed()).toEqual(['free 1', 'pro 1', 'packs 1', 'team 1'])

  expect(await autumn.plans.update({ planId: 'pro', name: 'Professional' })).toEqual({ ...pro, name: 'Professional' })
  await autumn.plans.create({ planId: 'draft', name: 'Draft', items: [] })
  expect(await autumn.plans.delete({ planId: 'draft' })).toEqual(SUCCESS)
  expect(await refusal(autumn.plans.get({ planId: 'draft' }))).toEqual([404, 'product_not_found'])
  expect(await refusal(autumn.plans.create(FREE))).toEqual([400, 'product_already_exists'])
  const unknown = { planId: 'odd', name: 'Odd', items: [{ featureId: 'nothing', included: 1 }] }
  expect(await refusal(autumn.plans.create(unknown))).toEqual([404, 'feature_not_found'])
  const both = { planId: 'pro', items: [{ ...SEATS, included: -1 }] }
  expect(await refusal(autumn.plans.update(both))).toEqual([400, 'invalid_inputs'])
}

/** What somebody has is not changed with its plan: that makes a version, and one that somebody has or had stays. */
export async function versions({ autumn, newCustomer, read, refusal }: Journey): Promise<void> {
  await newCustomer('vera')
  await autumn.billing.attach({ customerId: 'vera', planId: 'team' })
  const price = { amount: 9, ...month }
  expect(await autumn.plans.update({ planId: 'team', price })).toMatchObject({ version: 2, price })
  expect(await autumn.plans.get({ planId: 'team', version: 1 })).toMatchObject({ version: 1, price: { amount: 8 } })
  expect((await read('vera')).balances['downloads']).toMatchObject({ granted: 10 })
  expect(await refusal(autumn.plans.delete({ planId: 'team', allVersions: true }))).toEqual([400, 'invalid_request'])
  expect(await autumn.plans.delete({ planId: 'team' })).toEqual(SUCCESS)
  expect(await autumn.plans.get({ planId: 'team' })).toMatchObject({ version: 1 })
}

import { expect } from 'vitest'
import { countsOf, type Journey } from './journey.ts'

const DAY = 86_400_000

/** A customer on its way through plans, from what it begins with to what it is left with. */
export async function billing(journey: Journey): Promise<void> {
  const { autumn, clock, newCustomer, read, refusal } = journey
  await newCustomer('pam')
  const pam = { customerId: 'pam' }
  const messages = { ...pam, featureId: 'messages' }
  const started = clock.now
  const billed = { customerId: 'pam', paymentUrl: null }
  const have = async () =>
    (await read('pam')).subscriptions.map(({ planId, status, canceledAt }) =>
      [planId, status, ...(canceledAt === null ? [] : ['canceled'])].join(' '),
    )

  // So that what follows is in February, whatever happened before.
  clock.now = Math.max(clock.now, Date.UTC(2026, 1, 1))
  const begun = await read('pam')
  expect(begun.subscriptions).toHaveLength(1)
  expect(begun.subscriptions[0]).toMatchObject({
    ...{ planId: 'free', status: 'active', autoEnable: true, addOn: false, pastDue: false, quantity: 1 },
    ...{ startedAt: started, canceledAt: null, expiresAt: null, trialEndsAt: null },
    ...{ currentPeriodStart: null, currentPeriodEnd: null },
  })
  expect(countsOf(begun.balances['messages'])).toEqual([25, 25, 0])
  expect(begun.balances['messages']?.breakdown).toMatchObject([{ planId: 'free', includedGrant: 25, price: null }])
  expect(begun.flags['sso']).toMatchObject({ featureId: 'sso', planId: 'free' })

  // An upgrade, at once; what goes beyond what is included is priced.
  await autumn.track({ ...messages, value: 10 })
  clock.now += 1000
  const upgrade = await autumn.billing.previewAttach({ ...pam, planId: 'pro' })
  expect(upgrade).toMatchObject({ customerId: 'pam', subtotal: 20, total: 20, currency: 'usd' })
  expect(upgrade.incoming.map(({ planId }) => planId)).toEqual(['pro'])
  expect(upgrade.outgoing.map(({ planId }) => planId)).toEqual(['free'])
  expect(upgrade.lineItems).toMatchObject([{ planId: 'pro', total: 20, quantity: 1 }])
  expect(await have()).toEqual(['free active'])
  expect(await autumn.billing.attach({ ...pam, planId: 'pro' })).toMatchObject(billed)
  const [pro, ...others] = (await read('pam')).subscriptions
  expect(others).toEqual([])
  expect(pro).toMatchObject({ planId: 'pro', currentPeriodStart: clock.now, currentPeriodEnd: expect.any(Number) })
  const periodEnd = Number(pro?.currentPeriodEnd)
  expect(Math.round((periodEnd - clock.now) / DAY)).toBe(28)
  const { allowed, balance } = await autumn.check({ ...messages, requiredBalance: 4000 })
  expect([allowed, countsOf(balance)]).toEqual([true, [300, 300, 0]])
  expect(balance).toMatchObject({ overageAllowed: true, maxPurchase: 5000, nextResetAt: periodEnd })
  expect(balance?.breakdown?.[0]).toMatchObject({
    planId: 'pro',
    price: {
      tiers: [
        { to: 1300, amount: 0.5 },
        { to: 'inf', amount: 0.25 },
      ],
      billingUnits: 10,
      billingMethod: 'usage_based',
      maxPurchase: 5000,
    },
  })
  expect(countsOf((await autumn.track({ ...messages, value: 310 })).balance)).toEqual([300, 0, 310])
  const again = autumn.billing.attach({ ...pam, planId: 'pro' })
  expect(await refusal(again)).toEqual([409, 'plan_already_attached'])
  expect(await refusal(autumn.billing.attach({ ...pam, planId: 'nothing' }))).toEqual([404, 'product_not_found'])

  // What is bought once is a purchase.
  const quantity = [{ featureId: 'messages', quantity: 150 }]
  const packs = { ...pam, plans: [{ planId: 'packs', featureQuantities: quantity }] }
  expect(await autumn.billing.previewMultiAttach(packs)).toMatchObject({ total: 6, lineItems: [{ planId: 'packs' }] })
  expect(await autumn.billing.multiAttach(packs)).toMatchObject(billed)
  const { purchases, balances } = await read('pam')
  expect(purchases).toMatchObject([{ planId: 'packs', expiresAt: null, startedAt: clock.now, quantity: 1 }])
  const pack = balances['messages']?.breakdown?.find(({ planId }) => planId === 'packs')
  expect(pack).toMatchObject({ includedGrant: 0, prepaidGrant: 200, remaining: 200, reset: { interval: 'one_off' } })
  expect(pack?.price).toMatchObject({ amount: 3, billingUnits: 100, billingMethod: 'prepaid' })

  // A downgrade waits for the end of the cycle, and cancelling what was scheduled takes it back.
  await autumn.billing.attach({ ...pam, planId: 'free' })
  expect(await have()).toEqual(['pro active canceled', 'free scheduled'])
  expect(await autumn.billing.update({ ...pam, planId: 'pro', cancelAction: 'uncancel' })).toMatchObject(billed)
  expect(await have()).toEqual(['pro active'])
  const end = { ...pam, planId: 'pro', cancelAction: 'cancel_end_of_cycle' } as const
  const preview = await autumn.billing.previewUpdate(end)
  expect(preview).toMatchObject({ customerId: 'pam', total: 0, intent: 'cancel_end_of_cycle' })
  await autumn.billing.update(end)
  const [ending] = (await read('pam')).subscriptions
  expect(ending).toMatchObject({ planId: 'pro', status: 'active', canceledAt: clock.now, expiresAt: periodEnd })
  expect(await have()).toEqual(['pro active canceled', 'free scheduled'])
  clock.now = periodEnd
  expect(await have()).toEqual(['free active'])
  const left = await read('pam')
  expect(left.balances['messages']?.breakdown?.map(({ planId }) => planId)).toEqual(['free', 'packs'])
  expect(left.purchases.map(({ planId }) => planId)).toEqual(['packs'])

  await changing(journey)
  await forEntities(journey)
}

/** Quantities and terms of one customer alone. */
async function changing({ autumn, calls, newCustomer, read, refusal, release }: Journey): Promise<void> {
  await newCustomer('quinn')
  const quinn = { customerId: 'quinn' }
  const ordered = (quantity: number) => ({ featureQuantities: [{ featureId: 'downloads', quantity }] })
  const downloads = async () => (await read('quinn')).balances['downloads']?.breakdown?.[0]
  await autumn.billing.attach({ ...quinn, planId: 'team', ...ordered(25) })
  const [trial] = (await read('quinn')).subscriptions
  expect(trial).toMatchObject({ planId: 'team', status: 'active', trialEndsAt: expect.any(Number) })
  expect(await downloads()).toMatchObject({ includedGrant: 10, prepaidGrant: 20, remaining: 30 })
  await autumn.billing.update({ ...quinn, planId: 'team', ...ordered(50) })
  expect(await downloads()).toMatchObject({ includedGrant: 10, prepaidGrant: 40, remaining: 50 })

  const items = [{ featureId: 'renders', included: 7, reset: { interval: 'month' } as const }]
  await autumn.billing.update({ ...quinn, planId: 'team', customize: { price: null, items } })
  const { balances, subscriptions } = await read('quinn')
  expect(Object.keys(balances)).toEqual(['renders'])
  expect(countsOf(balances['renders'])).toEqual([7, 7, 0])
  expect(subscriptions.map(({ planId }) => planId)).toEqual(['team'])

  if (calls.has('customers.get')) {
    const page = await autumn.customers.list({ plans: [{ id: 'team' }] })
    expect(page.list.map(({ id }) => id)).toContain('quinn')
  }
  // Newer releases know a short way to say it.
  if (release.module === 'autumn-js') {
    const { subscriptions: before } = await read('quinn')
    await autumn.billing.update({ ...quinn, planId: 'team', freeTrial: null })
    const { subscriptions: after } = await read('quinn')
    expect([before[0]?.trialEndsAt, after[0]?.trialEndsAt]).toEqual([expect.any(Number), null])
  }

  expect(await autumn.billing.update({ ...quinn, planId: 'team', cancelAction: 'cancel_immediately' })).toMatchObject({
    customerId: 'quinn',
    paymentUrl: null,
  })
  expect((await read('quinn')).subscriptions.map(({ planId }) => planId)).toEqual(['free'])
  const gone = autumn.billing.update({ ...quinn, planId: 'team', cancelAction: 'uncancel' })
  expect(await refusal(gone)).toEqual([404, 'cus_product_not_found'])
  expect(await refusal(autumn.billing.update({ ...quinn, planId: 'free' }))).toEqual([400, 'invalid_inputs'])
}

/** An entity has plans of its own beside those of its customer. */
async function forEntities({ autumn, newCustomer, refusal }: Journey): Promise<void> {
  await newCustomer('rita')
  const desk = { customerId: 'rita', entityId: 'desk' }
  await autumn.entities.create({ ...desk, featureId: 'seats', name: 'Desk' })
  expect(await autumn.billing.attach({ ...desk, planId: 'pro' })).toMatchObject({ ...desk, paymentUrl: null })
  const { subscriptions, balances, flags } = await autumn.entities.get(desk)
  expect(subscriptions.map(({ planId }) => planId)).toEqual(['pro', 'free'])
  expect(balances['messages']?.breakdown?.map(({ planId }) => planId).sort()).toEqual(['free', 'pro'])
  expect(flags['sso']).toMatchObject({ featureId: 'sso' })
  const nobody = autumn.billing.attach({ ...desk, entityId: 'chair', planId: 'pro' })
  expect(await refusal(nobody)).toEqual([404, 'entity_not_found'])
}

import { expect } from 'vitest'
import { countsOf, type Journey, SUCCESS } from './journey.ts'

const DAY = 86_400_000

export async function balances(journey: Journey): Promise<void> {
  const { autumn, clock, newCustomer, refusal } = journey
  await newCustomer('bea')
  const messages = { customerId: 'bea', featureId: 'messages' }
  const state = async () => countsOf((await autumn.check(messages)).balance)
  const resetsAt = Date.UTC(2026, 1, 28, 12)
  clock.now = Date.UTC(2026, 0, 31, 12)
  const reset = { interval: 'month' } as const
  expect(await autumn.balances.create({ ...messages, includedGrant: 100, reset, balanceId: 'plan' })).toEqual(SUCCESS)
  const { balance } = await autumn.check(messages)
  expect(balance).toMatchObject({ featureId: 'messages', overageAllowed: false, maxPurchase: null })
  expect(balance).toMatchObject({ granted: 100, remaining: 100, usage: 0, unlimited: false, nextResetAt: resetsAt })
  const amounts = { includedGrant: 100, prepaidGrant: 0, remaining: 100, usage: 0, unlimited: false }
  const nothing = { planId: null, price: null, expiresAt: null }
  expect(balance?.breakdown).toEqual([
    { id: 'plan', ...nothing, ...amounts, reset: { interval: 'month', intervalCount: undefined, resetsAt } },
  ])

  const expiresAt = clock.now + 60 * DAY
  await autumn.balances.create({ ...messages, includedGrant: 50, expiresAt, balanceId: 'gift' })
  expect(await autumn.balances.update({ ...messages, remaining: 120 })).toEqual(SUCCESS)
  expect(await state()).toEqual([150, 120, 30])
  await autumn.balances.update({ ...messages, addToBalance: -12.45 })
  expect(await state()).toEqual([150, 107.55, 42.45])
  await autumn.balances.update({ ...messages, usage: 27.35 })
  expect(await state()).toEqual([150, 122.65, 27.35])
  await autumn.balances.update({ ...messages, balanceId: 'plan', includedGrant: 200 })
  expect(await state()).toEqual([250, 122.65, 127.35])

  await pass(journey, 'bea', resetsAt)
  expect(await state()).toEqual([150, 150, 0])
  const plan = (await autumn.check(messages)).balance?.breakdown?.find(({ id }) => id === 'plan')
  expect(plan).toMatchObject({ usage: 0, reset: { interval: 'month', resetsAt: Date.UTC(2026, 2, 31, 12) } })

  expect(await autumn.balances.delete({ ...messages, balanceId: 'plan' })).toEqual(SUCCESS)
  expect((await autumn.check(messages)).balance?.breakdown?.map(({ id }) => id)).toEqual(['gift'])
  const missing = autumn.balances.update({ ...messages, balanceId: 'plan', remaining: 1 })
  expect(await refusal(missing)).toEqual([404, 'balance_not_found'])
  const impossible = autumn.balances.create({ ...messages, includedGrant: 5, unlimited: true })
  expect(await refusal(impossible)).toEqual([400, 'invalid_inputs'])
}

/** Lets time pass for a customer: through the release's own call where there is one, else for the whole server. */
async function pass({ autumn, calls, clock }: Journey, customerId: string, to: number): Promise<void> {
  if (!calls.has('customers.advance_test_clock')) {
    clock.now = to
    return
  }
  const moved = await autumn.customers.advanceTestClock({ customerId, frozenTime: to })
  expect(moved).toEqual({ customerId, frozenTime: to, status: 'ready' })
}

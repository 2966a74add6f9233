import { expect } from 'vitest'
import { countsOf, type Journey, SUCCESS } from './journey.ts'

export async function locks({ autumn, newCustomer, refusal, clock }: Journey): Promise<void> {
  await newCustomer('lou')
  const messages = { customerId: 'lou', featureId: 'messages' }
  await autumn.balances.create({ ...messages, includedGrant: 20 })
  const hold = (lockId: string, requiredBalance: number, expiresAt?: number) =>
    autumn.check({
      ...messages,
      requiredBalance,
      lock: { enabled: true, lockId, ...(expiresAt === undefined ? {} : { expiresAt }) },
    })
  const left = async () => countsOf((await autumn.check(messages)).balance)

  expect(await hold('lou 1', 8)).toMatchObject({
    allowed: true,
    requiredBalance: 8,
    balance: { remaining: 12, usage: 8 },
  })
  expect(await refusal(hold('lou 1', 1))).toEqual([409, 'lock_already_exists'])
  expect(await hold('lou 2', 13)).toMatchObject({ allowed: false, balance: { remaining: 12 } })
  const finalize = autumn.balances.finalize({ lockId: 'lou 1', action: 'confirm', overrideValue: 5.5 })
  expect(await finalize).toMatchObject(SUCCESS)
  expect(await left()).toEqual([20, 14.5, 5.5])
  expect(await refusal(autumn.balances.finalize({ lockId: 'lou 1', action: 'confirm' }))).toEqual([
    400,
    'invalid_request',
  ])

  await hold('lou 3', 4)
  expect(await autumn.balances.finalize({ lockId: 'lou 3', action: 'release' })).toMatchObject(SUCCESS)
  await hold('lou 4', 14.5, clock.now + 60_000)
  expect(await left()).toEqual([20, 0, 20])
  clock.now += 60_000
  expect(await left()).toEqual([20, 14.5, 5.5])
}

import { expect, test } from 'vitest'
import { amount } from '../domain/amount.ts'
import { AT_PAR } from '../domain/price.ts'
import { eventFromRow, takingsFromText } from './use-rows.ts'

const row = (deductions: string) => ({
  ...{ customer_id: 'alice', uid: 'evt_1', name: 'messages', value: '1', properties: null, entity: null },
  ...{ refund_of: null, lock: null, timestamp: 5, recorded_at: 5, deductions },
})
const line = { balanceUid: 'cus_ent_1', featureId: 'messages', planId: null, reset: null, metered: null }

test('what was stored before there were plans, prices or rates is read', () => {
  const stored = [
    ['cus_ent_1', 'messages', '1.5'],
    ['cus_ent_1', 'messages', '1', null, null, null, '0.2', '3'],
    ['cus_ent_1', 'messages', '1', null, null, null, '1', '1', 'm', '2'],
  ]
  expect(eventFromRow(row(JSON.stringify(stored))).deductions).toEqual([
    { ...line, amount: amount('1.5'), price: AT_PAR },
    { ...line, amount: amount('1'), price: { cost: amount('0.2'), per: amount('3') } },
    { ...line, amount: amount('1'), price: AT_PAR, metered: { meter: 'm', units: amount('2') } },
  ])
})

test('an aggregate reads a line with a plan and no price as one for one', () => {
  const text = JSON.stringify([['cus_ent_1', 'messages', '1', null, null, null, null, null, null, null, 'pro']])
  expect(takingsFromText(text)).toEqual([
    { balance: 'cus_ent_1', feature: 'messages', amount: '1', cost: '1', per: '1' },
  ])
  expect(eventFromRow(row(text)).deductions).toEqual([{ ...line, planId: 'pro', amount: amount('1'), price: AT_PAR }])
})

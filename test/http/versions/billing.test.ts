import { expect, test } from 'vitest'
import { amount } from '../../../src/domain/amount.ts'
import { expectShown, shown } from './shown.ts'

test('K 3.8: what attaching answers', () => {
  const answer = { customer_id: 'ada', payment_url: null }
  const filled = { ...answer, entity_id: null, invoice: null, required_action: null }
  expectShown('billed', answer, { '2.4': answer, '2.2': filled, '2.0': answer, '1.2': answer })
})

const LINE = {
  ...{ display_name: 'Studio', description: 'Studio', subtotal: amount(24), total: amount(24), discounts: [] },
  ...{ plan_id: 'studio', feature_id: null, quantity: amount(1) },
}
const CHANGE = {
  ...{ plan_id: 'studio', feature_quantities: [], effective_at: null, canceled_at: null, expires_at: null },
}
const PREVIEW = {
  ...{ customer_id: 'ada', line_items: [LINE], subtotal: amount(24), total: amount(24), currency: 'usd' },
  ...{ incoming: [CHANGE], outgoing: [], redirect_to_checkout: false, checkout_type: null },
}

test('K 3.8: what a preview says, with nothing next', () => {
  const money = { subtotal: 24, total: 24 }
  const line = { ...LINE, ...money, quantity: 1 }
  const newest = { ...PREVIEW, ...money, line_items: [line] }
  const filled = {
    ...newest,
    ...{ line_items: [{ ...line, period: null }], incoming: [{ ...CHANGE, plan: null }] },
    ...{ next_cycle: null, expand: null },
  }
  expectShown('preview', PREVIEW, { '2.4': newest, '2.2': filled, '2.0': newest, '1.2': newest })
})

test('K 3.8: what a preview says of the next cycle, and of plans in full', () => {
  const period = { start: 1, end: 2 }
  const next_cycle = {
    starts_at: 2,
    subtotal: 0,
    total: 0,
    line_items: [{ ...LINE, period }],
    usage_line_items: [LINE],
  }
  const plan = { id: 'studio', price: null, items: [] }
  expect(shown('2.1', 'preview', { ...PREVIEW, next_cycle, outgoing: [{ ...CHANGE, plan }] })).toMatchObject({
    next_cycle: { line_items: [{ period }], usage_line_items: [{ period: null }] },
    outgoing: [{ plan: { id: 'studio', free_trial: null, customer_eligibility: null } }],
  })
})

import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ClientServer, startServer } from './server.ts'

let server: ClientServer
beforeEach(async () => {
  server = await startServer('memory')
  await post('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await post('customers.get_or_create', { customer_id: 'ada' })
  await post('balances.create', { customer_id: 'ada', feature_id: 'messages', included_grant: 10 })
})
afterEach(() => server.close())

async function post(operation: string, body: object | string, headers: Record<string, string> = {}) {
  const response = await fetch(`${server.url}/v1/${operation}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.key}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(5000),
  })
  return { status: response.status, text: await response.text() }
}

/** As many brackets as fit into one body. */
const DEEP = '['.repeat(400_000) + ']'.repeat(400_000)
const CHECK = { customer_id: 'ada', feature_id: 'messages' }

// A client that gets a 200 which is not JSON takes its process down (K13).
test.each([
  ['customers.get_or_create', '{"customer_id": "bob", "metadata": {"size": 1e999}}'],
  ['customers.update', '{"customer_id": "ada", "metadata": {"sizes": [-1e999]}}'],
  ['balances.track', '{"customer_id": "ada", "feature_id": "messages", "properties": {"size": 1e999}}'],
])('%s with a number beyond all numbers never makes an answer that is not JSON', async (operation, body) => {
  const { status, text } = await post(operation, body)
  expect(() => JSON.parse(text)).not.toThrow()
  expect(status).toBeLessThan(500)
  const events = await post('events.list', { customer_id: 'ada' })
  expect(() => JSON.parse(events.text)).not.toThrow()
})

test.each([
  ['an unknown key', `{"customer_id": "ada", "feature_id": "messages", "unknown": ${DEEP}}`],
  ['properties', `{"customer_id": "ada", "feature_id": "messages", "properties": {"deep": ${DEEP}}}`],
  ['a field of a later version', `{"customer_id": "ada", "feature_id": "messages", "lock": ${DEEP}}`],
])('hostile depth in %s is no fault of the server', async (_where, body) => {
  const { status } = await post('balances.track', body)
  expect(status).toBeLessThan(500)
  expect(server.faults).toEqual([])
})

test('hostile depth beside an idempotency key neither ends the server nor blocks the customer', async () => {
  const body = `{"customer_id": "ada", "feature_id": "messages", "unknown": ${DEEP}}`
  const hostile = await post('balances.track', body, { 'idempotency-key': 'k' })
  expect(hostile.status).toBeLessThan(500)
  expect((await post('balances.track', CHECK)).status).toBe(200)
})

import { SECRET_KEY } from './servers.ts'

export const CUSTOMERS = 1000
const AT_ONCE = 32

/** As load.lua names them. */
export const ids = Array.from({ length: CUSTOMERS }, (_, i) => `customer_${String(i + 1).padStart(4, '0')}`)
export const FEATURE = 'messages'
/** Three balances of one feature, so that an answer has the length that a real one has. None of them can run out. */
const GRANTS = [
  { included: 1_000_000_000, reset: { interval: 'month' } },
  { included: 1_000_000_000, reset: { interval: 'year' } },
  { included: 1_000_000_000 },
]

/** Sends one request of the public API. @returns the body's text. @throws when it is refused. */
async function call(url: string, operation: string, body: unknown): Promise<string> {
  const response = await fetch(`${url}/v1/${operation}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${SECRET_KEY}` },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${operation}: ${response.status} ${text}`)
  return text
}

export async function createCustomers(url: string): Promise<void> {
  await call(url, 'features.create', { feature_id: FEATURE, name: 'Messages', type: 'metered', consumable: true })
  await forAll(async (id) => {
    await call(url, 'customers.get_or_create', { customer_id: id, name: `Customer ${id}` })
    for (const grant of GRANTS) {
      await call(url, 'balances.create', { customer_id: id, feature_id: FEATURE, ...grant })
    }
  })
}

/** What the server answers to the two requests that are measured. Uses one unit. */
export async function sampleAnswers(url: string): Promise<{ check: string; track: string }> {
  const who = { customer_id: ids[0], feature_id: FEATURE }
  const track = await call(url, 'balances.track', { ...who, value: 1 })
  return { check: await call(url, 'balances.check', who), track }
}

/** The usage of all customers together. */
export async function totalUsage(url: string): Promise<number> {
  let total = 0
  await forAll(async (id) => {
    const customer = JSON.parse(await call(url, 'customers.get', { customer_id: id })) as {
      balances: Record<string, { usage: number }>
    }
    total += customer.balances[FEATURE]?.usage ?? 0
  })
  return total
}

async function forAll(work: (id: string) => Promise<void>): Promise<void> {
  const left = ids.values()
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const id of left) await work(id)
    }),
  )
}

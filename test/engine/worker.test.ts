import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { attachmentsOf } from '../../src/domain/holdings.ts'
import { Worker } from '../../src/worker/worker.ts'
import { openWorld, type World } from '../world.ts'

const ADA = { customer_id: 'ada', feature_id: 'messages' }
const HOUR = 3_600_000

let world: World
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  world = await openWorld()
  await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await world.ok('customers.get_or_create', { customer_id: 'ada' })
  await world.ok('balances.create', { ...ADA, included: 20 })
})
afterEach(async () => {
  vi.useRealTimers()
  await world.close()
})

const hold = (lock_id: string) =>
  world.ok('balances.check', { ...ADA, lock: { enabled: true, lock_id, expires_at: world.clock.now + HOUR } })
/** What the store has, whatever a reader would be told. */
const recorded = async () =>
  (await world.store.listEvents({ env: 'sandbox', offset: 0, limit: 10 })).map(({ value }) =>
    Number(value / 10n ** 12n),
  )

test('lapses are recorded although nobody asks, each once', async () => {
  const faults: unknown[] = []
  const worker = new Worker(world.engine, (error) => faults.push(error))
  await hold('a')
  await vi.advanceTimersByTimeAsync(2_000)
  world.clock.advance(HOUR)
  await hold('b')
  world.clock.advance(HOUR)
  expect(await recorded()).toEqual([1, -1, 1])
  vi.advanceTimersByTime(3_000)
  await worker.stop()
  expect(await recorded()).toEqual([-1, 1, -1, 1])
  expect(faults).toEqual([])
  // It has stopped.
  await hold('c')
  world.clock.advance(HOUR)
  vi.advanceTimersByTime(3_000)
  await worker.stop()
  expect(await recorded()).toEqual([1, -1, 1, -1, 1])
})

test('plans begin and end although nobody asks', async () => {
  const faults: unknown[] = []
  const worker = new Worker(world.engine, (error) => faults.push(error))
  const items = [{ feature_id: 'messages', included: 5 }]
  await world.ok('plans.create', { plan_id: 'pro', name: 'Pro', price: { amount: 9, interval: 'month' }, items })
  const [starts_at, ends_at] = [world.clock.now + HOUR, world.clock.now + 2 * HOUR]
  await world.ok('billing.attach', { customer_id: 'ada', plan_id: 'pro', starts_at, ends_at })
  const stored = async () => {
    const page = { env: 'sandbox', order: 'oldest', offset: 0, limit: 1, counted: false } as const
    const [only] = (await world.store.listCustomers(page)).rows
    return only === undefined ? [] : attachmentsOf(only.holdings).map(({ status }) => status)
  }
  const statuses: string[] = []
  for (let hour = 0; hour < 3; hour++) {
    await vi.advanceTimersByTimeAsync(1_000)
    await vi.waitFor(async () => expect(await world.engine.withDueAttachments('sandbox', 10)).toEqual([]))
    statuses.push(...(await stored()))
    world.clock.advance(HOUR)
  }
  vi.advanceTimersByTime(1_000)
  await worker.stop()
  expect(statuses).toEqual(['scheduled', 'active', 'ended'])
  expect(faults).toEqual([])
})

test('a store that fails is told of, and the next pass goes on', async () => {
  let fails = true
  const faults: unknown[] = []
  const failing = await openWorld({
    wrap: (store) =>
      new Proxy(store, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name)
          if (name === 'withLapsedLocks' && fails) return () => Promise.reject(new Error('gone'))
          return typeof value === 'function' ? value.bind(target) : value
        },
      }),
  })
  try {
    const worker = new Worker(failing.engine, (error) => faults.push(error))
    await vi.advanceTimersByTimeAsync(1_000)
    await vi.waitFor(() => expect(faults).toHaveLength(1))
    fails = false
    vi.advanceTimersByTime(1_000)
    await worker.stop()
    expect(faults).toHaveLength(1)
  } finally {
    await failing.close()
  }
})

import { expect, test } from 'vitest'
import { balances } from './journey/balances.ts'
import { billing } from './journey/billing.ts'
import { customers, deletions, lists } from './journey/customers.ts'
import { balancesOfEntities, entities } from './journey/entities.ts'
import { events } from './journey/events.ts'
import { features } from './journey/features.ts'
import { begin, countsOf } from './journey/journey.ts'
import { locks } from './journey/locks.ts'
import { planCatalogue } from './journey/plan-catalogue.ts'
import { plans, versions } from './journey/plans.ts'
import { batchTrack, check, checkAndUse, track, trackByEventName, trackTokens } from './journey/use.ts'
import { connect, load, NEWEST, OLDER } from './published.ts'
import { type ClientServer, startServer } from './server.ts'

const DAY = 86_400_000

const RELEASES = [...OLDER, NEWEST]
const RUNS = [
  ...RELEASES.map((release) => ({ release, store: 'memory' as const })),
  // The newest is at home there in autumn-js.test.ts.
  ...OLDER.slice(0, 1).map((release) => ({ release, store: 'sqlite' as const })),
]

test.each(RELEASES)('$module is a strict one: absent keys make it refuse an answer', async (release) => {
  const { checkResponseFromJSON, updateBalanceResponseFromJSON } = await load(release)
  expect(updateBalanceResponseFromJSON('{"success":true}').ok).toBe(true)
  expect(updateBalanceResponseFromJSON('{}').ok).toBe(false)
  // Those that page by offset want optional keys too.
  const withoutOptional = checkResponseFromJSON('{"allowed":true,"customer_id":"c","balance":null,"flag":null}')
  expect(withoutOptional.ok).toBe(release.paging === 'cursor')
})

test.each(RUNS)('$release.module goes all the way on $store', ({ release, store }) =>
  serving(store, async (server) => {
    const journey = await begin(release, server)
    await features(journey)
    await planCatalogue(journey)
    await customers(journey)
    await balances(journey)
    await check(journey)
    await checkAndUse(journey)
    await track(journey)
    await trackByEventName(journey)
    await batchTrack(journey)
    await locks(journey)
    await entities(journey)
    await balancesOfEntities(journey)
    await lists(journey)
    await events(journey)
    await deletions(journey)
    await trackTokens(journey)
    await plans(journey)
    await versions(journey)
    await billing(journey)
    // Whatever is served is part of the journey.
    const called = new Set(server.requests.map(({ path }) => path.replace('/v1/', '')))
    expect([...called].sort()).toEqual([...journey.calls].sort())
    expect(new Set(server.requests.map(({ headers }) => headers['x-api-version']))).toEqual(new Set([release.api]))
  }),
)

test.each(OLDER)('$module reads what the newest makes', (release) =>
  serving('memory', async (server) => {
    const messages = { customerId: 'ada', featureId: 'messages' }
    const { autumn: newest } = await connect(NEWEST, server)
    await newest.features.create({ featureId: 'messages', name: 'Messages', type: 'metered', consumable: true })
    await newest.customers.getOrCreate({ customerId: 'ada', config: { disablePooledBalance: true } })
    const reset = { interval: 'week', intervalCount: 2 } as const
    await newest.balances.create({ ...messages, includedGrant: 100, reset, rollover: { max: 30, length: 1 } })
    server.clock.now += 14 * DAY
    const timestamp = server.clock.now - DAY
    await newest.track({ ...messages, value: 10, timestamp })

    const { autumn } = await connect(release, server)
    const { balance } = await autumn.check(messages)
    expect(countsOf(balance)).toEqual([130, 120, 10])
    expect(balance?.rollovers).toMatchObject([{ balance: 20, expiresAt: Date.UTC(2026, 2, 14, 10) }])
    expect(balance?.breakdown?.[0]?.reset).toMatchObject({ interval: 'week', intervalCount: 2 })
    expect((await autumn.customers.getOrCreate({ customerId: 'ada' })).balances).toEqual({ messages: balance })
    expect((await autumn.events.list({ customerId: 'ada' })).list).toMatchObject([{ value: 10, timestamp }])
  }),
)

async function serving(store: 'memory' | 'sqlite', story: (server: ClientServer) => Promise<void>): Promise<void> {
  const server = await startServer(store)
  try {
    await story(server)
  } finally {
    await server.close()
  }
  expect(server.faults).toEqual([])
}

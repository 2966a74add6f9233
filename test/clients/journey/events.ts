import { expect } from 'vitest'
import { pagesOf } from '../published.ts'
import type { Journey } from './journey.ts'

export async function events({ autumn, clock, release }: Journey): Promise<void> {
  const values = async (filter: object) => (await autumn.events.list(filter)).list.map(({ value }) => value)
  const { list } = await autumn.events.list({ customerId: 'finn', featureId: 'messages' })
  expect(list.map(({ value }) => value)).toEqual([-1, 5, -0.8, 1, 0.2, 0.1])
  expect(list[3]).toMatchObject({ featureId: 'messages', customerId: 'finn', value: 1 })
  // Releases that page by offset drop every property.
  const properties = release.paging === 'cursor' ? { model: 'm', tokens: 7 } : {}
  expect([list[3]?.properties, list[0]?.properties]).toEqual([properties, {}])
  const pages = await pagesOf(release, 3, (paging) => autumn.events.list({ customerId: 'finn', ...paging }))
  expect(pages.map((page) => page.map(({ value }) => value))).toEqual([
    [-2, 4, -1],
    [5, -0.8, 1],
    [0.2, 0.1],
  ])
  expect(await values({ customerId: 'gus', featureId: ['job.done'] })).toEqual([5])
  expect(await values({ customerId: 'dora' })).toEqual([3, 6])
  clock.now += 1000
  await autumn.track({ customerId: 'finn', featureId: 'seats', value: 1 })
  expect(await values({ customerId: 'finn', customRange: { start: clock.now } })).toEqual([1])
  expect(await values({ customerId: 'finn', featureId: 'seats', customRange: { end: clock.now - 1 } })).toEqual([-2, 4])
  // Only the oldest release cannot ask for one entity.
  if (release.api !== '2.1') expect(await values({ customerId: 'acme', entityId: 'desk-2' })).toEqual([15])
  if (release.paging === 'cursor') {
    const [job] = (await autumn.events.list({ customerId: 'gus', featureId: 'job.done' })).list
    expect(job?.deductions?.map(({ featureId, value }) => [featureId, value])).toEqual([
      ['renders', 3],
      ['credits', 0.4],
      ['downloads', 5],
    ])
  }
  await aggregates({ autumn, clock, release })
}

/** Every release asks for bins of a day where it is not told otherwise. */
async function aggregates({ autumn, clock, release }: Pick<Journey, 'autumn' | 'clock' | 'release'>): Promise<void> {
  const { list, total } = await autumn.events.aggregate({
    customerId: 'finn',
    featureId: ['messages', 'seats'],
    range: '7d',
  })
  expect(list).toHaveLength(8)
  expect(list.every(({ period }) => period <= clock.now)).toBe(true)
  expect(list.map(({ values }) => values['messages'])).toEqual([0, 0, 0, 0, 0, 0, 0, 4.5])
  expect(total).toEqual({ messages: { count: 6, sum: 4.5 }, seats: { count: 3, sum: 3 } })
  const grouped = await autumn.events.aggregate({
    ...{ customerId: 'finn', featureId: 'messages', groupBy: 'properties.model', range: '24h', binSize: 'month' },
  } as Parameters<typeof autumn.events.aggregate>[0])
  expect(grouped.list.at(-1)?.groupedValues).toEqual({ messages: { m: 1 } })
  const start = clock.now - 1
  const ranged = await autumn.events.aggregate({
    ...{ customerId: 'finn', featureId: 'seats', customRange: { start, end: clock.now }, binSize: 'hour' },
  } as Parameters<typeof autumn.events.aggregate>[0])
  expect(ranged.total).toEqual({ seats: { count: 1, sum: 1 } })
  if (release.paging === 'offset') return
  const byEntity = await autumn.events.aggregate({
    ...{ featureId: 'messages', groupBy: '$customer_id', range: '24h', maxGroups: 1 },
  })
  expect(Object.keys(byEntity.list.at(-1)?.groupedValues?.['messages'] ?? {})).toContain('AUTUMN_RESERVED')
  const model = await autumn.events.aggregate({ featureId: 'messages', filterBy: { model: 'm' }, range: '24h' })
  expect(model.total).toEqual({ messages: { count: 1, sum: 1 } })
}

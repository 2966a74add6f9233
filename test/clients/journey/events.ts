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
}

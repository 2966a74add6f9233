import { expect } from 'vitest'
import { type Journey, SUCCESS } from './journey.ts'

export async function features({ autumn, refusal }: Journey): Promise<void> {
  const messages = await autumn.features.create({
    featureId: 'messages',
    name: 'Messages',
    type: 'metered',
    consumable: true,
    display: { singular: 'message', plural: 'messages' },
  })
  expect(messages).toMatchObject({
    id: 'messages',
    name: 'Messages',
    type: 'metered',
    consumable: true,
    eventNames: [],
  })
  expect(messages).toMatchObject({ archived: false, display: { singular: 'message', plural: 'messages' } })
  expect(await autumn.features.get({ featureId: 'messages' })).toEqual(messages)
  const seats = await autumn.features.create({ featureId: 'seats', name: 'Seats', type: 'metered', consumable: false })
  expect(seats).toMatchObject({ id: 'seats', consumable: false })
  const sso = await autumn.features.create({ featureId: 'sso', name: 'Single sign-on', type: 'boolean' })
  expect(sso).toMatchObject({ id: 'sso', type: 'boolean', consumable: false })
  for (const featureId of ['renders', 'exports']) {
    const metered = { type: 'metered', consumable: true } as const
    await autumn.features.create({ featureId, name: featureId, ...metered, eventNames: ['job.done'] })
  }
  const credits = await autumn.features.create({
    featureId: 'credits',
    name: 'Credits',
    type: 'credit_system',
    creditSchema: [{ meteredFeatureId: 'renders', creditCost: 0.2 }],
  })
  expect(credits).toMatchObject({ type: 'credit_system', consumable: true })
  expect(credits.creditSchema).toEqual([{ meteredFeatureId: 'renders', creditCost: 0.2 }])

  const change = { featureId: 'exports', newFeatureId: 'downloads', name: 'Downloads', eventNames: ['job.done', 'get'] }
  const renamed = await autumn.features.update({ ...change, display: { singular: 'download', plural: 'downloads' } })
  expect(renamed).toMatchObject({ id: 'downloads', name: 'Downloads', eventNames: ['job.done', 'get'] })
  expect(renamed.display).toEqual({ singular: 'download', plural: 'downloads' })
  expect((await autumn.features.update({ featureId: 'seats', archived: true })).archived).toBe(true)
  const listed = async () => (await autumn.features.list()).list.map(({ id }) => id)
  expect(await listed()).toEqual(['messages', 'sso', 'renders', 'downloads', 'credits', 'seats'])
  expect((await autumn.features.update({ featureId: 'seats', archived: false })).archived).toBe(false)

  await autumn.features.create({ featureId: 'draft', name: 'Draft', type: 'boolean' })
  expect(await autumn.features.delete({ featureId: 'draft' })).toEqual(SUCCESS)
  expect(await refusal(autumn.features.get({ featureId: 'draft' }))).toEqual([404, 'feature_not_found'])
  expect(await refusal(autumn.features.delete({ featureId: 'renders' }))).toEqual([409, 'invalid_request'])
  const again = autumn.features.create({ featureId: 'messages', name: 'Again', type: 'boolean' })
  expect(await refusal(again)).toEqual([409, 'duplicate_feature_id'])
}

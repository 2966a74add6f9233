import { expect } from 'vitest'
import { pagesOf } from '../published.ts'
import { countsOf, type Journey, SUCCESS } from './journey.ts'

export async function entities({ autumn, calls, clock, newCustomer, refusal, release }: Journey): Promise<void> {
  await newCustomer('acme')
  await autumn.balances.create({ customerId: 'acme', featureId: 'seats', includedGrant: 5 })
  await autumn.balances.create({ customerId: 'acme', featureId: 'messages', includedGrant: 100 })
  await autumn.balances.create({ customerId: 'acme', featureId: 'sso' })
  const one = { customerId: 'acme', entityId: 'desk-1' }
  const created = await autumn.entities.create({ ...one, featureId: 'seats', name: 'Desk 1' })
  expect(created).toMatchObject({ id: 'desk-1', name: 'Desk 1', customerId: 'acme', featureId: 'seats' })
  expect(created).toMatchObject({ createdAt: clock.now, env: 'sandbox', subscriptions: [], purchases: [] })
  expect(Object.keys(created.balances).sort()).toEqual(['messages', 'seats'])
  expect(countsOf(created.balances['messages'])).toEqual([100, 100, 0])
  expect(created.flags['sso']).toMatchObject({ featureId: 'sso' })
  clock.now += 1000
  await autumn.entities.create({ customerId: 'acme', entityId: 'desk-2', featureId: 'seats', name: 'Desk 2' })
  const { balance } = await autumn.check({ customerId: 'acme', featureId: 'seats' })
  expect(countsOf(balance)).toEqual([5, 3, 2])

  const found = await autumn.entities.get(one)
  expect(found).toMatchObject({ id: 'desk-1', name: 'Desk 1', createdAt: created.createdAt })
  expect(countsOf(found.balances['seats'])).toEqual([5, 3, 2])
  expect(await autumn.entities.get({ entityId: 'desk-1' })).toEqual(found)
  expect(await autumn.entities.update(one)).toEqual(found)
  const { entities: heads } = await autumn.customers.getOrCreate({ customerId: 'acme', expand: ['entities'] })
  expect(heads?.map(({ id, name }) => [id, name])).toEqual([
    ['desk-1', 'Desk 1'],
    ['desk-2', 'Desk 2'],
  ])

  const newcomer = { customerId: 'inc', customerData: { name: 'Inc', email: 'inc@example.test' } }
  const first = await autumn.entities.create({ ...newcomer, entityId: 'desk-1', featureId: 'seats' })
  expect(first).toMatchObject({ id: 'desk-1', name: null, customerId: 'inc' })
  expect(await autumn.customers.getOrCreate({ customerId: 'inc' })).toMatchObject({ name: 'Inc' })
  expect(await refusal(autumn.entities.get({ entityId: 'desk-1' }))).toEqual([400, 'entity_id_required'])

  if (calls.has('entities.list')) {
    const { list } = await autumn.entities.list({ customerId: 'acme', search: 'DESK' })
    expect(list.map(({ id, name, customerId }) => [id, name, customerId])).toEqual([
      ['desk-2', 'Desk 2', 'acme'],
      ['desk-1', 'Desk 1', 'acme'],
    ])
    expect(countsOf(list[0]?.balances['messages'])).toEqual([100, 100, 0])
    const pages = await pagesOf(release, 2, (paging) => autumn.entities.list(paging))
    expect(pages.map((page) => page.map(({ customerId, id }) => `${customerId} ${id}`))).toEqual([
      ['inc desk-1', 'acme desk-2'],
      ['acme desk-1'],
    ])
  }
  const again = autumn.entities.create({ ...one, featureId: 'seats' })
  expect(await refusal(again)).toEqual([409, 'entity_already_exists'])
  const unfit = autumn.entities.create({ customerId: 'acme', entityId: 'm', featureId: 'messages' })
  expect(await refusal(unfit)).toEqual([400, 'invalid_request'])
}

export async function balancesOfEntities({ autumn, read, refusal }: Journey): Promise<void> {
  const customer = { customerId: 'acme', featureId: 'messages' }
  const [one, two] = [
    { ...customer, entityId: 'desk-1' },
    { ...customer, entityId: 'desk-2' },
  ]
  const counts = async (request: typeof customer) => countsOf((await autumn.check(request)).balance)
  expect(
    await autumn.balances.create({ ...one, includedGrant: 20, reset: { interval: 'month' }, balanceId: 'own' }),
  ).toEqual(SUCCESS)
  const checked = await autumn.check({ ...one, requiredBalance: 120 })
  expect(checked).toMatchObject({ allowed: true, customerId: 'acme', entityId: 'desk-1' })
  expect(checked.balance?.breakdown?.map(({ includedGrant }) => includedGrant).sort()).toEqual([100, 20])

  // Its own balance is used first, then what all share.
  const tracked = await autumn.track({ ...one, value: 25 })
  expect(tracked).toMatchObject({ customerId: 'acme', entityId: 'desk-1', value: 25 })
  expect(countsOf(tracked.balance)).toEqual([120, 95, 25])
  expect(await counts(two)).toEqual([100, 95, 5])
  expect(await counts(customer)).toEqual([120, 95, 25])
  expect(countsOf((await read('acme')).balances['messages'])).toEqual([120, 95, 25])
  const used = await autumn.check({ ...two, requiredBalance: 15, sendEvent: true })
  expect([used.allowed, used.entityId, countsOf(used.balance)]).toEqual([true, 'desk-2', [100, 80, 20]])

  expect(await autumn.balances.update({ ...one, balanceId: 'own', remaining: 12 })).toEqual(SUCCESS)
  expect(await counts(one)).toEqual([120, 92, 28])
  // The customer is shown what its entities have, and cannot spend it.
  const spending = await autumn.check({ ...customer, requiredBalance: 81 })
  expect([spending.allowed, countsOf(spending.balance)]).toEqual([false, [120, 92, 28]])
  expect(countsOf((await autumn.entities.get(one)).balances['messages'])).toEqual([120, 92, 28])
  expect(await autumn.balances.delete({ ...one, balanceId: 'own' })).toEqual(SUCCESS)
  expect(await counts(one)).toEqual([100, 80, 20])

  const stranger = { ...customer, entityId: 'desk-9' }
  expect(await refusal(autumn.check(stranger))).toEqual([404, 'entity_not_found'])
  expect(await refusal(autumn.track(stranger))).toEqual([404, 'entity_not_found'])
  const grant = autumn.balances.create({ ...stranger, includedGrant: 1 })
  expect(await refusal(grant)).toEqual([404, 'entity_not_found'])

  await autumn.balances.create({ ...one, includedGrant: 7 })
  expect(await autumn.entities.delete({ customerId: 'acme', entityId: 'desk-1' })).toEqual(SUCCESS)
  const gone = autumn.entities.get({ customerId: 'acme', entityId: 'desk-1' })
  expect(await refusal(gone)).toEqual([404, 'entity_not_found'])
  const { balances } = await read('acme')
  expect([countsOf(balances['messages']), countsOf(balances['seats'])]).toEqual([
    [100, 80, 20],
    [5, 4, 1],
  ])
}

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Story } from './story.ts'

type Body = Record<string, unknown>

let story: Story
beforeAll(async () => {
  story = await Story.begin()
  const fee = (amount: number) => ({ price: { amount, interval: 'month' } })
  const trial = { free_trial: { duration_length: 14, duration_type: 'day', card_required: true } }
  const plans: Body[] = [
    { plan_id: 'hobby', group: 'main' },
    { plan_id: 'starter', group: 'main', ...fee(10) },
    { plan_id: 'studio', group: 'main', ...fee(24), ...trial },
    { plan_id: 'agency', group: 'main', ...fee(90) },
    { plan_id: 'other', group: 'other', ...fee(5), ...trial },
    { plan_id: 'boost', add_on: true, ...fee(6) },
    { plan_id: 'pack', price: { amount: 3, interval: 'one_off' } },
  ]
  for (const plan of plans) await story.world.ok('plans.create', { name: String(plan['plan_id']), ...plan })
})
beforeEach(() => story.anew())
afterAll(() => story.world.close())

const attach = (plan_id: string, more: Body = {}) =>
  story.world.ok('billing.attach', { customer_id: 'alice', plan_id, ...more })

async function eligibility(more: Body = {}, version = '2.4'): Promise<Record<string, Body | undefined>> {
  const headers = { 'x-api-version': version }
  const { list } = await story.world.ok('plans.list', { customer_id: 'alice', ...more }, headers)
  return Object.fromEntries(list.map((plan: Body) => [plan['id'], plan['customer_eligibility']]))
}

/** `action scenario`, then what is so. */
async function told(more: Body = {}): Promise<Record<string, string>> {
  const all = Object.entries(await eligibility(more)).map(([id, one = {}]) => {
    const { attach_action, scenario, status, canceling, trialing, trial_available } = one
    const flags = [
      ...(status === undefined ? [] : [status]),
      ...(canceling === true ? ['canceling'] : []),
      ...(trialing === true ? ['trialing'] : []),
      ...(trial_available === undefined ? [] : [trial_available === true ? 'trial' : 'no trial']),
    ]
    return [id, [attach_action, scenario, ...flags].join(' ')]
  })
  return Object.fromEntries(all)
}

describe('what a customer may do with each plan (C80-C83)', () => {
  const FIRST = {
    hobby: 'activate new',
    starter: 'activate new',
    studio: 'activate new trial',
    agency: 'activate new',
    other: 'activate new trial',
    boost: 'activate new',
    pack: 'purchase new',
  }

  test('one that has none may begin with any', async () => {
    expect(await told()).toEqual(FIRST)
  })

  test('of its group, the plan that it has decides', async () => {
    await attach('studio')
    expect(await told()).toEqual({
      ...FIRST,
      hobby: 'downgrade cancel',
      starter: 'downgrade downgrade',
      studio: 'none active active trialing no trial',
      agency: 'upgrade upgrade',
    })
  })

  test('a downgrade that is scheduled is told, and the plan that ends for it', async () => {
    await attach('agency')
    await attach('starter')
    expect(await told()).toMatchObject({
      starter: 'none scheduled scheduled',
      agency: 'none renew active canceling',
      studio: 'downgrade downgrade no trial',
    })
  })

  test('add-ons and what is paid once are had beside it', async () => {
    await attach('boost')
    await attach('pack')
    expect(await told()).toEqual({ ...FIRST, boost: 'none active active', pack: 'purchase new active' })
  })

  test('a trial is had once (C75)', async () => {
    await attach('other')
    await story.world.ok('billing.update', {
      ...{ customer_id: 'alice', plan_id: 'other', cancel_action: 'cancel_immediately' },
    })
    expect(await told()).toMatchObject({ other: 'activate new no trial' })
  })

  test('an entity has plans of its own (C219)', async () => {
    await story.seat('desk')
    await attach('agency')
    await attach('starter', { entity_id: 'desk' })
    expect(await told({ entity_id: 'desk' })).toMatchObject({
      starter: 'none active active',
      agency: 'upgrade upgrade',
    })
    expect(await told()).toMatchObject({ starter: 'downgrade downgrade', agency: 'none active active' })
  })

  test.each([{ customer_id: 'nobody' }, { entity_id: 'nobody' }, { customer_id: undefined }])(
    'of a subject that nobody knows nothing is said (C65): %o',
    async (more) => {
      for (const one of Object.values(await eligibility(more))) expect(one).toBeUndefined()
    },
  )

  test('versions show what they know of it (C15, K 3.6)', async () => {
    await attach('starter')
    const at = async (version: string) => (await eligibility({}, version))['studio']
    const upgrade = { scenario: 'upgrade', attach_action: 'upgrade', trial_available: true }
    expect(await at('2.3')).toEqual(upgrade)
    expect(await at('2.2')).toEqual({ ...upgrade, status: null, canceling: null, trialing: null })
    expect(await at('2.1')).toEqual({ ...upgrade, status: null, canceling: null, trialing: null })
    expect(await at('2.0')).toEqual({ scenario: 'upgrade', trial_available: true })
    const headers = { 'x-api-version': '1.2' }
    const { list } = await story.world.ok('plans.list', { customer_id: 'alice' }, headers)
    expect(list[2]).toMatchObject({ id: 'studio', scenario: 'upgrade', free_trial: { trial_available: true } })
  })
})

import { expect } from 'vitest'
import { openWorld, type World } from '../world.ts'

type Body = Record<string, unknown>

/** Stories told through the real application: who holds what, on which day, and what is then left. */
export class Story {
  readonly world: World

  static async begin(at = '2026-01-31T10:00:00Z'): Promise<Story> {
    const world = await openWorld({ at: Date.parse(at) })
    await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
    await world.ok('features.create', { feature_id: 'images', name: 'Images', type: 'metered', consumable: true })
    await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
    await world.ok('features.create', { feature_id: 'sso', name: 'SSO', type: 'boolean' })
    await world.ok('features.create', {
      feature_id: 'credits',
      name: 'Credits',
      type: 'credit_system',
      credit_schema: [
        { metered_feature_id: 'messages', credit_cost: 0.2 },
        { metered_feature_id: 'images', credit_cost: 3 },
      ],
    })
    await world.ok('customers.get_or_create', { customer_id: 'alice' })
    return new Story(world)
  }

  private constructor(world: World) {
    this.world = world
  }

  at(instant: string): void {
    this.world.clock.set(instant.includes('T') ? instant : `${instant}T10:00:00Z`)
  }

  grant(feature: string, terms: Body) {
    return this.world.ok('balances.create', { customer_id: 'alice', feature_id: feature, ...terms })
  }

  track(feature: string, value: number, more: Body = {}) {
    return this.world.ok('balances.track', { customer_id: 'alice', feature_id: feature, value, ...more })
  }

  update(feature: string, change: Body) {
    return this.world.ok('balances.update', { customer_id: 'alice', feature_id: feature, ...change })
  }

  check(feature: string, required?: number) {
    return this.world.ok('balances.check', {
      customer_id: 'alice',
      feature_id: feature,
      ...(required === undefined ? {} : { required_balance: required }),
    })
  }

  async refused(operation: string, body: Body): Promise<{ status: number; code: string; message: string }> {
    const reply = await this.world.call(operation, { customer_id: 'alice', ...body })
    return { status: reply.status, code: reply.body.code, message: reply.body.message }
  }

  /** granted / remaining / usage of a feature, as customers.get shows it. */
  async holds(feature: string, figures: string): Promise<void> {
    const { balances } = await this.world.ok('customers.get', { customer_id: 'alice' })
    const balance = balances[feature]
    expect(balance === undefined ? 'nothing' : `${balance.granted}/${balance.remaining}/${balance.usage}`).toBe(figures)
  }

  /** Remaining per balance, by its id, in the order of consumption. */
  async lines(feature: string): Promise<string[]> {
    const { balances } = await this.world.ok('customers.get', { customer_id: 'alice' })
    return (balances[feature]?.breakdown ?? []).map(({ id, remaining }: Body) => `${id} ${remaining}`)
  }
}

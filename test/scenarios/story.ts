import { expect } from 'vitest'
import { LIVE_KEY, openWorld, SANDBOX_KEY, type World, type WorldOptions } from '../world.ts'

type Body = Record<string, unknown>

/** Stories told through the real application: who holds what, on which day, and what is then left. */
export class Story {
  readonly world: World

  static async begin(at = '2026-01-31T10:00:00Z', options: WorldOptions = {}): Promise<Story> {
    const world = await openWorld({ at: Date.parse(at), ...options })
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

  /** The story begins again in the same world, which is quicker to have than a new one where it lies on a disk. */
  async anew(at = '2026-01-31T10:00:00Z'): Promise<void> {
    await deleteEveryone(this.world)
    this.at(at)
    await this.world.ok('customers.get_or_create', { customer_id: 'alice' })
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

  check(feature: string, required?: number, more: Body = {}) {
    return this.world.ok('balances.check', {
      customer_id: 'alice',
      feature_id: feature,
      ...(required === undefined ? {} : { required_balance: required }),
      ...more,
    })
  }

  /** Creates entities of hers, each a seat. @returns the answer: an entity, or a list of several. */
  seat(...ids: readonly string[]) {
    const entities = ids.map((entity_id) => ({ entity_id, feature_id: 'seats' }))
    return this.world.ok('entities.create', { customer_id: 'alice', entities })
  }

  async refused(operation: string, body: Body): Promise<{ status: number; code: string; message: string }> {
    const reply = await this.world.call(operation, { customer_id: 'alice', ...body })
    return { status: reply.status, code: reply.body.code, message: reply.body.message }
  }

  /** granted / remaining / usage of a feature, as customers.get shows it. */
  async holds(feature: string, figures: string): Promise<void> {
    const { balances } = await this.world.ok('customers.get', { customer_id: 'alice' })
    expect(figuresOf(balances[feature])).toBe(figures)
  }

  /** As `holds`, of what one of her entities sees: its own balances and those that it inherits. */
  async sees(entity: string, feature: string, figures: string): Promise<void> {
    const { balances } = await this.world.ok('entities.get', { customer_id: 'alice', entity_id: entity })
    expect(figuresOf(balances[feature]), entity).toBe(figures)
  }

  /** Remaining per balance, by its id, in the order of consumption; of the customer, or of what an entity sees. */
  async lines(feature: string, entity?: string): Promise<string[]> {
    const { balances } =
      entity === undefined
        ? await this.world.ok('customers.get', { customer_id: 'alice' })
        : await this.world.ok('entities.get', { customer_id: 'alice', entity_id: entity })
    return (balances[feature]?.breakdown ?? []).map(({ id, remaining }: Body) => `${id} ${remaining}`)
  }
}

/** granted / remaining / usage of a balance as answers of 2.1 and newer show it. */
export function figuresOf(balance: { granted: number; remaining: number; usage: number } | null | undefined): string {
  return balance == null ? 'nothing' : `${balance.granted}/${balance.remaining}/${balance.usage}`
}

/** Status and code of an answer: `404 entity_not_found`, or `200` where nothing was refused. */
export async function codeOf(
  world: World,
  operation: string,
  body?: unknown,
  headers?: Record<string, string | undefined>,
): Promise<string> {
  const { status, body: answer } = await world.call(operation, body, headers)
  return status === 200 ? '200' : `${status} ${answer.code}`
}

/** Deletes the customers of both environments. What is defined for all of them stays. */
export async function deleteEveryone(world: World): Promise<void> {
  for (const [env, key] of [
    ['sandbox', SANDBOX_KEY],
    ['live', LIVE_KEY],
  ] as const) {
    const { rows } = await world.store.listCustomers({ env, order: 'oldest', offset: 0, limit: 10_000, counted: false })
    const deletions = rows.map(({ holdings }) =>
      world.ok('customers.delete', { customer_id: holdings.customer.uid }, { authorization: `Bearer ${key}` }),
    )
    await Promise.all(deletions)
  }
}

import { expect } from 'vitest'
import type { WorldOptions } from '../world.ts'
import { figuresOf, Story } from './story.ts'

type Body = Record<string, unknown>

/** D0 of the vectors: the end of a month, so that shorter ones show. */
export const D0 = '2030-01-31T10:00:00Z'

export const monthly = (amount: number) => ({ amount, interval: 'month' })

/** An item that is granted every month. */
export const each = (feature_id: string, included: number, more: Body = {}) => ({
  feature_id,
  included,
  reset: { interval: 'month' },
  ...more,
})

/** Seats that may be owed for: each beyond those that are included is paid for. */
export const seats = (included: number, more: Body = {}) => ({
  feature_id: 'seats',
  included,
  price: { amount: 5, interval: 'month', billing_method: 'usage_based', ...more },
})

/** An item that is bought in advance. */
export const prepaid = (feature_id: string, included: number, price: Body = {}, more: Body = {}) => ({
  feature_id,
  included,
  price: { amount: 1, interval: 'month', billing_method: 'prepaid', ...price },
  ...more,
})

/** A story about plans: alice at D0, and what she has. */
export class PlanStory {
  readonly story: Story

  static async begin(plans: Readonly<Record<string, Body>>, options: WorldOptions = {}): Promise<PlanStory> {
    const story = await Story.begin(D0, options)
    const told = new PlanStory(story)
    for (const [plan_id, body] of Object.entries(plans)) await told.define(plan_id, body)
    return told
  }

  private constructor(story: Story) {
    this.story = story
  }

  get world() {
    return this.story.world
  }

  define(plan_id: string, body: Body) {
    return this.world.ok('plans.create', { plan_id, name: plan_id, ...body })
  }

  attach(plan_id: string, more: Body = {}) {
    return this.world.ok('billing.attach', { customer_id: 'alice', plan_id, ...more })
  }

  update(more: Body) {
    return this.world.ok('billing.update', { customer_id: 'alice', ...more })
  }

  /** `409 plan_already_attached`. */
  async refused(operation: string, body: Body): Promise<string> {
    const { status, code } = await this.story.refused(operation, body)
    return `${status} ${code}`
  }

  at(instant: string): void {
    this.story.at(instant)
  }

  /** Plan by plan what a subject has: `studio active`, with how it ends, when it began unless at D0, and whose it is. */
  async plans(entity?: string): Promise<string[]> {
    const subject =
      entity === undefined
        ? await this.world.ok('customers.get', { customer_id: 'alice' })
        : await this.world.ok('entities.get', { customer_id: 'alice', entity_id: entity })
    return [
      ...subject.subscriptions.map(worded),
      ...subject.purchases.map((one: Body) => worded({ ...one, status: 'bought' })),
    ]
  }

  /** granted/remaining/usage. */
  async holds(feature: string, figures: string): Promise<void> {
    await this.story.holds(feature, figures)
  }

  async balance(feature: string) {
    const { balances } = await this.world.ok('customers.get', { customer_id: 'alice' })
    return balances[feature]
  }

  /** What of whom: a line of the breakdown for each balance, `pro 300/270/30`, loose ones as `-`. */
  async lines(feature: string): Promise<string[]> {
    const balance = await this.balance(feature)
    return (balance?.breakdown ?? []).map((line: Body & { included_grant: number; prepaid_grant: number }) => {
      const granted = line.included_grant + line.prepaid_grant
      return `${line['plan_id'] ?? '-'} ${figuresOf({ ...line, granted } as never)}`
    })
  }

  /** When a feature is granted anew. */
  async resets(feature: string, instant: string | null): Promise<void> {
    const balance = await this.balance(feature)
    expect(dayOf(balance?.next_reset_at ?? null)).toBe(instant)
  }
}

function worded(one: Body): string {
  const { plan_id, status, canceled_at, expires_at, trial_ends_at, started_at, scope } = one
  const words = [plan_id, status]
  if (scope === 'entity') words.push('of an entity')
  if (started_at !== Date.parse(D0)) words.push(`from ${dayOf(started_at)}`)
  if (trial_ends_at != null) words.push(`on trial until ${dayOf(trial_ends_at)}`)
  if (canceled_at != null) words.push('cancelled')
  if (expires_at != null) words.push(`until ${dayOf(expires_at)}`)
  return words.join(' ')
}

/** The day alone where it is the hour of D0. */
function dayOf(instant: unknown): string | null {
  if (typeof instant !== 'number') return null
  return new Date(instant).toISOString().replace('T10:00:00.000Z', '')
}

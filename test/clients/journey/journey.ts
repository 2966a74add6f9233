import type { Autumn, Balance } from 'autumn-js'
import { ROUTES } from '../../../src/http/routes.ts'
import { connect, type PublishedClient, type Release } from '../published.ts'
import type { ClientServer } from '../server.ts'

/**
 * One release of the published client on its way through everything that is served. The chapters follow each other: later
 * ones find what earlier ones made.
 */
export interface Journey extends PublishedClient {
  readonly clock: ClientServer['clock']
  /** What is served and the release has a method for: `balances.create`. */
  readonly calls: ReadonlySet<string>
  /** Reads a customer with whatever the release has for that. */
  read(customerId: string): ReturnType<Autumn['customers']['get']>
  /** A customer to whom nothing happened yet. */
  newCustomer(customerId: string): Promise<void>
}

export const SUCCESS = { success: true }

export async function begin(release: Release, server: ClientServer): Promise<Journey> {
  const { clock } = server
  const client = await connect(release, server)
  const { customers } = client.autumn
  const served = [...ROUTES.keys()].map((path) => path.replace('/v1/', '')).filter((path) => path.includes('.'))
  const calls = new Set(served.filter((call) => isMethodOf(client.autumn, call)))
  return {
    ...client,
    clock,
    calls,
    read: (customerId) =>
      calls.has('customers.get') ? customers.get({ customerId }) : customers.getOrCreate({ customerId }),
    async newCustomer(customerId) {
      clock.now += 1000
      await customers.getOrCreate({ customerId, name: `The ${customerId}`, email: `${customerId}@example.test` })
    },
  }
}

const WITHOUT_NOUN = ['check', 'track', 'batchTrack', 'trackTokens']

/** @param call `customers.get_or_create` is `customers.getOrCreate`; what is in `WITHOUT_NOUN` has no noun. */
function isMethodOf(autumn: Autumn, call: string): boolean {
  const [noun = '', verb = ''] = call.split('.')
  const name = verb.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const group: unknown = WITHOUT_NOUN.includes(name) ? autumn : Reflect.get(autumn, noun)
  return typeof group === 'object' && group !== null && typeof Reflect.get(group, name) === 'function'
}

/** What was granted, what is left and what was used; null where there is no balance. */
export function countsOf(balance: Balance | null | undefined): readonly number[] | null {
  return balance == null ? null : [balance.granted, balance.remaining, balance.usage]
}

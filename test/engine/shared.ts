import { MemoryStore } from '../../src/store/memory.ts'
import type { CustomerReference, Store, Versions } from '../../src/store/store.ts'
import { openWorld, type World, type WorldOptions } from '../world.ts'

/** A store in memory that several engines write, and that is counted what it is asked. */
export class SharedStore extends MemoryStore {
  /** How often the versions were asked for. */
  confirmations = 0
  /** What each process is told. */
  nobodyElse = false

  alone(): boolean {
    return this.nobodyElse
  }

  async versions(references: readonly CustomerReference[]): Promise<Versions> {
    this.confirmations += 1
    // Each of them looks before it first lets go, so that all of them look at one instant.
    const [sandbox, live, customers] = await Promise.all([
      this.loadCatalogue('sandbox'),
      this.loadCatalogue('live'),
      this.load(references),
    ])
    return {
      catalogues: { sandbox: sandbox.version, live: live.version },
      customers: customers.map((one) =>
        one === null ? null : { uid: one.holdings.customer.uid, version: one.version },
      ),
    }
  }
}

type Options = Omit<WorldOptions, 'wrap' | 'store'> & {
  /** What stands between a process and the store. */
  readonly between?: (store: Store, process: number) => Store
}

/**
 * Several processes on one store, each with caches and lanes of its own; in one thread, so that a test says who comes first.
 * There are the features `messages` and `seats`, and alice with ten messages, whom all of them have looked at.
 */
export async function openProcesses(
  count: number,
  { between = (store) => store, ...options }: Options = {},
): Promise<{ readonly store: SharedStore; readonly worlds: readonly World[] }> {
  const store = new SharedStore()
  const opened: World[] = []
  for (let i = 0; i < count; i++)
    opened.push(await openWorld({ ...options, store: 'memory', wrap: () => between(store, i) }))
  const [first] = opened
  if (first !== undefined) {
    const messages = { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true }
    await first.ok('features.create', messages)
    await first.ok('features.create', { ...messages, feature_id: 'seats', name: 'Seats', consumable: false })
    await first.ok('customers.get_or_create', { customer_id: 'alice' })
    await first.ok('balances.create', { customer_id: 'alice', feature_id: 'messages', included_grant: 10 })
  }
  for (const world of opened) await world.ok('customers.get', { customer_id: 'alice' })
  return { store, worlds: opened }
}

/** Two of them. */
export async function openTwo(options: Options = {}): Promise<{ store: SharedStore; a: World; b: World }> {
  const { store, worlds } = await openProcesses(2, options)
  const [a, b] = worlds
  if (a === undefined || b === undefined) throw new Error('two were asked for')
  return { store, a, b }
}

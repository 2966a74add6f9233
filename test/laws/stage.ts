import { allBalances, attachmentsOf, entitiesOf, holdingsOf } from '../../src/domain/holdings.ts'
import { valuesOf } from '../../src/domain/tree.ts'
import type { SqlRow, SqlValue } from '../../src/store/cells.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { ATTACHMENT_COLUMNS, attachmentFromRow, attachmentToRow } from '../../src/store/plan-rows.ts'
import {
  BALANCE_COLUMNS,
  balanceFromRow,
  balanceToRow,
  REFUND_COLUMNS,
  refundFromRow,
  refundToRow,
} from '../../src/store/rows.ts'
import type { CustomerReference, StoredCustomer } from '../../src/store/store.ts'
import { LOCK_COLUMNS, lockFromRow, lockToRow } from '../../src/store/use-rows.ts'
import { chance, seedOfRun } from '../crash/chance.ts'
import { Kept } from '../scenarios/kept.ts'
import { START, type StoreKind, type World } from '../world.ts'
import { type Offer, offerBody } from './offers.ts'

/** What an application has to live with, and nobody may notice. */
export interface Hardships {
  /** What it is kept in; by default what the run says. */
  readonly store?: StoreKind
  /** It ends where a history says so, and begins again on what was kept. */
  readonly restarts?: boolean
  /** It remembers no customer from one request to the next, and what it loads comes in no order. */
  readonly forgets?: boolean
}

/** Clocks of a sandbox only go forward, so the machine's is set back for each history; after so many there is a new sandbox. */
const HISTORIES_OF_A_WORLD = 200

/** The real application, in which histories follow one another: that costs far less than a world for each. */
export class Stage {
  readonly faults: unknown[] = []
  /** The plans of its catalogue. */
  readonly offers: readonly Offer[]
  readonly #hardships: Hardships
  #kept: Kept
  #world: World | null = null
  #histories = 0

  private constructor(hardships: Hardships, offers: readonly Offer[]) {
    this.#hardships = hardships
    this.offers = offers
    this.#kept = this.#newKept()
  }

  static async open(hardships: Hardships = {}, offers: readonly Offer[] = []): Promise<Stage> {
    const stage = new Stage(hardships, offers)
    await stage.#furnish()
    return stage
  }

  get world(): World {
    if (this.#world === null) throw new Error('a stage is furnished as soon as it is open')
    return this.#world
  }

  /** A new customer, who is called like the one that is deleted with all it had. */
  async replace(): Promise<void> {
    await this.world.call('customers.delete', { customer_id: 'alice' })
    await this.world.ok('customers.get_or_create', { customer_id: 'alice' })
  }

  /** Time begins anew, with another customer. */
  async begin(): Promise<void> {
    this.#histories += 1
    if (this.#histories % HISTORIES_OF_A_WORLD === 0) await this.#furnish()
    const { ahead_ms } = await this.world.ok('clock.get', {})
    this.world.clock.set(START - ahead_ms)
    // Ids never go back with a clock: those from before a restart in the middle would be later than those from after it.
    await this.restart()
    await this.replace()
  }

  async restart(): Promise<void> {
    if (this.#hardships.restarts === true) await this.#enter(this.world.clock.now)
  }

  /** Another customer takes the place of the one in memory. */
  async forget(): Promise<void> {
    if (this.#hardships.forgets === true) await this.world.ok('customers.get', { customer_id: 'bob' })
  }

  async close(): Promise<void> {
    this.faults.push(...this.world.faults)
    await this.#kept.remove()
  }

  async #furnish(): Promise<void> {
    await this.#kept.remove()
    this.#kept = this.#newKept()
    await this.#enter(START)
    const metered = { type: 'metered', consumable: true }
    const system = { type: 'credit_system' }
    const messages = { metered_feature_id: 'messages' }
    const images = { metered_feature_id: 'images' }
    const credits = [
      { ...messages, credit_cost: 0.3 },
      {
        ...images,
        billing_units: 7,
        tier_behavior: 'graduated',
        tiers: [
          { to: 4, credit_cost: 9 },
          { to: 14, credit_cost: 0 },
          { to: 'inf', credit_cost: 2 },
        ],
      },
    ]
    const gold = [{ ...messages, credit_cost: 1.1, billing_units: 3 }]
    for (const feature of [
      { feature_id: 'messages', ...metered },
      { feature_id: 'images', ...metered },
      { feature_id: 'seats', type: 'metered', consumable: false },
      { feature_id: 'credits', ...system, credit_schema: credits },
      { feature_id: 'gold', ...system, credit_schema: gold },
    ])
      await this.world.ok('features.create', { name: feature.feature_id, ...feature })
    for (const one of this.offers)
      await this.world.ok(one.version === 1 ? 'plans.create' : 'plans.update', offerBody(one))
    await this.world.ok('customers.get_or_create', { customer_id: 'bob' })
  }

  #newKept(): Kept {
    return new Kept(this.#hardships.store, () =>
      this.#hardships.forgets === true ? new ShuffledStore() : new MemoryStore(),
    )
  }

  /** The application ends and begins anew, on what is kept. */
  async #enter(at: number): Promise<void> {
    this.faults.push(...(this.#world?.faults ?? []))
    this.#world = await this.#kept.open(at, this.#hardships.forgets === true ? { cacheWeight: 1 } : {})
  }
}

/** Gives a customer as it is in rows, and those in a new order each time, as any store may. */
export class ShuffledStore extends MemoryStore {
  static loads = 0
  readonly #next = chance(seedOfRun())

  override async load(references: readonly CustomerReference[]): Promise<(StoredCustomer | null)[]> {
    ShuffledStore.loads += references.length
    return (await super.load(references)).map((one) => (one === null ? null : this.#shuffled(one)))
  }

  #shuffled({ version, holdings }: StoredCustomer): StoredCustomer {
    const { customer, latest, postings } = holdings
    const entities = this.#shuffle(entitiesOf(holdings))
    const rows = [...allBalances(holdings)].map((one) => rowOf(BALANCE_COLUMNS, balanceToRow(one)))
    const balances = this.#shuffle(rows).map(balanceFromRow)
    const refunds = [...holdings.refunds].map(([event, given]) => rowOf(REFUND_COLUMNS, refundToRow({ event, given })))
    const given = new Map(this.#shuffle(refunds).map(refundFromRow))
    const open = [...valuesOf(holdings.locks)].map((lock) => rowOf(LOCK_COLUMNS, lockToRow(lock)))
    const locks = this.#shuffle(open).map(lockFromRow)
    const plans = attachmentsOf(holdings).map((one) => rowOf(ATTACHMENT_COLUMNS, attachmentToRow(one)))
    const attached = this.#shuffle(plans).map(attachmentFromRow)
    return { version, holdings: holdingsOf(customer, entities, balances, latest, postings, given, locks, attached) }
  }

  #shuffle<T>(list: readonly T[]): T[] {
    return list
      .map((one) => ({ one, place: this.#next() }))
      .sort((a, b) => a.place - b.place)
      .map(({ one }) => one)
  }
}

function rowOf(columns: readonly string[], values: readonly SqlValue[]): SqlRow {
  return Object.fromEntries(columns.map((column, i) => [column, values[i] ?? null]))
}

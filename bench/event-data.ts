import { ONE } from '../src/domain/amount.ts'
import { type Customer, newCustomer } from '../src/domain/customer.ts'
import { AT_PAR } from '../src/domain/price.ts'
import type { UsageEvent } from '../src/domain/usage-event.ts'
import type { CustomerChange, Store } from '../src/store/store.ts'

const DAY = 86_400_000
/** How far back the events reach. */
const DAYS = 90
const AT_ONCE = 2000

/** Whose the events are, in parts of a hundred: `most` has half of all, `big` a tenth and all of it within thirty days. */
const SHARES = { most: 50, big: 10 }
const OTHERS = 1000
const REGIONS = ['eu', 'us', 'asia', 'africa']

/**
 * Writes so many events into an empty store, through its port and in the order of their time, so that they lie on the disk as
 * they would after ninety days. @param progress told the part that is done.
 */
export async function writeEvents(
  store: Store,
  count: number,
  now: number,
  progress: (part: number) => void,
): Promise<void> {
  const chance = chances(42)
  const versions = new Map<string, number>()
  const newIds = serialIds()
  for (let written = 0; written < count; written += AT_ONCE) {
    const byCustomer = new Map<string, UsageEvent[]>()
    for (let i = written; i < Math.min(written + AT_ONCE, count); i++) {
      const timestamp = now - DAYS * DAY + Math.floor((i / count) * DAYS * DAY)
      const id = ownerOf(chance, i / count)
      const events = byCustomer.get(id) ?? []
      if (events.length === 0) byCustomer.set(id, events)
      events.push(eventOf(chance, newIds(), timestamp))
    }
    const at = now - DAYS * DAY + Math.floor((written / count) * DAYS * DAY)
    const changes = [...byCustomer].map(([id, events]) => changeOf(id, at, versions, events))
    const results = await store.commit({ at, changes })
    if (results.some(({ kind }) => kind !== 'committed')) throw new Error('a batch was not committed')
    progress(Math.min(1, (written + AT_ONCE) / count))
  }
}

function changeOf(
  id: string,
  at: number,
  versions: Map<string, number>,
  events: readonly UsageEvent[],
): CustomerChange {
  const expected = versions.get(id) ?? null
  versions.set(id, (expected ?? 0) + 1)
  const customer: Customer | null = expected === null ? newCustomer(`cus_${id}`, 'sandbox', id, {}, at) : null
  return {
    env: 'sandbox',
    uid: `cus_${id}`,
    claims: [],
    rows: {
      expected,
      catalogue: 0,
      deleted: false,
      customer,
      latest: at,
      postingsBefore: 0,
      postings: [],
      written: [],
      removed: [],
      entitiesWritten: [],
      entitiesRemoved: [],
      refunds: [],
      locksWritten: [],
      locksRemoved: [],
      attachmentsWritten: [],
      attachmentsRemoved: [],
      events,
      keys: [],
    },
  }
}

function ownerOf(chance: () => number, part: number): string {
  const hundred = chance() * 100
  if (hundred < SHARES.most) return 'most'
  // Three times as often, because it is there for the last third only.
  if (part >= 2 / 3 && hundred < SHARES.most + 3 * SHARES.big) return 'big'
  return `customer_${Math.floor(chance() * OTHERS)}`
}

function eventOf(chance: () => number, uid: string, timestamp: number): UsageEvent {
  const kind = chance()
  const name = kind < 0.0001 ? 'rare' : kind < 0.1 ? 'images' : 'messages'
  const value = BigInt(1 + Math.floor(chance() * 5000)) * (ONE / 100n)
  const properties = {
    region: REGIONS[Math.floor(chance() * REGIONS.length)] ?? '',
    tokens: Math.floor(chance() * 1000),
  }
  const entity = chance() < 0.0001 ? 'seldom' : chance() < 0.5 ? `seat_${Math.floor(chance() * 20)}` : null
  const reset = { interval: 'month' as const, count: 1, resetsAt: timestamp + DAY }
  const deductions = [
    {
      balanceUid: 'cus_ent_01m7yvay7vk2q1g6v3w0s5n9tz',
      featureId: name,
      planId: null,
      reset,
      amount: value,
      price: AT_PAR,
      metered: null,
    },
  ]
  return {
    uid,
    name,
    value,
    properties,
    entity,
    refundOf: null,
    lock: null,
    timestamp,
    recordedAt: timestamp,
    deductions,
  }
}

/** As long as the ids of a server, and in order. */
function serialIds(): () => string {
  let n = 0
  return () => `evt_${String(n++).padStart(26, '0')}`
}

/** The same numbers from 0 to 1 in every run. */
function chances(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

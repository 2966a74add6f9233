import { assert } from '../domain/assert.ts'
import { Audit, ofMissingFeatures } from '../domain/audit.ts'
import { auditPlans } from '../domain/audit-plans.ts'
import { type Catalogue, catalogueOf } from '../domain/feature.ts'
import { allBalances, type Holdings } from '../domain/holdings.ts'
import type { Posting } from '../domain/ledger.ts'
import type { Instant } from '../domain/time.ts'
import type { Account, Books, Unreadable } from '../store/store.ts'

export type { Books }

/** Who wants to know. */
export interface Listener {
  /** Something is wrong: a sentence. */
  found(sentence: string): void
  /** After each customer. */
  proved(customers: number, of: number): void
}

/** What was looked at. */
export interface Extent {
  readonly customers: number
  readonly balances: number
  readonly postings: number
  readonly events: number
}

/** What an environment's customers are held against. */
interface World {
  readonly catalogue: Catalogue
  readonly now: Instant
}

/**
 * Proves the books: every customer's ledger leads to what it holds (`Audit`), all that it holds is of a feature and a plan
 * that are there (`auditPlans`), and no row belongs to nobody. Customers and ledgers come in the same order and are read side by side, so that no
 * more than one customer and a page of lines is in memory.
 * @param at wall clock.
 */
export async function verify(books: Books, at: Instant, listener: Listener): Promise<Extent> {
  const { customers: all, events } = await books.counts()
  const worlds = { sandbox: await worldOf(books, 'sandbox', at), live: await worldOf(books, 'live', at) }
  const lines = books.lines()[Symbol.asyncIterator]()
  let next = await lines.next()
  let [customers, balances, postings] = [0, 0, 0]
  for await (const account of books.accounts()) {
    const proof = new Proof(account)
    for (; next.done !== true && next.value.customer === account.uid; next = await lines.next()) {
      proof.add(next.value.posting)
      postings += 1
    }
    for (const sentence of proof.findings(worlds[account.env])) listener.found(`${proof.name}: ${sentence}`)
    customers += 1
    balances += proof.balances
    listener.proved(customers, all)
  }
  assert(next.done === true, 'ledgers come in the order of their customers')
  for (const sentence of await books.orphans()) listener.found(sentence)
  return { customers, balances, postings, events }
}

async function worldOf(books: Books, env: Account['env'], at: Instant): Promise<World> {
  const { version, features, clockAhead, plans } = await books.loadCatalogue(env)
  return { catalogue: catalogueOf(version, features, clockAhead, plans), now: at + clockAhead }
}

/** One customer's. What cannot be read is told, and then nothing is added up: it could not come out right. */
class Proof {
  readonly name: string
  readonly #holdings: Holdings | null
  readonly #audit: Audit | null
  readonly #unreadable: string[] = []

  constructor({ env, uid, holdings }: Account) {
    this.#holdings = isUnreadable(holdings) ? null : holdings
    if (isUnreadable(holdings)) this.#unreadable.push(`its rows cannot be read: ${holdings.why}`)
    this.#audit = this.#holdings === null ? null : new Audit(this.#holdings)
    const id = this.#holdings?.customer.id ?? null
    this.name = id === null ? `${env} ${uid}` : `${env} ${id} (${uid})`
  }

  get balances(): number {
    return this.#holdings === null ? 0 : [...allBalances(this.#holdings)].length
  }

  add(posting: Posting | Unreadable): void {
    if (isUnreadable(posting)) this.#unreadable.push(`a posting cannot be read: ${posting.why}`)
    else this.#audit?.add(posting)
  }

  findings({ catalogue, now }: World): string[] {
    if (this.#audit === null || this.#holdings === null || this.#unreadable.length > 0) return this.#unreadable
    const features = new Set(catalogue.byUid.keys())
    const missing = ofMissingFeatures(this.#holdings, features, now)
    return [...this.#audit.findings(), ...missing, ...auditPlans(this.#holdings, catalogue)]
  }
}

function isUnreadable(value: Holdings | Posting | Unreadable): value is Unreadable {
  return 'kind' in value && value.kind === 'unreadable'
}

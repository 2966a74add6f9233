import type { Environment } from '../domain/customer.ts'
import type { CustomerReference, Store, Versions } from '../store/store.ts'
import { Batches } from './batches.ts'

/** What was durable at one instant after the question was asked. */
export interface Seen {
  /** The version of the catalogue. */
  readonly catalogue: number
  /** Null where there is no such customer. */
  readonly customer: { readonly uid: string; readonly version: number } | null
}

/** The second is sent while the first is answered, so that nobody waits for more than one answer that is not theirs. */
const UNDER_WAY = 2

/**
 * Asks a store that others write too what has moved. However many ask in one turn, it is one small question, which was sent
 * after all of them asked.
 */
export class Confirmations {
  readonly #questions: Batches<Question, Seen>

  constructor(versions: NonNullable<Store['versions']>) {
    this.#questions = new Batches((questions) => answerAll(questions, versions), UNDER_WAY)
  }

  /** @param id any name of the customer. Rejects with what the store rejects with. */
  customer(env: Environment, id: string): Promise<Seen> {
    return this.#questions.ask(`${env} ${id}`, { env, reference: { env, id } })
  }

  /** @returns the version of the environment's catalogue. */
  async catalogue(env: Environment): Promise<number> {
    return (await this.#questions.ask(env, { env, reference: null })).catalogue
  }
}

interface Question {
  readonly env: Environment
  /** Null when only the catalogue is asked for. */
  readonly reference: CustomerReference | null
}

async function answerAll(
  questions: readonly Question[],
  versions: (references: readonly CustomerReference[]) => Promise<Versions>,
): Promise<Seen[]> {
  const references = questions.map(({ reference }) => reference).filter((one) => one !== null)
  const { catalogues, customers } = await versions(references)
  let next = 0
  return questions.map(({ env, reference }) => ({
    catalogue: catalogues[env],
    customer: reference === null ? null : (customers[next++] ?? null),
  }))
}

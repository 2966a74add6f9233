interface Asked<Q, A> {
  readonly question: Q
  readonly promise: Promise<A>
  resolve(answer: A): void
  reject(error: unknown): void
}

/**
 * Questions that travel together. Those of one turn of the event loop are one question to the store; while as many as may be
 * are under way, later ones wait and are the next. Nobody ever joins one that was sent already: its answer may be of an
 * instant before the question was asked.
 */
export class Batches<Q, A> {
  readonly #answer: (questions: readonly Q[]) => Promise<readonly A[]>
  readonly #underWayAtMost: number
  #waiting = new Map<string, Asked<Q, A>>()
  #underWay = 0
  #scheduled = false

  /** @param answer one answer per question, in order; when it rejects, all that were asked together are rejected. */
  constructor(answer: (questions: readonly Q[]) => Promise<readonly A[]>, underWayAtMost: number) {
    this.#answer = answer
    this.#underWayAtMost = underWayAtMost
  }

  /** @param key the same for questions that have the same answer. */
  ask(key: string, question: Q): Promise<A> {
    const same = this.#waiting.get(key)
    if (same !== undefined) return same.promise
    const asked = { question, ...Promise.withResolvers<A>() }
    this.#waiting.set(key, asked)
    this.#schedule()
    return asked.promise
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.size === 0 || this.#underWay >= this.#underWayAtMost) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      void this.#send()
    })
  }

  async #send(): Promise<void> {
    const all = [...this.#waiting.values()]
    this.#waiting = new Map()
    this.#underWay += 1
    this.#schedule()
    try {
      const answers = await this.#answer(all.map(({ question }) => question))
      for (const [i, { resolve }] of all.entries()) resolve(answers[i] as A)
    } catch (error) {
      for (const { reject } of all) reject(error)
    }
    this.#underWay -= 1
    this.#schedule()
  }
}

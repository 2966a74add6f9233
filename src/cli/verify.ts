import { type Books, type Extent, verify } from '../operations/verify.ts'

/** Where something is printed. */
export interface Output {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** More than anyone reads; the rest is counted. */
const MOST_SHOWN = 100
/** Between two signs of progress: often enough to be seen moving. */
const PROGRESS_MS = 200

/**
 * Proves the books and prints what is wrong with them, then one line of what was looked at.
 * @param where what a person calls the store.
 * @param out for what was found. @param err for progress, on a terminal alone.
 * @returns the exit code: 0 when all is well, else 1. @throws when it could not look.
 */
export async function runVerify(books: Books, where: string, out: Output, err: Output): Promise<number> {
  const started = performance.now()
  const progress = new Progress(err)
  let wrong = 0
  const extent = await verify(books, Date.now(), {
    found(sentence) {
      wrong += 1
      if (wrong > MOST_SHOWN) return
      progress.clear()
      out.write(`${sentence}\n`)
    },
    proved: (customers, all) => progress.show(customers, all),
  })
  progress.clear()
  if (wrong > MOST_SHOWN) out.write(`… and ${number(wrong - MOST_SHOWN)} more\n`)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const verdict = wrong === 0 ? 'all is well' : `wrong: ${number(wrong)}`
  out.write(`${where}: ${told(extent)} in ${seconds} s. ${verdict}\n`)
  return wrong === 0 ? 0 : 1
}

function told({ customers, balances, postings, events }: Extent): string {
  return `${number(customers)} customers, ${number(balances)} balances, ${number(postings)} postings, ${number(events)} events`
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}

/** One line that is written over and over. */
class Progress {
  readonly #err: Output
  #shownAt: number | null = null

  constructor(err: Output) {
    this.#err = err
  }

  show(customers: number, all: number): void {
    if (this.#err.isTTY !== true) return
    const now = performance.now()
    if (this.#shownAt !== null && now - this.#shownAt < PROGRESS_MS) return
    this.#shownAt = now
    this.#err.write(`\r\u001b[K${number(customers)} of ${number(all)} customers proved`)
  }

  clear(): void {
    if (this.#shownAt !== null) this.#err.write('\r\u001b[K')
    this.#shownAt = null
  }
}

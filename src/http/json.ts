import { formatAmount } from '../domain/amount.ts'
import { lastingTexts, type Wire, type WireObject } from './wire/wire.ts'

/** A key with what stands before it, in one text: every piece less is one less to be put together in the end. */
interface Name {
  readonly first: string
  readonly next: string
}

const names = new Map<string, Name>()
/** Metadata has keys of its callers' choosing, so neither all keys nor long ones may be kept. */
const MOST_KEYS = 2000
const LONGEST_KEPT_KEY = 40
const MOST_LEVELS = 64

/**
 * JSON in which a bigint is an amount and becomes an exact decimal number, and a key without value is left out.
 * `JSON.stringify` cannot do the first without a wrapper object for every amount.
 */
export function writeJson(value: Wire): string {
  switch (typeof value) {
    case 'string':
      return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value)
    case 'bigint':
      return formatAmount(value)
    case 'number':
    case 'boolean':
      return `${value}`
    default:
      return value === null ? 'null' : isList(value) ? writeList(value) : writeObject(value)
  }
}

/** Texts that need no escape: nearly all, being ids and names of ours. */
const PLAIN = /^[\w:.-]*$/

function isList(value: object): value is readonly Wire[] {
  return Array.isArray(value)
}

function writeList(list: readonly Wire[]): string {
  let text = '['
  for (let i = 0; i < list.length; i++) {
    if (i > 0) text += ','
    text += writeJson(list[i] ?? null)
  }
  return `${text}]`
}

function writeObject(object: WireObject): string {
  const known = lastingTexts.get(object)
  if (known === undefined) return writeKeys(object)
  if (known !== null) return known
  const text = writeKeys(object)
  // Looking at a character makes one flat text of the hundreds of pieces, so that every later answer only copies it.
  text.charCodeAt(0)
  lastingTexts.set(object, text)
  return text
}

function writeKeys(object: WireObject): string {
  let text = ''
  // Wire objects are plain, so this sees no inherited key, and it makes no list of keys for every object.
  for (const key in object) {
    const value = object[key]
    if (value === undefined) continue
    const { first, next } = nameOf(key)
    text += text === '' ? first : next
    text += writeJson(value)
  }
  return text === '' ? '{}' : `${text}}`
}

function nameOf(key: string): Name {
  let name = names.get(key)
  if (name === undefined) {
    const text = `${JSON.stringify(key)}:`
    name = { first: `{${text}`, next: `,${text}` }
    if (names.size < MOST_KEYS && key.length <= LONGEST_KEPT_KEY) names.set(key, name)
  }
  return name
}

/** A body as a value, or where it stops being JSON. An empty body is an empty object (K5). */
export function readJson(text: string): { readonly value: unknown } | { readonly problem: string } {
  if (text === '') return { value: {} }
  try {
    const value: unknown = JSON.parse(text)
    const problem = unusable(value, MOST_LEVELS)
    return problem === null ? { value } : { problem }
  } catch {
    const offset = new Scanner(text).firstError()
    const before = text.slice(0, offset).split('\n')
    const column = (before.at(-1)?.length ?? 0) + 1
    const found = offset >= text.length ? 'the end of the body' : JSON.stringify(text.slice(offset, offset + 1))
    return { problem: `not valid JSON: unexpected ${found} at line ${before.length}, column ${column}` }
  }
}

/**
 * What is JSON and still cannot be worked with: everything that looks at a body recurses, so its depth is bounded once, here;
 * and a number such as 1e999 becomes an infinity, which no answer could ever show.
 */
function unusable(value: unknown, levels: number): string | null {
  if (typeof value === 'number' && !Number.isFinite(value)) return 'holds a number that is too large'
  if (typeof value !== 'object' || value === null) return null
  if (levels === 0) return `must not be nested deeper than ${MOST_LEVELS} levels`
  for (const key in value) {
    const problem = unusable((value as Record<string, unknown>)[key], levels - 1)
    if (problem !== null) return problem
  }
  return null
}

/** Finds the place, because the error of `JSON.parse` does not always name it. Only runs on a text that is not JSON. */
class Scanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  firstError(): number {
    // Iterative, so that a hostile depth of brackets cannot exhaust the stack.
    const open: string[] = []
    let expect: 'value' | 'key' | 'after' = 'value'
    for (;;) {
      this.#skip(/[ \t\n\r]*/y)
      const char = this.#text[this.#at]
      if (expect === 'after') {
        const container = open.at(-1)
        if (container === undefined || char === undefined) return this.#at
        if (char === container) open.pop()
        else if (char !== ',') return this.#at
        else expect = container === '}' ? 'key' : 'value'
        this.#at++
        continue
      }
      if (expect === 'key') {
        if (!this.#skip(/"(?:[ -!#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y)) return this.#at
        this.#skip(/[ \t\n\r]*/y)
        if (!this.#skip(/:/y)) return this.#at
        expect = 'value'
      } else if (char === '{' || char === '[') {
        this.#at++
        open.push(char === '{' ? '}' : ']')
        this.#skip(/[ \t\n\r]*/y)
        if (this.#text[this.#at] === open.at(-1)) {
          this.#at++
          open.pop()
          expect = 'after'
        } else expect = char === '{' ? 'key' : 'value'
      } else {
        const scalar =
          /"(?:[ -!#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
        if (!this.#skip(scalar)) return this.#at
        expect = 'after'
      }
    }
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return false
    this.#at += match[0].length
    return true
  }
}

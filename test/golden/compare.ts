/** A place where two answers are not the same. `''` is the whole body. */
export interface Mismatch {
  readonly path: string
  readonly recorded: unknown
  readonly granary: unknown
}

/** The recorded server read its clock some milliseconds after the request was sent; at most this many. */
const TOLERANCE_MS = 200

const INSTANTS = new Set([
  'created_at',
  'started_at',
  'resets_at',
  'next_reset_at',
  'expires_at',
  'timestamp',
  'available_at',
])
const INTERNAL_ID = /^(cus_ent|roll|evt|cus)_[0-9A-Za-z_]{10,}$/

/**
 * Compares answers of one scenario: every key, every value. Internal ids differ, so they are mapped to each other when they
 * are first seen and must keep to it; instants may differ by the reference's own delay, unless a request named them.
 */
export class Comparison {
  readonly #toGranary: Map<string, string>
  readonly #toRecorded: Map<string, string>
  readonly #named: Set<number>

  /** @param known what another comparison has learned so far; it does not learn from this one. */
  constructor(known: Comparison | null) {
    this.#toGranary = new Map(known === null ? [] : known.#toGranary)
    this.#toRecorded = new Map(known === null ? [] : known.#toRecorded)
    this.#named = new Set(known === null ? [] : known.#named)
  }

  /** Remembers the instants that a request names: those come back to the millisecond. */
  request(body: unknown): void {
    visit(body, (key, value) => {
      if (INSTANTS.has(key) && typeof value === 'number') this.#named.add(value)
    })
  }

  /**
   * @param own what Granary says beyond the recording, at the top of the body: it has to be there, and to be just this, or to
   * match where it is an expression.
   * @returns where two bodies differ; nothing when they say the same.
   */
  bodies(recorded: unknown, granary: unknown, own: JsonObject = {}): Mismatch[] {
    return [...this.#values('', '', isObject(recorded) ? { ...recorded, ...own } : recorded, granary)]
  }

  /** Errors: the code and the environment count, the wording is ours, and there has to be one. */
  errors(recorded: unknown, granary: unknown): Mismatch[] {
    return this.bodies(withoutWording(recorded), withoutWording(granary))
  }

  *#values(path: string, key: string, recorded: unknown, granary: unknown): Generator<Mismatch> {
    if (Array.isArray(recorded) && Array.isArray(granary)) {
      if (recorded.length !== granary.length) yield { path, recorded, granary }
      else for (const [i, item] of recorded.entries()) yield* this.#values(join(path, i), key, item, granary[i])
    } else if (isObject(recorded) && isObject(granary)) yield* this.#objects(path, recorded, granary)
    else if (!this.#same(key, recorded, granary)) yield { path, recorded, granary }
  }

  *#objects(path: string, recorded: JsonObject, granary: JsonObject): Generator<Mismatch> {
    // The reference strips this one key, which its own documents promise.
    const expected = isBalance(recorded) ? { object: 'balance', ...recorded } : recorded
    for (const key of new Set([...Object.keys(expected), ...Object.keys(granary)])) {
      const at = join(path, key)
      if (!(key in expected)) yield { path: at, recorded: undefined, granary: granary[key] }
      else if (!(key in granary)) yield { path: at, recorded: expected[key], granary: undefined }
      else yield* this.#values(at, key, expected[key], granary[key])
    }
  }

  #same(key: string, recorded: unknown, granary: unknown): boolean {
    if (recorded instanceof RegExp) return typeof granary === 'string' && recorded.test(granary)
    if (typeof recorded === 'number' && typeof granary === 'number' && INSTANTS.has(key)) {
      return this.#named.has(recorded) ? recorded === granary : Math.abs(recorded - granary) <= TOLERANCE_MS
    }
    if (typeof recorded === 'string' && typeof granary === 'string') {
      if (key === 'next_cursor') return recorded !== '' && granary !== ''
      const kind = INTERNAL_ID.exec(recorded)?.[1]
      if (kind !== undefined) return kind === INTERNAL_ID.exec(granary)?.[1] && this.#sameId(recorded, granary)
    }
    return Object.is(recorded, granary)
  }

  #sameId(recorded: string, granary: string): boolean {
    const known = this.#toGranary.get(recorded)
    if (known !== undefined || this.#toRecorded.has(granary)) return known === granary
    this.#toGranary.set(recorded, granary)
    this.#toRecorded.set(granary, recorded)
    return true
  }
}

type JsonObject = Readonly<Record<string, unknown>>

function withoutWording(body: unknown): unknown {
  if (!isObject(body) || typeof body['message'] !== 'string' || body['message'] === '') return body
  const { message: _, ...rest } = body
  return rest
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isBalance(value: JsonObject): boolean {
  return 'granted' in value && 'feature_id' in value
}

function join(path: string, key: string | number): string {
  return path === '' ? String(key) : `${path}.${key}`
}

function visit(value: unknown, see: (key: string, value: unknown) => void): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, item] of Object.entries(value)) {
    see(key, item)
    visit(item, see)
  }
}

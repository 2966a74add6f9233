import type { WireObject } from '../wire/wire.ts'

/** The versions of the public API that are served, oldest first. Inside there is only the newest shape. */
export const VERSIONS = ['1.2', 'beta', '2.0', '2.1', '2.2', '2.3', '2.4'] as const
export type Version = (typeof VERSIONS)[number]
const NEWEST: Version = '2.4'

/** Known versions that are not served: the caller is told so, rather than that they do not exist. */
const OLDER = new Set(['0.1', '0.2', '1.1'])
const DATES: Readonly<Record<string, string>> = {
  '2025-02-01': '0.1',
  '2025-04-01': '0.2',
  '2025-04-17': '1.1',
  '2025-05-05': '1.2',
  '2025-06-01': 'beta',
  '2026-03-16': '2.0',
  '2026-03-17': '2.1',
  '2026-03-18': '2.2',
  '2026-05-13': '2.3',
}

/**
 * Reads `x-api-version`: `2.1`, `2.1.0`, `2`, `beta`, a release date, or nothing (the newest).
 * @returns the version, `not_served` for a known older one, `unknown` for anything else. Source: B13-B15, K4.
 */
export function readVersion(header: string | undefined): Version | 'not_served' | 'unknown' {
  if (header === undefined || header === '') return NEWEST
  const text = header.trim().replace(/\.clover$/, '')
  const numbers = /^(\d{1,2})(?:\.(\d{1,2}))?(?:\.0)?$/.exec(text)
  // `1` and `1.4` are two spellings from before versions had names.
  const legacy = text === '1' ? '0.2' : text === '1.4' ? 'beta' : undefined
  const name = DATES[text] ?? legacy ?? (numbers === null ? text : `${Number(numbers[1])}.${Number(numbers[2] ?? 0)}`)
  const served = VERSIONS.find((version) => version === name)
  return served ?? (OLDER.has(name) ? 'not_served' : 'unknown')
}

/**
 * The shapes of answers that a version may change: `customers` and `entities` are pages, `entity` is one or, where several
 * were created at once, a `list`. A `plan` is shown to older versions in the newest shape, a `product` is the same in their
 * own (C14). `success`, `batch` and `other` are the same in every version.
 */
export type Shape =
  | 'success'
  | 'feature'
  | 'features'
  | 'plan'
  | 'product'
  | 'plans'
  | 'customer'
  | 'customers'
  | 'entity'
  | 'entities'
  | 'check'
  | 'track'
  | 'batch'
  | 'events'
  | 'aggregate'
  | 'billed'
  | 'preview'
  | 'other'

/** Everything is done before it is answered, so 202 says no less than 200; but there are clients that insist on it (K8). */
export type Status = 200 | 202

/** A request body: an object, not validated yet. */
export type Body = Readonly<Record<string, unknown>>

/** A body in the next newer shape, or what is wrong with it in its own version. */
export type UpgradedBody = { readonly body: Body } | { readonly problem: string }

/**
 * What requests at `upTo` and older did differently. Requests are brought to the next newer shape, answers taken back from
 * it; both are plain functions over wire values and see nothing else.
 */
export interface VersionChange {
  readonly upTo: Version
  /** One sentence for the people who call the API. */
  readonly about: string
  /** By operation. */
  readonly request: Readonly<Partial<Record<string, (body: Body) => UpgradedBody>>>
  /** By shape. `body` is the request as the caller sent it. */
  readonly response: Readonly<Partial<Record<Shape, (answer: WireObject, body: Body) => WireObject>>>
  /** Shapes whose answers are a 200 where newer versions say 202. */
  readonly plain?: readonly Shape[]
}

import type { WireObject } from '../wire/wire.ts'
import { upTo20 } from './up-to-2.0.ts'
import { upTo22 } from './up-to-2.2.ts'
import { upToBeta } from './up-to-beta.ts'
import { type Body, type Shape, type Status, VERSIONS, type Version, type VersionChange } from './version.ts'

/** Oldest first. A request passes them upwards, its answer downwards. */
const CHANGES: readonly VersionChange[] = [upToBeta, upTo20, upTo22]

const APPLYING: ReadonlyMap<Version, readonly VersionChange[]> = new Map(
  VERSIONS.map((version) => [
    version,
    CHANGES.filter(({ upTo }) => VERSIONS.indexOf(version) <= VERSIONS.indexOf(upTo)),
  ]),
)

/** Operations whose body is a list, and of what. */
const ITEMS: Readonly<Record<string, string>> = {
  'balances.batch_track': 'balances.track',
  'balances.batch_track_tokens': 'balances.track_tokens',
}

/** A request body of any served version in the newest shape. What is not an object is left for validation to refuse. */
export function upgradeRequest(
  version: Version,
  operation: string,
  body: unknown,
): { readonly body: unknown } | { readonly problem: string } {
  const item = ITEMS[operation]
  if (item !== undefined && Array.isArray(body)) return upgradeItems(version, item, body)
  let current = body
  for (const { request } of APPLYING.get(version) ?? []) {
    const change = request[operation]
    if (change === undefined || typeof current !== 'object' || current === null || Array.isArray(current)) continue
    const upgraded = change(current as Body)
    if ('problem' in upgraded) return upgraded
    current = upgraded.body
  }
  return { body: current }
}

function upgradeItems(version: Version, operation: string, items: readonly unknown[]) {
  const upgraded: unknown[] = []
  for (const [i, item] of items.entries()) {
    const one = upgradeRequest(version, operation, item)
    if ('problem' in one) return { problem: `${i}.${one.problem}` }
    upgraded.push(one.body)
  }
  return { body: upgraded }
}

/** The status of an answer as the version knows it. */
export function downgradeStatus(version: Version, shape: Shape, status: Status): Status {
  const plain = APPLYING.get(version)?.some((change) => change.plain?.includes(shape)) ?? false
  return plain ? 200 : status
}

/** A plan of the newest shape, with its features, as a product: so paywalls show it in every version (K 3.1). */
export function productOf(plan: WireObject): WireObject {
  return downgradeResponse('1.2', 'product', plan, {})
}

/** An answer of the newest shape as the version expects it. */
export function downgradeResponse(version: Version, shape: Shape, answer: WireObject, body: unknown): WireObject {
  const changes = APPLYING.get(version) ?? []
  let current = answer
  for (let i = changes.length - 1; i >= 0; i--) {
    const change = changes[i]?.response[shape]
    if (change !== undefined) current = change(current, body as Body)
  }
  return current
}

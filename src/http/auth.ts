import type { Environment } from '../domain/customer.ts'
import { environmentOfKey } from '../domain/key.ts'
import type { Keys } from '../operations/keys.ts'
import type { Problem } from './problems.ts'

/**
 * Who is asking, by the `Authorization` header. Answers at once for a key that is known. @throws StoreUnavailable when an
 * unknown key should be looked for and cannot. Source: B9, B10.
 */
export function authenticate(
  header: string | undefined,
  keys: Keys,
): Environment | Problem | Promise<Environment | Problem> {
  if (header === undefined || !/^Bearer /i.test(header)) {
    return no('no_secret_key', 'Secret key not found in Authorization header: send "Authorization: Bearer am_sk_…"')
  }
  const key = header.slice('Bearer '.length).trim()
  const env = keys.environment(key)
  if (env !== null) return env
  if (/^am_pk_(test|live)/.test(key)) return no('invalid_publishable_key', 'Invalid publishable key')
  if (environmentOfKey(key) === null && !/^am_sk_(test|live)/.test(key)) {
    return no(
      'invalid_request',
      'The key in the Authorization header is not a secret key: those start with am_sk_test_ or am_sk_live_',
    )
  }
  const invalid = no('invalid_secret_key', `Invalid secret key: ${key.slice(0, 15)}*`)
  return keys.lookAgain(key)?.then((found) => found ?? invalid) ?? invalid
}

function no(code: string, message: string): Problem {
  return { status: 401, code, message }
}

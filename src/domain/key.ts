import type { Environment } from './customer.ts'

const SECRET_KEY = /^am_sk_(test|live)_[A-Za-z0-9_-]+$/

/** Which environment a text is a secret key of, by its form alone; null when it has no such form. Source: B10. */
export function environmentOfKey(key: string): Environment | null {
  const match = SECRET_KEY.exec(key)
  if (match === null) return null
  return match[1] === 'live' ? 'live' : 'sandbox'
}

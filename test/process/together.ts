import { type Granary, serving, type Variables } from './granary.ts'

/** The key that opens every process on a database. */
export const KEY = 'am_sk_test_together'

/** A process on a PostgreSQL database that others have too. */
export function serveOn(url: string, variables: Variables = {}): Promise<Granary> {
  return serving([], { DATABASE_URL: url, GRANARY_SECRET_KEY: KEY, PORT: '0', ...variables })
}

/** So many of them, started one after another: the first brings the tables up to date. */
export async function serveTogether(url: string, count: number, variables: Variables = {}): Promise<Granary[]> {
  const all: Granary[] = []
  while (all.length < count) all.push(await serveOn(url, variables))
  return all
}

import type { Autumn } from 'autumn-js'
import { expect } from 'vitest'
import type { ClientServer } from './server.ts'

export interface Release {
  /** The package that it is installed as. */
  readonly module: string
  /** What it sends as `x-api-version`. */
  readonly api: string
  readonly paging: 'offset' | 'cursor'
}

/** Releases of the published client that are tested beside the newest, oldest first. */
export const OLDER: readonly Release[] = [
  { module: 'autumn-js-1.0.5', api: '2.1', paging: 'offset' },
  { module: 'autumn-js-1.2.4', api: '2.2.0', paging: 'offset' },
  { module: 'autumn-js-1.2.31', api: '2.3.0', paging: 'cursor' },
  { module: 'autumn-js-1.2.56', api: '2.3.0', paging: 'cursor' },
]
export const NEWEST: Release = { module: 'autumn-js', api: '2.4.0', paging: 'cursor' }

/** The release's own code, seen as the newest: an older one lacks some methods and drops arguments that it does not know. */
export async function load({ module }: Release): Promise<typeof import('autumn-js')> {
  return await import(module)
}

/** A published client that talks to a server: it makes every request and validates every answer with its own code. */
export interface PublishedClient {
  readonly release: Release
  readonly autumn: Autumn
  /** The same release with another key. */
  withKey(secretKey: string): Autumn
  /** Status and code of the client's own error, which the call has to end with. */
  refusal(call: Promise<unknown>): Promise<readonly [number, unknown]>
}

export async function connect(release: Release, server: ClientServer): Promise<PublishedClient> {
  const { Autumn: Client, AutumnError: ClientError } = await load(release)
  // Failing open would turn an error of the server into "allowed".
  const withKey = (secretKey: string) => new Client({ serverURL: server.url, secretKey, failOpen: false })
  return {
    release,
    autumn: withKey(server.key),
    withKey,
    async refusal(call) {
      const error: unknown = await call.then(
        () => new Error('the call succeeded'),
        (reason: unknown) => reason,
      )
      if (!(error instanceof ClientError)) throw error
      return [error.statusCode, JSON.parse(error.body).code]
    },
  }
}

/** The pages of a list, asked for as the release pages. @param limit how many rows a page has at the most. */
export async function pagesOf<Row>(
  { paging }: Release,
  limit: number,
  list: (paging: { limit: number }) => Promise<{ readonly list: readonly Row[] }>,
): Promise<readonly (readonly Row[])[]> {
  const pages: (readonly Row[])[] = []
  let start: unknown = paging === 'cursor' ? '' : 0
  while (start !== null && pages.length < MOST_PAGES) {
    const page = await list({ limit, ...(paging === 'cursor' ? { startCursor: start } : { offset: start }) })
    pages.push(page.list)
    if (paging === 'cursor') {
      start = Reflect.get(page, 'nextCursor')
    } else {
      const total = page.list.length
      expect(page).toMatchObject({ offset: start, limit, total, hasMore: expect.any(Boolean) })
      start = Reflect.get(page, 'hasMore') ? Number(start) + total : null
    }
  }
  return pages
}

const MOST_PAGES = 10

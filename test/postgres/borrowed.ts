import { afterAll } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { type OpenedPostgres, openPostgres } from './store.ts'

const all: OpenedPostgres[] = []
const free: OpenedPostgres[] = []

afterAll(() => Promise.all(all.map((one) => one.close())))

/** An empty store. Closed it is emptied and lent again within the same test file, which is much quicker than a new database. */
export async function borrowPostgres(): Promise<Store> {
  const opened = free.pop() ?? (await openAnother())
  const close = async () => {
    await opened.empty()
    free.push(opened)
  }
  return new Proxy(opened.store, {
    get(store, name) {
      if (name === 'close') return close
      const value: unknown = Reflect.get(store, name)
      return typeof value === 'function' ? value.bind(store) : value
    },
  })
}

async function openAnother(): Promise<OpenedPostgres> {
  const opened = await openPostgres()
  all.push(opened)
  return opened
}

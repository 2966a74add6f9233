import { afterAll, onTestFinished, TestRunner } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { type OpenedPostgres, openPostgres } from './store.ts'

const all: OpenedPostgres[] = []
const free: OpenedPostgres[] = []

afterAll(() => Promise.all(all.map((one) => one.close())))

/**
 * An empty store. Closed, or at the end of the test that asked for it, it is emptied and lent again within the same test file,
 * which is much quicker than a new database.
 */
export async function borrowPostgres(): Promise<Store> {
  const opened = free.pop() ?? (await openAnother())
  let lent = true
  const close = async () => {
    if (!lent) return
    lent = false
    await opened.empty()
    free.push(opened)
  }
  // Without a test it is for the whole file.
  if (TestRunner.getCurrentTest() !== undefined) onTestFinished(close)
  return new Proxy(opened.store, {
    get(store, name) {
      if (name === 'close') return close
      const value: unknown = Reflect.get(store, name)
      return typeof value === 'function' ? value.bind(store) : value
    },
  })
}

async function openAnother(): Promise<OpenedPostgres> {
  // The file's other databases have their connections as well.
  const opened = await openPostgres({ connections: 4 })
  all.push(opened)
  return opened
}

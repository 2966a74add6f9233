import { afterAll, onTestFinished, TestRunner } from 'vitest'
import type { Store } from '../src/store/store.ts'
import { openPostgres } from './postgres/store.ts'
import { openFile } from './store/file.ts'

/** A store on a disk that can be emptied. */
interface Opened {
  readonly store: Store
  empty(): void | Promise<void>
  close(): Promise<void>
}

const OPENING = {
  sqlite: (): Promise<Opened> => openFile(),
  // The file's other databases have their connections as well.
  postgres: (): Promise<Opened> => openPostgres({ connections: 4 }),
}

const all: Opened[] = []
const free = { sqlite: [] as Opened[], postgres: [] as Opened[] }

afterAll(() => Promise.all(all.map((one) => one.close())))

/**
 * An empty store. Closed, or at the end of the test that asked for it, it is emptied and lent again within the same test file,
 * which is much quicker than a new one.
 */
export async function borrow(kind: keyof typeof OPENING): Promise<Store> {
  const opened = free[kind].pop() ?? (await openAnother(kind))
  let lent = true
  const close = async () => {
    if (!lent) return
    lent = false
    await opened.empty()
    free[kind].push(opened)
  }
  // Without a test it is for the whole file.
  if (TestRunner.getCurrentTest() !== undefined) onTestFinished(close)
  return closing(opened.store, close)
}

/** The store, which does something else when it is closed. */
export function closing(store: Store, close: () => Promise<void>): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'close') return close
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function openAnother(kind: keyof typeof OPENING): Promise<Opened> {
  const opened = await OPENING[kind]()
  all.push(opened)
  return opened
}

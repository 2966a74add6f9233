import { afterAll, beforeAll } from 'vitest'
import { MemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { type OpenedPostgres, openPostgres } from '../postgres/store.ts'
import { type OpenFile, openFile } from './file.ts'

/** Every store there is: what the port promises is held against each with the same expectations. */
export const EVERY_STORE = ['memory', 'sqlite', 'postgres'] as const

/**
 * Opens a store for the tests around the call, and closes it after them.
 * @returns gives it with nothing in it: opening one for each test takes so long that all together would take a minute.
 */
export function openFor(kind: (typeof EVERY_STORE)[number]): () => Promise<Store> {
  let opened: OpenFile | OpenedPostgres | null = null

  beforeAll(async () => {
    if (kind === 'sqlite') opened = await openFile()
    if (kind === 'postgres') opened = await openPostgres()
  })
  afterAll(() => opened?.close())

  return async () => {
    await opened?.empty()
    return opened?.store ?? new MemoryStore()
  }
}

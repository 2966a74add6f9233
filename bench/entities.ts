/**
 * One customer with many entities, on the embedded store: `node bench/entities.ts [count]` after `npm run build`. Prints how
 * long single operations take, one after another, with nothing else going on.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGranary, type Granary, movableClock, openSqliteStore } from '../src/index.ts'

const count = Number(process.argv[2] ?? 10_000)
const folder = mkdtempSync(join(tmpdir(), 'granary-entities-'))
const clock = movableClock('2026-01-15T10:00:00Z')
const BIG = { customer_id: 'big', feature_id: 'messages' }
const all = Array.from({ length: count }, (_, i) => `e${i}`)

process.stdout.write(
  `${count} entities of one customer, SQLite synchronous=FULL, ${cpus().length} × ${cpus()[0]?.model}\n\n`,
)
let granary = await createGranary({ clock, store: await openSqliteStore(folder) })
try {
  await measure()
} finally {
  await granary.close()
  rmSync(folder, { recursive: true, force: true })
}

async function measure(): Promise<void> {
  await granary.call('features.create', { feature_id: 'messages', name: 'M', type: 'metered', consumable: true })
  await granary.call('features.create', { feature_id: 'seats', name: 'S', type: 'metered', consumable: false })
  await granary.call('customers.get_or_create', { customer_id: 'big' })
  await granary.call('balances.create', { ...BIG, included: 1_000_000, reset: { interval: 'month' } })
  await granary.call('balances.create', { customer_id: 'big', feature_id: 'seats', included: count })

  await time('create all, 1,000 in a call', async () => {
    for (let i = 0; i < count; i += 1000) {
      const entities = all.slice(i, i + 1000).map((entity_id) => ({ entity_id, feature_id: 'seats' }))
      await granary.call('entities.create', { customer_id: 'big', entities })
    }
  })
  const monthly = { included: 10, reset: { interval: 'month' as const } }
  await time('grant each a monthly balance, all sent at once', () =>
    Promise.all(all.map((entity_id) => granary.call('balances.create', { ...BIG, entity_id, ...monthly }))),
  )
  await each('check of an entity', (entity_id) => granary.call('balances.check', { ...BIG, entity_id }))
  await each('check of the customer, who shows the total', () => granary.call('balances.check', BIG))
  await each('track of an entity', (entity_id) => granary.call('balances.track', { ...BIG, entity_id }))
  await each('track of the customer', () => granary.call('balances.track', BIG))
  clock.advance('1mo')
  await time('first check after all have reset', () => granary.call('balances.check', BIG))
  await time('second check', () => granary.call('balances.check', BIG))
  await time('first track, which saves all resets', () => granary.call('balances.track', { ...BIG, entity_id: 'e0' }))
  await each('track of an entity', (entity_id) => granary.call('balances.track', { ...BIG, entity_id }))
  await granary.close()
  granary = await createGranary({ clock, store: await openSqliteStore(folder) })
  await time('first check after a start, which loads everything', () => granary.call('balances.check', BIG))
  await time('delete the customer', () => granary.call('customers.delete', { customer_id: 'big' }))
}

async function each(name: string, act: (entity: string) => ReturnType<Granary['call']>): Promise<void> {
  const some = all.slice(0, 200)
  const begun = performance.now()
  for (const entity of some) await act(entity)
  show(name, (performance.now() - begun) / some.length)
}

async function time(name: string, act: () => Promise<unknown>): Promise<void> {
  const begun = performance.now()
  await act()
  show(name, performance.now() - begun)
}

function show(name: string, ms: number): void {
  process.stdout.write(`${name.padEnd(52)} ${ms.toFixed(ms < 10 ? 2 : 0).padStart(8)} ms\n`)
}

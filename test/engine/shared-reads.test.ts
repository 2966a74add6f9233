import { describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import type { Reply, World } from '../world.ts'
import { behaving, Latecomer, turns } from './behaving.ts'
import { openTwo } from './shared.ts'

const alice = { customer_id: 'alice' }
const messages = { ...alice, feature_id: 'messages' }
const exactly = (value: number) => ({ ...messages, value, overage_behavior: 'reject' })
const topUp = { ...messages, add_to_balance: 5 }

const codes = (replies: readonly Reply[]) => replies.map(({ status, body }) => [status, body.code].join(' ').trim())
const code = (reply: Reply) => codes([reply])[0]
const left = async (world: World) => (await world.ok('balances.check', messages)).balance?.remaining ?? 0

describe('what one process has acknowledged, the next read of another sees', () => {
  const reads: [string, object, (body: Reply['body']) => unknown][] = [
    ['balances.check', messages, ({ balance }) => balance.remaining],
    ['customers.get', alice, ({ balances }) => balances.messages.remaining],
    ['customers.get_or_create', alice, ({ balances }) => balances.messages.remaining],
    ['customers.list', {}, ({ list }) => list[0].balances.messages.remaining],
    ['balances.list', alice, ({ balances }) => balances[0].remaining],
    ['balances.check', { ...messages, required_balance: 15 }, ({ allowed }) => (allowed ? 15 : 'no')],
  ]
  test.each(reads)('a top-up: %s %j', async (operation, body, remaining) => {
    const { a, b } = await openTwo()
    await a.ok('balances.update', topUp)
    expect(remaining(await b.ok(operation, body))).toBe(15)
    await b.ok('balances.update', topUp)
    await a.ok('balances.track', messages)
    expect(remaining(await b.ok(operation, { ...body, required_balance: undefined }))).not.toBe(10)
  })

  const uses: [string, string, object][] = [
    ['a use that is refused', 'balances.track', exactly(12)],
    ['a check that uses', 'balances.check', { ...messages, required_balance: 12, send_event: true }],
  ]
  const keys = ['without a key', 'with a key'] as const
  test.each(uses.flatMap(([label, ...use]) => keys.map((key) => [label, key, ...use] as const)))(
    'stale refusal: %s, %s, is decided again after a top-up elsewhere',
    async (_label, key, operation, body) => {
      const keyed = (name: string) => (key === 'with a key' ? { 'idempotency-key': name } : {})
      const { a, b } = await openTwo()
      const before = await b.call(operation, body, keyed('k1'))
      expect([before.status, before.body.allowed]).not.toEqual([200, true])
      await a.ok('balances.update', topUp)
      const reply = await b.call(operation, body, keyed('k2'))
      expect([reply.status, reply.body.allowed ?? true]).toEqual([200, true])
      expect(await left(a)).toBe(3)
      await expectLedgerToAddUp(a.store, 'alice')
    },
  )

  test('a refusal and a use of one turn are decided on the same state, and it is the present one', async () => {
    const { a, b } = await openTwo()
    await a.ok('balances.update', topUp)
    const replies = await Promise.all([b.call('balances.track', exactly(12)), b.call('balances.track', exactly(2))])
    expect(codes(replies)).toEqual(['200', '200'])
    expect(await left(a)).toBe(1)
  })

  test('a change that changes nothing is answered with what there is', async () => {
    const { a, b } = await openTwo()
    await a.ok('customers.update', { ...alice, name: 'Alice' })
    await a.ok('entities.create', { ...alice, entity_id: 'desk', feature_id: 'seats', name: 'Desk' })
    const same = await b.call('entities.update', { ...alice, entity_id: 'desk', name: 'Desk' })
    expect([same.status, same.body.name]).toEqual([200, 'Desk'])
  })
})

describe('who is who is never remembered without being confirmed', () => {
  test('deleted and created again elsewhere: a name means the new one, and the old one is nobody', async () => {
    const { a, b } = await openTwo()
    const { autumn_id: old } = await b.ok('customers.get', { ...alice, with_autumn_id: true })
    await a.ok('customers.delete', alice)
    const gone = [
      b.call('customers.get', alice),
      b.call('balances.track', messages),
      b.call('balances.check', messages),
    ]
    expect(codes(await Promise.all(gone))).toEqual(Array(3).fill('404 customer_not_found'))
    await a.ok('customers.get_or_create', { ...alice, name: 'Alice II' })
    await a.ok('balances.create', { ...messages, included_grant: 4 })
    expect((await b.ok('customers.get', { ...alice, with_autumn_id: true })).autumn_id).not.toBe(old)
    expect((await b.ok('balances.track', exactly(3))).balance.remaining).toBe(1)
    const both = [
      b.call('customers.get', { customer_id: old }),
      b.call('balances.track', { ...messages, customer_id: old }),
    ]
    expect(codes(await Promise.all(both))).toEqual(Array(2).fill('404 customer_not_found'))
  })

  test('deleted and created again elsewhere: a use that comes next is the new one’s', async () => {
    const { store, a, b } = await openTwo()
    await a.ok('customers.delete', alice)
    await a.ok('customers.get_or_create', alice)
    await a.ok('balances.create', { ...messages, included_grant: 4 })
    expect((await b.ok('balances.track', exactly(3))).balance.remaining).toBe(1)
    await expectLedgerToAddUp(store, 'alice')
  })

  test('renamed elsewhere: the new name is found, the old one is nobody, and may be someone else', async () => {
    const { a, b } = await openTwo()
    await a.ok('customers.update', { ...alice, new_customer_id: 'anna' })
    expect(code(await b.call('balances.track', exactly(1)))).toBe('404 customer_not_found')
    expect(code(await b.call('customers.get', alice))).toBe('404 customer_not_found')
    expect((await b.ok('balances.track', { ...exactly(1), customer_id: 'anna' })).balance.remaining).toBe(9)
    await a.ok('customers.get_or_create', alice)
    expect((await b.ok('customers.get', alice)).balances).toEqual({})
    expect((await b.ok('balances.check', { ...messages, customer_id: 'anna' })).balance.remaining).toBe(9)
  })

  test('absent, and created elsewhere: found, used, and not created twice', async () => {
    const { a, b } = await openTwo()
    const bob = { customer_id: 'bob' }
    const use = { ...exactly(1), ...bob }
    const nobody = [b.call('customers.get', bob), b.call('balances.track', use), b.call('balances.check', use)]
    expect(codes(await Promise.all(nobody))).toEqual(Array(3).fill('404 customer_not_found'))
    const { autumn_id } = await a.ok('customers.get_or_create', { ...bob, with_autumn_id: true })
    await a.ok('balances.create', { ...bob, feature_id: 'messages', included_grant: 3 })
    expect((await b.ok('balances.track', use)).balance.remaining).toBe(2)
    const again = await b.ok('customers.get_or_create', { ...bob, name: 'Bob', with_autumn_id: true })
    expect([again.autumn_id, again.name]).toEqual([autumn_id, 'Bob'])
  })

  test('a name that is taken elsewhere is refused, and once it is free there it is given', async () => {
    const { a, b } = await openTwo()
    await a.ok('customers.get_or_create', { customer_id: 'anna' })
    const rename = () => b.call('customers.update', { ...alice, new_customer_id: 'anna' })
    expect(code(await rename())).toBe('409 customer_already_exists')
    await a.ok('customers.delete', { customer_id: 'anna' })
    expect((await rename()).body.id).toBe('anna')
  })

  test('however many processes create one customer at once, it is one', async () => {
    const { a, b } = await openTwo()
    const create = { customer_id: 'carol', name: 'Carol', with_autumn_id: true }
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? a : b).ok('customers.get_or_create', create)),
    )
    expect(new Set(replies.map(({ autumn_id }) => autumn_id)).size).toBe(1)
  })
})

describe('the catalogue', () => {
  const texts = { feature_id: 'texts', name: 'Texts', type: 'metered', consumable: true }
  test.each([
    ['balances.check', alice],
    ['balances.track', alice],
    ['balances.track', { ...alice, event_name: 'said', feature_id: undefined }],
    ['balances.create', { ...alice, included_grant: 1 }],
    ['balances.list', alice],
    ['features.get', {}],
    ['features.update', { name: 'T' }],
  ])('what is refused for want of a feature is not, once it was created elsewhere: %s %j', async (operation, body) => {
    const { a, b } = await openTwo()
    const ask = { feature_id: 'texts', ...body }
    expect((await b.call(operation, ask)).status).toBe(404)
    await a.ok('features.create', { ...texts, event_names: ['said'] })
    expect(code(await b.call(operation, ask))).toBe('200')
  })

  test('a feature that was created elsewhere is there, and one that was deleted is not', async () => {
    const { a, b } = await openTwo()
    const texts = { ...alice, feature_id: 'texts' }
    const before = [b.call('balances.check', texts), b.call('balances.track', texts), b.call('features.get', texts)]
    expect(codes(await Promise.all(before))).toEqual(Array(3).fill('404 feature_not_found'))
    await a.ok('features.create', { feature_id: 'texts', name: 'Texts', type: 'metered', consumable: true })
    const after = [b.call('balances.check', texts), b.call('balances.track', texts), b.call('features.get', texts)]
    expect(codes(await Promise.all(after))).toEqual(['200', '200', '200'])
    expect(code(await b.call('features.create', { feature_id: 'texts', name: 'T', type: 'boolean' }))).toBe(
      '409 duplicate_feature_id',
    )
    await a.ok('features.delete', { feature_id: 'texts' })
    expect(code(await b.call('balances.track', texts))).toBe('404 feature_not_found')
    expect((await b.ok('features.list', {})).list.map(({ id }: { id: string }) => id)).toEqual(['messages', 'seats'])
    await b.ok('features.create', { feature_id: 'texts', name: 'Texts', type: 'boolean' })
  })

  test('a feature whose creation was refused here is created once it is free elsewhere', async () => {
    const { a, b } = await openTwo()
    const create = { feature_id: 'seats', name: 'Seats', type: 'boolean' }
    const headers = { 'idempotency-key': 'k1' }
    expect(code(await b.call('features.create', create, headers))).toBe('409 duplicate_feature_id')
    await a.ok('features.delete', { feature_id: 'seats' })
    expect(code(await b.call('features.create', create, headers))).toBe('200')
  })

  test('a list shows what customers have of a feature that was created elsewhere', async () => {
    const { a, b } = await openTwo()
    await a.ok('features.create', texts)
    await a.ok('balances.create', { ...alice, feature_id: 'texts', included_grant: 3 })
    expect((await b.ok('customers.list', {})).list[0].balances.texts.remaining).toBe(3)
  })

  test('the clock of the sandbox moves for all', async () => {
    const { a, b } = await openTwo()
    await a.ok('clock.advance', { by: '3d' })
    expect((await b.ok('clock.get', {})).ahead_ms).toBe(3 * 86_400_000)
  })

  test('costs that were changed elsewhere hold for the next use', async () => {
    const { a, b } = await openTwo()
    const costs = (credit_cost: number) => [{ metered_feature_id: 'messages', credit_cost }]
    const credits = { feature_id: 'credits', name: 'Credits', type: 'credit_system' }
    await a.ok('customers.get_or_create', { customer_id: 'bob' })
    await a.ok('features.create', { ...credits, credit_schema: costs(1) })
    await a.ok('balances.create', { customer_id: 'bob', feature_id: 'credits', included_grant: 100 })
    const use = { customer_id: 'bob', feature_id: 'messages', value: 10 }
    await b.ok('balances.track', use)
    await a.ok('features.update', { feature_id: 'credits', credit_schema: costs(3) })
    expect((await b.ok('balances.track', use)).deductions.map(({ value }: Reply['body']) => value)).toEqual([30])
  })
})

describe('one small question for all reads of a turn', () => {
  test('however many reads come in one turn, one question confirms them', async () => {
    const { store, b } = await openTwo()
    const before = store.confirmations
    const answers = await Promise.all(Array.from({ length: 50 }, () => b.ok('balances.check', messages)))
    expect(answers.every(({ balance }) => balance.remaining === 10)).toBe(true)
    expect(store.confirmations - before).toBe(1)
  })

  test('a read that arrives while a question is under way never joins it', async () => {
    const late = new Latecomer()
    const { store, a, b } = await openTwo({
      between: (store, i) => (i === 1 ? behaving({ versions: late.pass.bind(late) })(store) : store),
    })
    const held = late.next()
    const before = store.confirmations
    const first = b.ok('balances.check', messages)
    const release = await held
    await a.ok('balances.update', topUp)
    const asked = store.confirmations
    const second = b.ok('balances.check', messages)
    const third = b.call('balances.track', exactly(12))
    release()
    expect((await second).balance.remaining).toBe(15)
    expect(code(await third)).toBe('200')
    // It was confirmed as of before the top-up, which was not acknowledged when it arrived: both answers are right.
    expect([10, 15, 3]).toContain((await first).balance.remaining)
    expect([asked - before, store.confirmations > asked]).toEqual([1, true])
  })

  test('while as many as may be are under way, all that come later share the next', async () => {
    const late = new Latecomer()
    const { store, b } = await openTwo({
      between: (store, i) => (i === 1 ? behaving({ versions: late.pass.bind(late) })(store) : store),
    })
    const first = late.next()
    const answers = [b.ok('balances.check', messages)]
    const releaseFirst = await first
    const second = late.next()
    answers.push(b.ok('balances.check', messages))
    const releaseSecond = await second
    const asked = store.confirmations
    for (let i = 0; i < 5; i++) {
      answers.push(b.ok('balances.check', messages))
      await turns(2)
    }
    expect(store.confirmations).toBe(asked)
    releaseFirst()
    releaseSecond()
    expect((await Promise.all(answers)).map(({ balance }) => balance.remaining)).toEqual(Array(7).fill(10))
    expect(store.confirmations).toBe(asked + 1)
  })

  test('with local reads nothing is asked, and a read of what is in memory waits for nothing', async () => {
    const { store, a } = await openTwo({ reads: 'local' })
    const before = store.confirmations
    expect(await left(a)).toBe(10)
    expect(a.engine.read('sandbox', 'alice', (holdings) => holdings?.customer.id)).toBe('alice')
    expect(code(await a.call('balances.track', exactly(12)))).toBe('400 insufficient_balance')
    await a.ok('balances.track', exactly(1))
    expect(store.confirmations).toBe(before)
  })
})

describe('what is loaded for a read and what is being committed', () => {
  test('a load that lands while a commit is under way does not put old balances under a new version', async () => {
    const late = new Latecomer()
    const { store, a, b } = await openTwo({
      between: (store, i) => (i === 1 ? behaving({ commit: late.pass.bind(late) })(store) : store),
    })
    const held = late.next()
    const using = b.ok('balances.track', exactly(1))
    const release = await held
    await a.ok('balances.track', exactly(2))
    // Durable are both uses; here the first of them is still under way.
    expect(await left(b)).toBe(7)
    release()
    expect((await using).balance.remaining).toBe(9)
    expect((await b.ok('balances.track', exactly(3))).balance.remaining).toBe(4)
    expect([await left(a), await left(b)]).toEqual([4, 4])
    await expectLedgerToAddUp(store, 'alice')
  })

  test('an old answer to a load does not replace what a later commit has made', async () => {
    const late = new Latecomer()
    const { store, a, b } = await openTwo({
      between: (store, i) => (i === 1 ? behaving({ load: late.pass.bind(late) })(store) : store),
    })
    await a.ok('balances.track', exactly(1))
    const held = late.next()
    const reading = b.ok('balances.check', messages)
    const release = await held
    await b.ok('balances.track', exactly(2))
    await b.ok('balances.track', exactly(3))
    release()
    // As of any instant since it was asked.
    expect([9, 7, 4]).toContain((await reading).balance.remaining)
    expect((await b.ok('balances.track', exactly(4))).balance.remaining).toBe(0)
    expect([await left(a), await left(b)]).toEqual([0, 0])
    await expectLedgerToAddUp(store, 'alice')
  })

  test('what there is no room to remember is forgotten whole: whoever was looked up in vain to be refused can be written', async () => {
    const { a } = await openTwo({ cacheWeight: 0 })
    const desk = { entity_id: 'desk', feature_id: 'seats' }
    const grant = { feature_id: 'messages', included_grant: 0, reset: { interval: 'month' } }
    await Promise.all([
      a.ok('entities.create', { customer_id: 'carol', ...desk }),
      a.call('balances.create', { customer_id: 'bob', ...grant }),
    ])
    await Promise.all([
      a.ok('entities.create', { customer_id: 'bob', ...desk }),
      a.call('customers.update', { customer_id: 'bob', new_customer_id: 'bob', email: null }),
    ])
    expect((await a.ok('customers.get_or_create', { customer_id: 'carol', name: 'Carol' })).name).toBe('Carol')
  })

  test('a read is answered however often its customer is written meanwhile', async () => {
    let writing = false
    const { a, b } = await openTwo({
      between: (store, i) =>
        i === 1
          ? behaving({
              async versions(ask, references) {
                if (writing) await a.ok('customers.update', { ...alice, name: `${Math.random()}` })
                return ask(references)
              },
            })(store)
          : store,
    })
    writing = true
    expect(await left(b)).toBe(10)
    expect(code(await b.call('balances.track', exactly(12)))).toBe('400 insufficient_balance')
    expect(code(await b.call('customers.get', { customer_id: 'nobody' }))).toBe('404 customer_not_found')
  })
})

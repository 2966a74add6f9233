import { expect } from 'vitest'
import { type Reply, START } from '../world.ts'
import { HOUR } from './calendar.ts'
import { type Change, type Filter, Model } from './model.ts'
import { sizeOf } from './payment.ts'
import { type Counter, expectedPlans, runPlanStep, shownPlans } from './plan-pair.ts'
import { ONE, type Owner, type Row } from './rows.ts'
import type { Stage } from './stage.ts'
import { type Clock, FEATURES, type Step, type Who } from './steps.ts'
import {
  bodyOf,
  codeOf,
  exact,
  expectEvent,
  expected,
  filterBody,
  maybe,
  moved,
  movedOf,
  plain,
  rolloverOf,
  shown,
  shownLock,
  usedOf,
} from './wire.ts'

/** How time passes on the way to an instant: in how many parts, and whether what became due is written down at each. */
export interface Passing {
  /** Between 0 and 1, ascending. */
  readonly cuts: readonly number[]
  readonly touches: boolean
}

const AT_ONCE: Passing = { cuts: [], touches: false }

type Of<K extends Step['do']> = Extract<Step, { do: K }>

/** The application and the model side by side. */
export class Pair {
  model: Model
  /** Everything that was answered, in order. */
  readonly answers: unknown[] = []
  readonly #stage: Stage
  readonly #passing: Passing
  /** Some belong to locks, which have their ids to themselves in the whole world. */
  static #keys = 0
  #grants = 0
  #comparisons = 0

  private constructor(stage: Stage, passing: Passing) {
    this.model = new Model(START, stage.offers)
    this.#stage = stage
    this.#passing = passing
  }

  static async begin(stage: Stage, passing = AT_ONCE): Promise<Pair> {
    await stage.begin()
    return new Pair(stage, passing)
  }

  async run(one: Step): Promise<void> {
    await this.#stage.forget()
    // What lapsed at once has lapsed by the next request.
    this.model.waitUntil(this.model.now)
    switch (one.do) {
      case 'grant':
        return this.#grant(one)
      case 'unlimited':
        return this.#grant({ ...one, amount: null, every: null, first: null, keeping: null })
      case 'track':
        return this.#track(one)
      case 'use':
        return this.#use(one)
      case 'refund':
        return this.#refund(one)
      case 'update':
        return this.#update(one)
      case 'recalculate':
        return this.#recalculate(one)
      case 'delete':
        return this.#delete(one)
      case 'enter':
        return this.#enter(one.id)
      case 'leave':
        return this.#leave(one.who)
      case 'lock':
        return this.#lock(one)
      case 'finalize':
        return this.#finalize(one)
      case 'extend':
        return this.#extend(one)
      case 'replace': {
        await this.#stage.replace()
        const { test_clock } = await this.#stage.world.ok('customers.get', { customer_id: 'alice' })
        this.model = new Model(test_clock?.now ?? this.#stage.world.clock.now, this.#stage.offers)
        return
      }
      case 'share': {
        this.model.shares = !this.model.shares
        const config = { disable_pooled_balance: !this.model.shares }
        await this.#stage.world.ok('customers.update', { customer_id: 'alice', config })
        return
      }
      case 'wait':
        return this.#reach(this.model.now + one.time, one.clock)
      case 'boundary': {
        // To the very instant of the next boundary or expiry, or just before it, where being early or late by one would show.
        const due = (this.model.nextDue() ?? 0) - (one.early ? 1 : 0)
        return due > this.model.now ? this.#reach(due, one.clock) : undefined
      }
      case 'restart':
        // Ids are in order only within one process, so what comes later is later.
        await this.#reach(this.model.now + 1000, 'machine')
        return this.#stage.restart()
      case 'touch':
        return this.#touch()
      default:
        return runPlanStep(this.#counter, one)
    }
  }

  /** Every read shows what the model says: the customer, each entity, and a check of someone for something. */
  async compare(): Promise<void> {
    this.model.waitUntil(this.model.now)
    for (const owner of [null, ...this.model.entities]) {
      if (owner?.id === null) continue
      const { balances, subscriptions, purchases } = await this.#read(owner)
      expect(shownPlans({ subscriptions, purchases })).toEqual(expectedPlans(this.model, owner))
      expect(FEATURES.map((name) => shown(balances[name]))).toEqual(
        FEATURES.map((name) => expected(this.model.seen(name, owner))),
      )
    }
    this.#comparisons += 1
    const name = FEATURES[this.#comparisons % FEATURES.length] ?? 'messages'
    await this.#check(name, this.#owner(this.#comparisons % 4 || null))
  }

  /** Every use is recorded, with what it took; of locks also those that lapsed by themselves. */
  async compareEvents(): Promise<void> {
    const { list, next_cursor } = await this.#ok('events.list', { customer_id: 'alice', limit: 1000 })
    expect(next_cursor).toBe(null)
    const recorded = list.map(({ feature_id, value, timestamp, deductions }: Reply['body']) =>
      JSON.stringify([feature_id, value, timestamp, movedOf(deductions ?? [])]),
    )
    const events = this.model.events.map(({ feature, value, recorded: at, lines }) =>
      JSON.stringify([feature, plain(value), at, moved(lines)]),
    )
    expect(recorded.toSorted()).toEqual(events.toSorted())
  }

  /** Adds to the answers all that can be read, used-up balances and events too. */
  async readAll(): Promise<void> {
    await this.compare()
    await this.#call('balances.list', { customer_id: 'alice' })
    await this.compareEvents()
  }

  get #counter(): Counter {
    return { model: this.model, owner: (n) => this.#owner(n), call: (operation, body) => this.#call(operation, body) }
  }

  async #call(operation: string, body: object, headers = {}): Promise<Reply> {
    const reply = await this.#stage.world.call(operation, body, headers)
    this.answers.push([operation, reply.status, reply.body])
    return reply
  }

  /** The same under one key any number of times is as once (law 6). */
  async #callTwice(operation: string, body: object): Promise<Reply> {
    const headers = { 'idempotency-key': `key ${Pair.#keys++}` }
    const reply = await this.#call(operation, body, headers)
    const again = await this.#stage.world.call(operation, body, headers)
    expect([again.status, again.body]).toEqual([reply.status, reply.body])
    return reply
  }

  async #ok(operation: string, body: object): Promise<Reply['body']> {
    const reply = await this.#call(operation, body)
    expect(`${operation} ${codeOf(reply)}`).toBe(`${operation} 200 undefined`)
    return reply.body
  }

  async #read(owner: Owner): Promise<Reply['body']> {
    const body = await this.#stage.world.ok(owner === null ? 'customers.get' : 'entities.get', bodyOf(owner))
    if (owner === null) expect(body.test_clock?.now ?? this.#stage.world.clock.now).toBe(this.model.now)
    const plans = [...body.subscriptions, ...body.purchases]
    this.answers.push(body.balances, plans)
    return body
  }

  /** A write that has nothing to do with balances, and saves what became due. */
  async #touch(): Promise<void> {
    await this.#stage.world.ok('customers.update', { customer_id: 'alice', metadata: { touched: this.model.now } })
  }

  /** Asks for exactly what is shown, which a customer may not have where it is its entities'; or for more, which credits may pay. */
  async #check(name: Row['feature'], owner: Owner): Promise<void> {
    const units = (this.model.seen(name, owner)?.remaining ?? 0n) + BigInt(this.#comparisons % 3) * ONE
    const body = { ...bodyOf(owner), feature_id: name, required_balance: plain(units) }
    const { allowed, balance, required_balance } = await this.#ok('balances.check', body)
    const { answering, required, ...judged } = this.model.judge(name, owner, exact(plain(units)))
    expect({ allowed, required_balance }).toEqual({ allowed: judged.allowed, required_balance: plain(required) })
    expect(balance?.feature_id ?? answering).toBe(answering)
    expect(shown(balance)).toEqual(expected(this.model.seen(answering, owner)))
  }

  /** @param n counted among the entities that can be named; without any of them the customer is meant. */
  #owner(n: Who): Owner {
    const named = this.model.entities.filter(({ id }) => id !== null)
    return n === null ? null : (named[n % Math.max(1, named.length)] ?? null)
  }

  async #grant(one: Omit<Of<'grant'>, 'do' | 'amount'> & { amount: number | null }) {
    const { feature, amount, every, keeping, life } = one
    // An entity is a seat and holds none itself.
    const owner = feature === 'seats' ? null : this.#owner(one.who)
    const id = `b${this.#grants++}`
    const { now } = this.model
    const first = one.first === null ? null : now + one.first
    // Only a reset that was chosen may stand beside an expiry.
    const expires = life === null || (every !== null && first === null) ? null : (first ?? now) + life
    await this.#ok('balances.create', {
      ...bodyOf(owner),
      feature_id: feature,
      balance_id: id,
      ...(amount === null ? { unlimited: true } : { included_grant: amount }),
      ...(every === null ? {} : { reset: { interval: every.interval, interval_count: every.count } }),
      ...(first === null ? {} : { next_reset_at: first }),
      ...(expires === null ? {} : { expires_at: expires }),
      ...(keeping === null ? {} : { rollover: rolloverOf(keeping) }),
    })
    this.model.grant({
      ...{ id, owner, feature, every, first, expires },
      unlimited: amount === null,
      allowance: exact(amount ?? 0),
      policy:
        keeping === null
          ? null
          : { max: maybe(keeping.max, exact), percent: maybe(keeping.percent, exact), months: keeping.months },
    })
  }

  async #track(one: Of<'track'>): Promise<void> {
    const owner = this.#owner(one.who)
    const reply = await this.#call('balances.track', {
      ...bodyOf(owner),
      feature_id: one.feature,
      value: one.value,
      overage_behavior: one.behavior,
    })
    const event = this.model.track(one.feature, owner, exact(one.value), one.behavior)
    if (event === null) return expect(codeOf(reply)).toBe('400 insufficient_balance')
    expectEvent(reply, event)
  }

  async #use(one: Of<'use'>): Promise<void> {
    const owner = this.#owner(one.who)
    const body = { ...bodyOf(owner), feature_id: one.feature, required_balance: one.value, send_event: true }
    const { allowed, event_id } = await this.#ok('balances.check', body)
    const value = exact(one.value)
    // Where nothing is held nothing can be used, and nothing is recorded.
    const held = value <= 0n || this.model.payers(one.feature, owner).length > 0
    const event = held ? this.model.track(one.feature, owner, value, 'reject') : null
    expect([allowed, typeof event_id]).toEqual(event === null ? [false, 'undefined'] : [true, 'string'])
    if (event !== null) event.id = event_id
  }

  async #lock(one: Of<'lock'>): Promise<void> {
    const owner = this.#owner(one.who)
    const { now } = this.model
    const id = `lock ${one.id}`
    const until = maybe(one.life, (life) => now + life)
    const lock = {
      ...{ enabled: true, lock_id: id, overage_behavior: one.behavior },
      ...(until === null ? {} : { expires_at: until }),
    }
    const value = one.by === 'check' ? { required_balance: one.value } : { value: one.value }
    const body = { ...bodyOf(owner), feature_id: one.feature, ...value, lock }
    const reply = await this.#callTwice(`balances.${one.by}`, body)
    const terms = { id, behavior: one.behavior, until }
    const held = this.model.locks.hold(one.feature, owner, exact(one.value), terms)
    if (typeof held === 'string') return expect(codeOf(reply)).toBe(held)
    if (held === null && one.by === 'track') return expect(codeOf(reply)).toBe('400 insufficient_balance')
    expect(codeOf(reply)).toBe('200 undefined')
    if (one.by === 'check') expect(reply.body.allowed).toBe(held !== null)
    if (held === null) return expect([reply.body.lock, reply.body.event_id]).toEqual([undefined, undefined])
    expect(reply.body.lock).toEqual(shownLock(held.lock))
    if (one.by === 'track') expect(movedOf(reply.body.deductions)).toEqual(moved(held.event.lines))
    held.event.id = reply.body.event_id
  }

  async #finalize({ which, used, keepsOpen }: Of<'finalize'>): Promise<void> {
    const id = this.#openLock(which)
    const held = this.model.locks.find(id)?.held ?? ONE
    const target = usedOf(used, held)
    const open = keepsOpen && target !== null && target >= 0n && used !== 'none'
    const reply = await this.#callTwice('balances.finalize', {
      lock_id: id,
      action: used === 'none' ? 'release' : 'confirm',
      ...(target === null || used === 'none' ? {} : { override_value: plain(target) }),
      ...(open ? { keep_open: true } : {}),
    })
    const lines = this.model.locks.settle(id, target, open)
    if (typeof lines === 'string') return expect(codeOf(reply)).toBe(lines)
    expect(codeOf(reply)).toBe('200 undefined')
    const left = this.model.locks.find(id)
    expect([movedOf(reply.body.deductions), reply.body.lock]).toEqual([moved(lines), left && shownLock(left)])
  }

  async #extend({ which, time }: Of<'extend'>): Promise<void> {
    const id = this.#openLock(which)
    const until = this.model.now + time
    const reply = await this.#callTwice('balances.extend', { lock_id: id, expires_at: until })
    const refused = this.model.locks.extend(id, until)
    expect(codeOf(reply)).toBe(refused ?? '200 undefined')
    const lock = this.model.locks.find(id)
    if (refused === null) expect(reply.body.lock).toEqual(lock && shownLock(lock))
  }

  /** One that is open, or now and then the id of one that may be. */
  #openLock(which: number): string {
    const { open } = this.model.locks
    return (which === 0 ? undefined : open[which % Math.max(1, open.length)]?.id) ?? `lock ${which % 5}`
  }

  async #refund({ back, eighths }: Of<'refund'>): Promise<void> {
    // Of any event now and then: refunds, and uses that were given back already.
    const events = this.model.events.filter(({ id }) => id !== '')
    const open = events.filter(
      ({ lines, given, isRefund, lock }) =>
        !isRefund && lock === null && lines.some((line, i) => sizeOf(line) !== given[i]),
    )
    const some = back === 0 || open.length === 0 ? events : open
    const event = some.at(-1 - (back % Math.max(1, some.length)))
    if (event === undefined) return
    const part = eighths === null ? 0n : (event.value * BigInt(eighths)) / 8n
    const value = part <= 0n ? {} : { value: plain(-part) }
    const reply = await this.#call('balances.track', { customer_id: 'alice', refund_of: event.id, ...value })
    const refund = this.model.refund(event, part <= 0n ? null : part)
    if (typeof refund === 'string') expect(codeOf(reply)).toBe(refund)
    else expectEvent(reply, refund)
  }

  async #update(one: Of<'update'>): Promise<void> {
    const owner = this.#owner(one.who)
    const filter = this.#filter(
      one,
      this.model.payers(one.feature, owner).map(({ row }) => row),
    )
    const { amount, grant, next, expires } = one.change
    const [field, value] = amount ?? []
    const { now } = this.model
    const at = (time: number | null) => maybe(time, (length) => now + length)
    const reset = filter.row?.every == null ? now + HOUR : filter.row.next
    const end = expires === 'reset' ? reset : at(expires)
    const reply = await this.#call('balances.update', {
      ...bodyOf(owner),
      feature_id: one.feature,
      ...filterBody(filter),
      ...(field === undefined ? {} : { [field]: value }),
      ...(grant === null ? {} : { included_grant: grant }),
      ...(next === null ? {} : { next_reset_at: at(next) }),
      ...(end === null ? {} : { expires_at: end }),
    })
    const change: Change = {
      remaining: field === 'remaining' ? exact(value ?? 0) : undefined,
      add: field === 'add_to_balance' ? exact(value ?? 0) : undefined,
      usage: field === 'usage' ? exact(value ?? 0) : undefined,
      grant: maybe(grant, exact) ?? undefined,
      next: at(next) ?? undefined,
      expires: end ?? undefined,
    }
    expect(codeOf(reply)).toBe(this.model.update(one.feature, owner, filter, change) ?? '200 undefined')
  }

  async #recalculate(one: Of<'recalculate'>): Promise<void> {
    const owner = this.#owner(one.who)
    const filter = { row: null, interval: one.interval }
    const body = { ...bodyOf(owner), feature_id: one.feature, ...filterBody(filter) }
    const reply = await this.#call('balances.recalculate', body)
    // Without an entity all owners are looked at.
    const found = this.model.recalculate(one.feature, owner ?? undefined, filter)
    expect(codeOf(reply)).toBe(found ? '200 undefined' : '404 balance_not_found')
  }

  async #delete({ which, scope, keepsUse, interval }: Of<'delete'>): Promise<void> {
    const row = this.model.rows[which % Math.max(1, this.model.rows.length)]
    if (row === undefined) return
    const owner = scope === 'of a feature' ? null : row.owner
    const filter = scope === 'one' ? { row, interval: null } : { row: null, interval }
    const reply = await this.#call('balances.delete', {
      ...bodyOf(owner),
      feature_id: row.feature,
      ...filterBody(filter),
      ...(keepsUse ? { recalculate_balances: true } : {}),
    })
    const found = this.model.remove(row.feature, owner ?? undefined, filter, keepsUse)
    expect(codeOf(reply)).toBe(found ? '200 undefined' : '404 balance_not_found')
  }

  #filter({ only, interval }: Pick<Of<'update'>, 'only' | 'interval'>, rows: Row[]): Filter {
    return { row: only === null ? null : (rows[only % Math.max(1, rows.length)] ?? null), interval }
  }

  async #enter(id: string | null): Promise<void> {
    const body = { customer_id: 'alice', entity_id: id, feature_id: 'seats' }
    const reply = await this.#call('entities.create', body)
    const taken = id === null ? '400 entity_id_required' : '409 entity_already_exists'
    const problem = this.model.enter(id)
    const refused = problem === 'full' ? '400 feature_limit_reached' : taken
    expect(codeOf(reply)).toBe(problem === null ? '200 undefined' : refused)
  }

  async #leave(n: number): Promise<void> {
    const owner = this.#owner(n)
    if (owner === null) return
    await this.#ok('entities.delete', bodyOf(owner))
    this.model.leave(owner)
  }

  /** Lets time pass until an instant, all at once or in parts. */
  async #reach(instant: number, clock: Clock): Promise<void> {
    const { now } = this.model
    const length = instant - now
    const stops = [...this.#passing.cuts.map((cut) => now + Math.floor(length * cut)), instant]
    for (const stop of stops) {
      await this.#move(stop, clock)
      if (this.#passing.touches) await this.#touch()
    }
  }

  async #move(instant: number, clock: Clock): Promise<void> {
    const { world } = this.#stage
    const length = instant - this.model.now
    if (length <= 0) return
    if (clock === 'machine') world.clock.advance(length)
    else if (clock === 'sandbox') await world.ok('clock.advance', { by: `${length}ms` })
    else {
      // This one shows whole seconds (K 2.5).
      const frozen_time = Math.floor(instant / 1000) * 1000
      const reply = await world.call('customers.advance_test_clock', { customer_id: 'alice', frozen_time: instant })
      expect(codeOf(reply)).toBe(frozen_time > this.model.now ? '200 undefined' : '400 invalid_request')
      return this.model.waitUntil(Math.max(frozen_time, this.model.now))
    }
    this.model.waitUntil(instant)
  }
}

import {
  type Attached,
  endOfTrial,
  isMain,
  lastDay,
  min2,
  type Order,
  packsOf,
  sameTerms,
  trialing,
  turnOf,
  type Wanted,
} from './attached.ts'
import { AS_USUAL, type Carry, carry } from './carry.ts'
import type { Model } from './model.ts'
import {
  type Item,
  isFree,
  isOnce,
  isPaidAgain,
  isUpgrade,
  mixesWeeks,
  type Offer,
  policyOf,
  type Terms,
  type Trial,
  units,
} from './offers.ts'
import { type Amount, firstAfter, granted, max, min, type Owner, type Row, sum } from './rows.ts'

const INVALID = '400 invalid_request'
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/** The model's plans, written from the rules of C 4.1-4.9. What is refused changes nothing. */
export class Plans {
  /** In order of creation, without those that have ended. */
  list: Attached[] = []
  /** Who had which plan with a trial. */
  readonly #tried: { plan: Offer; owner: Owner }[] = []
  readonly #model: Model
  readonly #offers: readonly Offer[]

  constructor(model: Model, offers: readonly Offer[]) {
    this.#model = model
    this.#offers = offers
    for (const plan of offers) if (plan.auto) this.#begin(this.#new(plan, plan, null, { anchor: model.now }))
  }

  /** All of them at once, or none (C175). @returns the refusal, or null. */
  attachAll(all: readonly Wanted[]): string | null {
    const places = all.filter(({ plan }) => isMain(plan, plan)).map(({ plan, owner }) => ({ group: plan.group, owner }))
    const isTwice = places.some(({ group, owner }, i) =>
      places.some((other, j) => j < i && other.group === group && other.owner === owner),
    )
    if (isTwice || all.some((one) => this.attach(one, true) !== null)) return INVALID
    for (const one of all) this.attach(one)
    return null
  }

  /** @param only whether nothing is done but to find out. @returns the refusal, or null. */
  attach(wanted: Wanted, only = false): string | null {
    const { plan, owner, orders, schedule, starts, ends, usages, balances, removed, trial, anchor } = wanted
    const { now } = this.#model
    const replaces = isMain(plan, plan)
    const current = replaces ? this.#mainAt(plan.group, owner, 'active') : undefined
    if (current?.plan.id === plan.id) return '409 plan_already_attached'
    if (removed === plan.id) return INVALID
    const gone = this.list.find((one) => one.plan.id === removed && one.owner === owner && one.status === 'active')
    if (removed !== null && gone === undefined) return '404 product_not_found'
    const isDowngrade = current !== undefined && !isUpgrade(current.terms, plan)
    const waits = schedule === null ? isDowngrade : schedule === 'end_of_cycle'
    const switchesAt = current && waits ? lastDay(current, now) : null
    const begins = starts !== null && starts > now + MINUTE ? starts : switchesAt
    const start = begins ?? starts ?? now
    // The rest of a trial goes to what takes its place, but not to what is free (C76).
    const rest = trial === null && isDowngrade
    const inherited = rest && begins === null && !isFree(plan) && trialing(current, now) ? current : undefined
    const its =
      trial === 'none' || rest || (trial === null && this.#hadTrial(plan, owner)) ? null : (trial ?? plan.trial)
    const trialEnds = inherited?.trialEnds ?? (its === null ? null : start + its.days * DAY)
    const terms =
      inherited !== undefined ? { ...plan, trial: inherited.terms.trial } : { ...plan, trial: its ?? plan.trial }
    if (trial !== null && trial !== 'none' && isOnce(plan)) return INVALID
    if (starts !== null) {
      if (schedule === 'end_of_cycle' || !isPaidAgain(plan) || trialEnds !== null || (starts <= now && current))
        return INVALID
    }
    if (ends !== null && (ends <= now || ends <= start || isFree(plan))) return INVALID
    if (anchor !== null) {
      if (trialEnds !== null || isOnce(plan) || (begins !== null && (current || anchor === 'now'))) return INVALID
      if (anchor !== 'now' && (anchor <= start || anchor <= now || (ends !== null && anchor >= ends))) return INVALID
    }
    if ((usages || balances) && begins !== null) return INVALID
    const ordered = this.#quantities(plan, orders, current)
    if (ordered === null) return INVALID
    if (begins !== null && current && [...ordered.keys()].some(({ price }) => price?.every === null)) return INVALID
    if (only) return null

    const scheduled = replaces ? this.#mainAt(plan.group, owner, 'scheduled') : undefined
    this.#forget(scheduled)
    const attached = this.#new(plan, terms, owner, {
      starts: begins ?? min2(starts, now),
      ends: ends ?? endOfTrial(terms, trialEnds),
      trialEnds,
      ordered,
      anchor: this.#anchorOf(wanted, current, begins, trialEnds),
      status: begins === null ? 'active' : 'scheduled',
    })
    // What the new one replaces need not be named.
    const other = gone === current ? undefined : gone
    if (begins !== null) {
      if (other !== undefined) this.#end(other, 'void')
      if (current !== undefined)
        Object.assign(current, { canceled: now, ends: Math.min(begins, current.ends ?? begins) })
      this.list.push(attached)
      return null
    }
    const source = current ?? (usages || balances ? other : undefined)
    if (other !== undefined && other !== source) this.#end(other, 'void')
    if (source === undefined) this.#begin(attached)
    else this.#replace(source, attached, 'void', { usages, balances, joins: false })
    return null
  }

  cancel(target: Attached, action: 'cancel_immediately' | 'cancel_end_of_cycle' | 'uncancel'): string | null {
    const { now } = this.#model
    const { plan, terms, owner } = target
    const main = isMain(plan, terms)
    const next = () => (main ? this.#mainAt(plan.group, owner, 'scheduled') : undefined)
    if (target.status === 'scheduled') {
      if (action === 'uncancel') return INVALID
      this.#forget(target)
      const active = main ? this.#mainAt(plan.group, owner, 'active') : undefined
      if (active?.canceled != null && active.ends === target.starts) this.#resume(active)
      return null
    }
    if (action === 'uncancel') {
      if (target.canceled === null) return null
      this.#resume(target)
      this.#forget(next())
    } else if (action === 'cancel_immediately') {
      this.#end(target, 'void')
      if (!main) return null
      this.#forget(next())
      const addOns = this.list.filter((one) => one.status === 'scheduled' && one.owner === owner && one.plan.addOn)
      for (const one of addOns) this.#forget(one)
      const fallback = this.#fallbackOf(target)
      if (fallback !== undefined) this.#begin(this.#new(fallback, fallback, null, { anchor: now }))
    } else {
      const ends = lastDay(target, now)
      if (isFree(terms) || isOnce(terms) || ends === null) return INVALID
      Object.assign(target, { canceled: now, ends })
      if (!main) return null
      this.#forget(next())
      const fallback = this.#fallbackOf(target)
      const scheduled = { anchor: ends, starts: ends, status: 'scheduled' as const }
      if (fallback !== undefined) this.list.push(this.#new(fallback, fallback, null, scheduled))
    }
    return null
  }

  /** Another quantity of a prepaid item; of one that is bought once, so much more (C157, C159-C163). */
  order(target: Attached, { feature, quantity }: Order): string | null {
    const sold = target.terms.items.filter((one) => one.feature === feature && one.price?.method === 'prepaid')
    const [item] = sold
    if (item?.price == null) return null
    const topsUp = !isOnce(target.terms) && item.price.every === null
    if (topsUp && target.status !== 'active') return INVALID
    const rows = this.#rowsOf(target).filter(({ from }) => from?.item === item)
    const had = rows[0]?.from?.prepaid ?? target.ordered.get(item) ?? 0n
    const wanted = packsOf(item, units(quantity) - (topsUp ? 0n : units(item.included)))
    const total = topsUp ? had + wanted : wanted
    if (topsUp && wanted === 0n) return null
    if (item.price.most !== null && total > units(item.price.most)) return INVALID
    const waits = total < had && item.price.waits && target.status === 'active'
    for (const row of rows) {
      if (row.from === null) continue
      row.from = { ...row.from, prepaid: waits ? had : total, next: waits ? total : null }
      if (waits) continue
      row.allowance += total - had
      row.main += total - had
      if (topsUp) this.#payOff(row, wanted)
    }
    if (!waits) target.ordered.set(item, total)
    return null
  }

  /** The same plan on other terms (C158). */
  change(target: Attached, items: Item[]): string | null {
    return this.#renew(target, target.plan, { ...target.terms, items })
  }

  /** Another version; the trial that it is in stays its own. */
  reversion(target: Attached, plan: Offer): string | null {
    const { fee, items } = plan
    const trial = trialing(target, this.#model.now) ? target.terms.trial : plan.trial
    return this.#renew(target, plan, { fee, items, trial })
  }

  #renew(target: Attached, plan: Offer, terms: Terms): string | null {
    if (mixesWeeks(terms)) return '400 invalid_product_item'
    if (plan === target.plan && sameTerms(target.terms, terms)) return INVALID
    if (isOnce(target.terms) !== isOnce(terms)) return INVALID
    const ordered = this.#quantities(terms, [], target)
    if (ordered === null) return INVALID
    const restarts = isFree(target.terms) && !isFree(terms)
    const anchor = restarts ? Math.max(this.#model.now, target.starts) : target.anchor
    if (target.status === 'scheduled') {
      Object.assign(target, { plan, terms, ordered, anchor })
      return null
    }
    this.#remake(target, terms, { plan, anchor, ordered })
    return null
  }

  /** Another trial from now on, or none any more (C158). An end that was set stays; so does that of what is cancelled. */
  retry(target: Attached, trial: Trial | null): string | null {
    const { now } = this.#model
    if (trial !== null && isOnce(target.terms)) return INVALID
    const terms = trial === null ? target.terms : { ...target.terms, trial }
    const from = Math.max(now, target.starts)
    const trialEnds = trial === null ? null : from + trial.days * DAY
    const stays = target.canceled !== null || (target.ends !== null && target.ends !== target.trialEnds)
    const ends = stays ? target.ends : endOfTrial(terms, trialEnds)
    const ordered = this.#quantities(terms, [], target) ?? new Map()
    const anchor = trialEnds ?? (trialing(target, now) ? from : target.anchor)
    if (target.status === 'scheduled') Object.assign(target, { terms, trialEnds, ends, anchor, ordered })
    else this.#remake(target, terms, { trialEnds, ends, anchor, ordered })
    return null
  }

  /** Cycles and resets that begin at another time (C164). */
  rephase(target: Attached, anchor: number | 'now'): string | null {
    const { now } = this.#model
    if (target.status === 'scheduled' || isOnce(target.terms) || trialing(target, now)) return INVALID
    if (anchor !== 'now' && anchor <= now) return INVALID
    const ordered = this.#quantities(target.terms, [], target) ?? new Map()
    this.#remake(target, target.terms, { anchor: anchor === 'now' ? now : anchor, ordered })
    return null
  }

  /** The same plan in its own place, with all use. */
  #remake(target: Attached, terms: Terms, more: Partial<Attached>): void {
    const { plan, owner, starts, ends, canceled, trialEnds } = target
    const after = this.#new(plan, terms, owner, { starts, ends, canceled, trialEnds, ...more })
    this.#replace(target, after, 'void', { usages: true, balances: false, joins: true })
  }

  /** What is not cancelled any more; what ends with its trial still does. */
  #resume(target: Attached): void {
    const ends = trialing(target, this.#model.now) ? endOfTrial(target.terms, target.trialEnds) : null
    Object.assign(target, { canceled: null, ends })
  }

  /** Once for each plan and owner, whatever became of it (C75). */
  #hadTrial(plan: Offer, owner: Owner): boolean {
    const had = [...this.#tried, ...this.list.filter(({ trialEnds }) => trialEnds !== null)]
    return had.some((one) => one.plan.id === plan.id && one.owner === owner)
  }

  /** When a plan begins or ends next. */
  nextTurn(): number {
    return Math.min(...this.list.map(turnOf))
  }

  /** Ends first, then beginnings (C154, C173). */
  turn(): void {
    const { now } = this.#model
    const due = this.list.filter((one) => turnOf(one) <= now)
    for (const ending of due.filter(({ status }) => status === 'active')) {
      const successor = this.#successorOf(ending)
      if (successor === undefined) this.#end(ending, 'expire')
      else this.#replace(ending, successor, 'expire', AS_USUAL)
    }
    for (const one of due.filter((other) => other.status === 'scheduled' && this.list.includes(other))) {
      const main = isMain(one.plan, one.terms) ? this.#mainAt(one.plan.group, one.owner, 'active') : undefined
      if (main === undefined) this.#begin(one)
      else this.#replace(main, one, 'expire', AS_USUAL)
    }
  }

  /** A new entity gets what each of its feature has for itself (B218). */
  welcome(entity: Owner): void {
    for (const one of this.list) {
      if (one.status !== 'active' || one.owner !== null) continue
      for (const item of one.terms.items) if (item.each) this.#open(one, item, entity)
    }
  }

  /** Its plans go with an entity. */
  leave(entity: Owner): void {
    this.list = this.list.filter(({ owner }) => owner !== entity)
  }

  #new(plan: Offer, terms: Terms, owner: Owner, more: Partial<Attached>): Attached {
    const { now } = this.#model
    return {
      ...{ plan, terms, owner, status: 'active', starts: now, canceled: null, ends: null, anchor: now },
      ...{ trialEnds: null, ordered: new Map(), created: now, age: this.#model.nextAge() },
      ...more,
    }
  }

  #mainAt(group: string, owner: Owner, status: Attached['status']): Attached | undefined {
    return this.list.find(
      (one) => one.status === status && one.owner === owner && one.plan.group === group && isMain(one.plan, one.terms),
    )
  }

  /** The free default, which only a customer has, and not after itself (C165). */
  #fallbackOf({ plan, owner }: Attached): Offer | undefined {
    return this.#offers.find(
      (one) => owner === null && one.auto && isFree(one) && one.group === plan.group && one.id !== plan.id,
    )
  }

  #successorOf(ending: Attached): Attached | undefined {
    const { plan, terms, owner } = ending
    if (!isMain(plan, terms)) return undefined
    const { now } = this.#model
    const next = this.#mainAt(plan.group, owner, 'scheduled')
    if (next !== undefined && (next.starts <= now || isFree(next.terms))) return Object.assign(next, { starts: now })
    const fallback = this.#fallbackOf(ending)
    return fallback && this.#new(fallback, fallback, null, { anchor: now, age: `${ending.age}_n` })
  }

  /** What cycles are counted from (the table in C 4.5). */
  #anchorOf(
    { plan, owner, starts, anchor }: Wanted,
    current: Attached | undefined,
    begins: number | null,
    trialEnds: number | null,
  ): number {
    const { now } = this.#model
    if (begins !== null && current === undefined) return begins
    if (anchor !== null) return anchor === 'now' ? now : anchor
    if (starts !== null && begins === null && current === undefined) return starts
    if (trialEnds !== null) return trialEnds
    if (current !== undefined) {
      const cutShort = begins === null && trialing(current, now)
      return cutShort || (isFree(current.terms) && !isFree(plan)) ? now : current.anchor
    }
    if (!plan.addOn || !isPaidAgain(plan)) return now
    const paid = this.list.filter(
      (one) => one.status === 'active' && isMain(one.plan, one.terms) && isPaidAgain(one.terms),
    )
    return (paid.find((one) => one.owner === owner) ?? paid.find((one) => one.owner === null))?.anchor ?? now
  }

  /** What was ordered, in packs; else of what is bought again and again as much as before (C130, C132). Null: too much. */
  #quantities(terms: Terms, orders: Order[], before: Attached | undefined): Map<Item, Amount> | null {
    const all = new Map<Item, Amount>()
    for (const item of terms.items) {
      if (item.price?.method !== 'prepaid') continue
      const order = orders.find(({ feature }) => feature === item.feature)
      const inherited = item.price.every === null || before === undefined ? 0n : this.#orderedOf(before, item)
      const wanted = packsOf(item, order === undefined ? inherited : units(order.quantity) - units(item.included))
      if (order !== undefined && item.price.most !== null && wanted > units(item.price.most)) return null
      if (wanted > 0n) all.set(item, wanted)
    }
    return all
  }

  #orderedOf(before: Attached, { feature }: Item): Amount {
    const items = before.terms.items.filter(
      (one) => one.feature === feature && one.price?.method === 'prepaid' && one.price.every !== null,
    )
    const rows = this.#rowsOf(before)
    return sum(
      items.map(
        (item) => rows.find(({ from }) => from?.item === item)?.from?.prepaid ?? before.ordered.get(item) ?? 0n,
      ),
    )
  }

  #rowsOf(attached: Attached): Row[] {
    return this.#model.rows.filter(({ from }) => from?.attached === attached)
  }

  #forget(attached: Attached | undefined): void {
    this.list = this.list.filter((one) => one !== attached)
  }

  #begin(attached: Attached): void {
    attached.status = 'active'
    if (!this.list.includes(attached)) this.list.push(attached)
    for (const item of attached.terms.items) {
      const owners = item.each && attached.owner === null ? this.#model.entities : [attached.owner]
      for (const owner of owners) this.#open(attached, item, owner)
    }
    this.#model.sitDown()
  }

  #open(attached: Attached, item: Item, owner: Owner): void {
    const { now } = this.#model
    const { feature, included, unlimited, price } = item
    const prepaid = attached.ordered.get(item) ?? 0n
    const every = unlimited || feature === 'seats' ? null : item.every
    const { n, next } = every === null ? { n: 0, next: Infinity } : firstAfter(attached.anchor, every, now)
    const allowance = unlimited ? 0n : units(included) + prepaid
    this.#model.rows.push({
      ...{ id: '', owner, feature, unlimited, allowance, main: allowance, held: 0n, adjustment: 0n, seats: 0 },
      ...{ counts: new Map(), every, anchor: attached.anchor, n, next, renewed: now, ends: [], rollovers: [] },
      ...{ policy: policyOf(item), expires: null, expired: false, created: now },
      age: `${attached.age}_${attached.terms.items.indexOf(item)}`,
      from: {
        ...{ attached, item, prepaid, next: null, planId: attached.plan.id, addOn: attached.plan.addOn },
        method: price?.method ?? null,
        most: price?.most == null ? null : units(price.most),
        once: price?.method === 'prepaid' && price.every === null,
        slice: item.each && attached.owner === null,
      },
    })
  }

  /** @param how whether somebody ends it, or its time is over. */
  #end(attached: Attached, how: 'void' | 'expire'): Row[] {
    if (attached.trialEnds !== null) this.#tried.push(attached)
    const gone = this.#rowsOf(attached)
    for (const row of gone) row.expired = how === 'expire'
    this.#model.rows = this.#model.rows.filter((row) => !gone.includes(row))
    this.#forget(attached)
    this.#model.sitDown()
    return gone
  }

  #replace(before: Attached, after: Attached, how: 'void' | 'expire', carried: Carry): void {
    if (before.trialEnds !== null) this.#tried.push(before)
    const gone = this.#rowsOf(before)
    this.#model.rows = this.#model.rows.filter((row) => !gone.includes(row))
    for (const row of gone) row.expired = how === 'expire'
    this.#forget(before)
    this.#begin(after)
    for (const left of Map.groupBy(gone, ({ feature, owner }) => `${feature} ${owner?.id}`).values())
      carry(
        this.#model,
        left.filter(({ unlimited }) => !unlimited),
        before,
        after,
        carried,
      )
    this.#model.sitDown()
  }

  /** Debts of the feature are paid with what was bought (C163). What is owed because it is held may come back by itself. */
  #payOff(bought: Row, most: Amount): void {
    let left = min(most, max(bought.main, 0n))
    for (const row of this.#model.within(bought.feature, bought.owner)) {
      if (row === bought || row.unlimited) continue
      const least = min(max(granted(row), 0n) - max(row.held, 0n), 0n)
      const part = min(max(least - row.main, 0n), left)
      row.main += part
      bought.main -= part
      left -= part
    }
  }
}

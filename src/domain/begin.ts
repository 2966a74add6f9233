import { type Amount, formatAmount, ZERO } from './amount.ts'
import { assert } from './assert.ts'
import type { Attachment } from './attachment.ts'
import { balancesFrom } from './attachments.ts'
import { type Balance, type Terms, UNMETERED } from './balance.ts'
import { type Catalogue, type Feature, isConsumable } from './feature.ts'
import { planOf, termsOf } from './find-plan.ts'
import { entitiesOf, type Holdings, withAttachment, withBalances, withoutBalances, withPassage } from './holdings.ts'
import type { Journal } from './ledger.ts'
import type { PlanItem } from './plan.ts'
import { close } from './reset.ts'
import { reseat } from './seats.ts'
import { boundaryAfter, type Instant, later } from './time.ts'

/**
 * Makes an attachment active and opens a balance for each of its items; of an item that each entity has for itself, one for
 * each. Their ids go by the attachment's, so that every reader and process makes the same ones. Source: C130-C135, B218.
 */
export function begin(holdings: Holdings, attachment: Attachment, catalogue: Catalogue, journal: Journal): Holdings {
  const active: Attachment = { ...attachment, status: 'active' }
  let current = withAttachment(holdings, active)
  const opened: Balance[] = []
  for (const [i, item] of termsOf(active, catalogue).items.entries()) {
    const feature = catalogue.byUid.get(item.feature)
    if (feature === undefined) continue
    for (const entity of ownersOf(current, active, item))
      opened.push(open(active, i, item, feature, entity, catalogue, journal.at))
  }
  for (const balance of opened) postGrant(balance, journal)
  current = withBalances(current, opened)
  return reseat(current, journal)
}

/** Opens what an entity that is new gets of the items that each entity has for itself (B218). */
export function beginFor(
  holdings: Holdings,
  attachment: Attachment,
  entity: { readonly uid: string; readonly feature: string },
  catalogue: Catalogue,
  journal: Journal,
): Holdings {
  const opened: Balance[] = []
  for (const [i, item] of termsOf(attachment, catalogue).items.entries()) {
    const feature = catalogue.byUid.get(item.feature)
    if (feature === undefined || item.entityFeature !== entity.feature) continue
    opened.push(open(attachment, i, item, feature, entity.uid, catalogue, journal.at))
  }
  for (const balance of opened) postGrant(balance, journal)
  return withBalances(holdings, opened)
}

/**
 * A balance of units that were bought once, beside the first one of its item, because each purchase lasts by itself.
 * @param attachment with what has been bought by now.
 * @param owner the entity that gets it, or null, as `ownersOf` says.
 */
export function openTopUp(
  attachment: Attachment,
  index: number,
  feature: Feature,
  owner: string | null,
  units: Amount,
  catalogue: Catalogue,
  journal: Journal,
): Balance {
  const item = termsOf(attachment, catalogue).items[index]
  assert(item !== undefined, 'what is topped up is an item')
  const whole = open(attachment, index, { ...item, included: ZERO }, feature, owner, catalogue, journal.at)
  const all = attachment.quantities.find((one) => one.item === index)?.units ?? units
  const balance: Balance = {
    ...whole,
    uid: `${whole.uid}_${formatAmount(all)}`,
    terms: { kind: 'finite', allowance: units },
    source: whole.source === null ? null : { ...whole.source, prepaid: units },
    remaining: units,
  }
  postGrant(balance, journal)
  return balance
}

/**
 * Ends an attachment with its balances. @param how `void` where somebody ends it, then locks give what they hold of it to other
 * balances of the feature (R163); `expire` where its time is over.
 */
export function end(holdings: Holdings, attachment: Attachment, how: 'void' | 'expire', journal: Journal): Holdings {
  const balances = balancesFrom(holdings, attachment)
  for (const balance of balances) close(how, balance, journal)
  let current = withoutBalances(holdings, balances)
  if (how === 'expire')
    for (const { uid } of balances) current = withPassage(current, { balance: uid, after: null, ended: null })
  return withAttachment(current, { ...attachment, status: 'ended', endsAt: journal.at })
}

/** To whom an item is given: entities, or whoever has the plan. */
export function ownersOf(holdings: Holdings, { entity }: Attachment, { entityFeature }: PlanItem): (string | null)[] {
  if (entityFeature === null || entity !== null) return [entity]
  return entitiesOf(holdings).flatMap(({ uid, feature }) => (feature === entityFeature ? [uid] : []))
}

function open(
  attachment: Attachment,
  index: number,
  item: PlanItem,
  feature: Feature,
  entity: string | null,
  catalogue: Catalogue,
  at: Instant,
): Balance {
  const { uid, anchor, quantities } = attachment
  const ordered = quantities.find((one) => one.item === index)
  const prepaid = ordered?.units ?? ZERO
  const terms = termsIn(item, feature, prepaid)
  const { id: planId, addOn } = planOf(attachment, catalogue)
  const slice = item.entityFeature !== null && attachment.entity === null
  return {
    uid: `cus_ent_${uid.slice('cus_prod_'.length)}_${index}${slice && entity !== null ? `_${entity.slice('ent_'.length)}` : ''}`,
    id: null,
    feature: feature.uid,
    entity,
    terms,
    source: {
      attachment: uid,
      item: index,
      planId,
      addOn,
      price: item.price,
      prepaid,
      nextPrepaid: ordered?.next ?? null,
      slice,
    },
    remaining: terms.kind === 'finite' ? terms.allowance : ZERO,
    held: ZERO,
    adjustment: ZERO,
    seats: 0,
    metered: UNMETERED,
    reset:
      item.every === null || terms.kind !== 'finite' || !isConsumable(feature)
        ? null
        : { ...item.every, anchor, nextAt: boundaryAfter(anchor, item.every, at) },
    renewedAt: null,
    rolloverPolicy: item.rolloverPolicy,
    rollovers: [],
    expiresAt:
      item.expiry === null ? null : later(at, { count: item.expiry.length, unit: UNITS[item.expiry.duration] }),
    createdAt: at,
  }
}

const UNITS = { day: 'd', week: 'w', month: 'mo', year: 'y' } as const

function termsIn(item: PlanItem, feature: Feature, prepaid: Amount): Terms {
  if (feature.type.kind === 'boolean') return { kind: 'flag' }
  return item.unlimited ? { kind: 'unlimited' } : { kind: 'finite', allowance: item.included + prepaid }
}

function postGrant(balance: Balance, journal: Journal): void {
  const amount = balance.remaining
  journal.post('grant', balance, null, { amount, granted: amount, after: amount })
}

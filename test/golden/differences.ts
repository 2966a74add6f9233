/** What Granary answers where it does not answer as the recorded server did. */
export type Answer =
  | { readonly kind: 'refuses'; readonly status: number; readonly code: string }
  /** A success where the reference refused. Keys that are not named may be anything. */
  | { readonly kind: 'succeeds'; readonly body: object }
  /** Another value at these paths of the body, and another status where one is given. */
  | { readonly kind: 'says'; readonly at: Readonly<Record<string, unknown>>; readonly status?: number }

export interface Difference {
  /** The first cell of its row in docs/compatibility.md, which says what the reference does and why Granary does not. */
  readonly title: string
  /** The rules that ask for it. */
  readonly rule: string
  /** By step. */
  readonly answers: Readonly<Record<number, Answer>>
}

const DAY = 86_400_000
/** When the recorded `b_day`, `u_day` and the balance of `mono` reset next: one period after they were created. */
const STACK_RESET = 1795182610808 + DAY
const UPDATE_RESET = 1795182611737 + DAY
const MONO_RESET = Date.UTC(2026, 11, 20, 13, 50, 1, 376)
/** When `u_month` resets, because a step said so. */
const UPDATE_MONTH_RESET = 1795614612928
/** When the five a month of entity `e1` reset next. */
const MONTHLY_RESET = Date.UTC(2026, 11, 20, 13, 50, 27, 196)
/** When the monthly fifty of the plans of `att` and `drain` reset. */
const ATTACHED_RESET = 1797774637493
const DRAINED_RESET = 1797774641642

/** Why a check was denied, which Granary says and the reference does not; by step. Every denied check from 2.1 on is here. */
export const DENIALS: Readonly<Record<number, { readonly reason: string; readonly available_at: number | null }>> = {
  35: denied('no_balance'),
  36: denied('no_flag'),
  37: denied('no_balance'),
  45: denied('insufficient_balance'),
  59: denied('insufficient_balance', MONO_RESET),
  63: denied('insufficient_balance', MONO_RESET),
  72: denied('insufficient_balance'),
  163: denied('insufficient_balance', UPDATE_RESET),
  // By now the daily balance is deleted.
  169: denied('insufficient_balance', UPDATE_MONTH_RESET),
  196: denied('insufficient_balance'),
  246: denied('insufficient_balance'),
  287: denied('insufficient_balance', ATTACHED_RESET),
  292: denied('insufficient_balance', DRAINED_RESET),
  295: denied('insufficient_balance', DRAINED_RESET),
  305: denied('insufficient_balance'),
}

/** Every intended difference that the recorded steps show, and nothing else. */
export const DIFFERENCES: readonly Difference[] = [
  {
    title: 'Unknown member of a credit system',
    rule: 'B230 (REC)',
    answers: {
      11: refuses(404, 'feature_not_found'),
      13: says({
        list: ['messages', 'seats', 'sso', 'action1', 'action2', 'credits', 'bad1'].map((id) => ({ id })),
      }),
    },
  },
  {
    title: 'Internal ids of plan items',
    rule: 'decision, C 3.3',
    answers: {
      14: says(withoutEntitlementIds('items', 3)),
      15: says(withoutEntitlementIds('items', 1)),
      18: says(withoutEntitlementIds('items', 3)),
      19: says({ ...withoutEntitlementIds('list.0.items', 3), ...withoutEntitlementIds('list.1.items', 1) }),
    },
  },
  {
    title: 'What the payment provider calls a customer',
    rule: 'C182, C185',
    answers: {
      278: says({ stripe_id: null, processors: undefined }),
      299: says({ stripe_id: null, processors: undefined }),
    },
  },
  {
    title: 'Unknown route',
    rule: 'correction "unknown route"',
    answers: { 29: refuses(404, 'route_not_found') },
  },
  {
    title: 'A recurring balance that is used up stays visible',
    rule: 'B176 (REC)',
    answers: {
      59: says({ balance: mono(100) }),
      62: says({ balance: mono(105) }),
      63: says({ balance: mono(105) }),
      67: says({ 'balances.messages': mono(102) }),
      128: stack(50, 25, 25, [
        ['b_day', 0],
        ['b_month', 0],
        ['b_year', 5],
        ['b_exp', 10],
        ['b_life', 10],
      ]),
      129: stack(50, 15, 35, [
        ['b_day', 0],
        ['b_month', 0],
        ['b_year', 0],
        ['b_exp', 5],
        ['b_life', 10],
      ]),
      130: stack(50, 5, 45, [
        ['b_day', 0],
        ['b_month', 0],
        ['b_year', 0],
        ['b_exp', 0],
        ['b_life', 5],
      ]),
      131: stack(40, 0, 40, [
        ['b_day', 0],
        ['b_month', 0],
        ['b_year', 0],
        ['b_life', 0],
      ]),
      138: update(120, 60, 60, [
        ['u_day', 0, 20],
        ['u_month', 60, 40],
      ]),
      140: update(120, 500, -380, [
        ['u_day', 440, -420],
        ['u_month', 60, 40],
      ]),
      142: update(120, 530, -410, [
        ['u_day', 470, -450],
        ['u_month', 60, 40],
      ]),
      144: update(120, 480, -360, [
        ['u_day', 420, -400],
        ['u_month', 60, 40],
      ]),
      146: update(120, 110, 10, [
        ['u_day', 50, -30],
        ['u_month', 60, 40],
      ]),
      148: update(120, 65, 55, [
        ['u_day', 5, 15],
        ['u_month', 60, 40],
      ]),
      150: update(120, 47, 73, [
        ['u_day', 5, 15],
        ['u_month', 42, 58],
      ]),
      152: update(120, 55, 65, [
        ['u_day', 5, 15],
        ['u_month', 50, 50],
      ]),
      154: update(220, 55, 165, [
        ['u_day', 5, 15],
        ['u_month', 50, 150],
      ]),
      156: update(220, 55, 165, [
        ['u_day', 5, 15],
        ['u_month', 50, 150],
      ]),
      163: update(220, 0, 230, [
        ['u_day', 0, 30],
        ['u_month', 0, 200],
      ]),
      227: says({
        balance: {
          granted: 15,
          remaining: 3,
          usage: 12,
          next_reset_at: MONTHLY_RESET,
          breakdown: [
            { included_grant: 5, remaining: 0, usage: 5, reset: { interval: 'month', resets_at: MONTHLY_RESET } },
            { included_grant: 10, remaining: 3, usage: 7 },
          ],
        },
      }),
    },
  },
  {
    title: 'A balance that is used up is still drawn from',
    rule: 'S10, B96 (REC)',
    answers: {
      60: says({ balance: mono(105), deductions: [moved(5, 'month', MONO_RESET)] }),
      61: refuses(400, 'insufficient_balance'),
      65: says({ balance: mono(102), deductions: [moved(-3, 'month', MONO_RESET)] }),
      132: says({
        balance: { granted: 30, remaining: 7, usage: 23, next_reset_at: STACK_RESET },
        deductions: [moved(-7, 'day', STACK_RESET)],
      }),
      133: says({
        balance: { granted: 30, remaining: 22, usage: 8, next_reset_at: STACK_RESET },
        deductions: [moved(-3, 'day', STACK_RESET), moved(-10, 'month'), moved(-2, 'year')],
      }),
      337: says({
        'list.0.deductions': [moved(-3, 'day', STACK_RESET), moved(-10, 'month'), moved(-2, 'year')],
        'list.1.deductions': [moved(-7, 'day', STACK_RESET)],
      }),
      343: says({ allowed: true, balance: { granted: 30, remaining: 22, usage: 8, next_reset_at: STACK_RESET } }),
      344: says({
        balance: { granted: 30, remaining: 21, usage: 9, next_reset_at: STACK_RESET },
        deductions: [moved(1, 'day', STACK_RESET)],
      }),
      345: says({ allowed: true, balance: { ...stackAt20(1), reset: { interval: 'multiple', resets_at: null } } }),
      346: says({ balance: stackAt20(2) }),
      347: says({
        allowed: true,
        balance: 20,
        usage: 10,
        included_usage: 30,
        breakdown: [
          { interval: 'day', balance: 8, usage: 2, included_usage: 10, next_reset_at: STACK_RESET },
          { interval: 'month', balance: 10, usage: 0, included_usage: 10 },
          { interval: 'year', balance: 2, usage: 8, included_usage: 10 },
        ],
      }),
      349: says({ 'balances.messages': stackAt20(3) }),
    },
  },
  {
    title: 'Amounts as decimal texts',
    rule: 'decision: amounts are exact decimals (B237)',
    answers: { 64: succeeds({ customer_id: 'mono', value: 5, balance: mono(105), deductions: [] }) },
  },
  {
    title: 'Fields that exclude each other on creation',
    rule: 'B20, B70 (REC)',
    answers: {
      76: refuses(400, 'invalid_inputs'),
      84: refuses(400, 'invalid_inputs'),
      85: refuses(400, 'invalid_inputs'),
      94: refuses(400, 'invalid_inputs'),
    },
  },
  {
    title: '`reset` together with `expires_at`',
    rule: 'seed (creation), correction of B79',
    answers: { 95: refuses(400, 'invalid_inputs'), 109: says({ 'balances.messages': only('dup') }) },
  },
  {
    title: 'A grant that is already expired',
    rule: 'B78 (REC)',
    answers: { 96: refuses(400, 'invalid_inputs') },
  },
  {
    title: 'A negative grant',
    rule: 'B78 (REC)',
    answers: { 102: refuses(400, 'invalid_inputs'), 109: says({ 'balances.messages': only('dup') }) },
  },
  {
    title: 'Changes that exclude each other',
    rule: 'seed (newer update), B86, B87 (REC)',
    answers: {
      157: refuses(400, 'invalid_inputs'),
      158: refuses(400, 'invalid_inputs'),
      159: refuses(400, 'invalid_inputs'),
      160: update(220, 55, 165, [
        ['u_day', 5, 15],
        ['u_month', 50, 150],
      ]),
    },
  },
  {
    title: 'An update or a deletion that matches nothing',
    rule: 'correction of B97, B129',
    answers: {
      164: refuses(404, 'balance_not_found'),
      165: refuses(404, 'balance_not_found'),
      170: refuses(404, 'balance_not_found'),
    },
  },
  {
    title: 'Updates and deletions find a balance that is used up',
    rule: 'B96, B135 (REC)',
    answers: {
      168: succeeds({ success: true }),
      169: says({ 'balance.usage': 200, 'balance.breakdown.0.usage': 200 }),
    },
  },
  {
    title: 'Idempotency keys belong to a customer',
    rule: 'decision, instead of the scope in R120',
    answers: { 261: succeeds({ customer_id: 'mono', value: 0, deductions: [] }) },
  },
  {
    title: 'Acknowledged use is never lost',
    rule: 'B3, R117, R118',
    answers: { 335: race('balance'), 336: race('balance'), 350: race('list.0.balances.messages') },
  },
  {
    title: 'Optional keys for 2.1 and 2.2',
    rule: 'K23 (REC)',
    answers: {
      343: says({ entity_id: null, balances: null, preview: null }),
      344: says({ entity_id: null, event_name: null, balances: null }),
    },
  },
  {
    title: 'Entities take their seats from every balance',
    rule: 'decision 9, instead of B218',
    answers: {
      213: says({ 'balances.seats': seats(1, 2) }),
      215: says({ balance: seats(1, 2) }),
      229: says({ 'balances.seats': seats(1, 2) }),
      231: says({ balance: seats(2, 1) }),
      232: says({ 'balances.seats': seats(1, 2) }),
      233: says({ 'balances.seats': seats(0, 3) }),
      234: says({ 'balances.seats': seats(0, 4) }),
    },
  },
  {
    title: 'The feature of a new entity',
    rule: 'B213',
    answers: Object.fromEntries([210, 213, 232, 233, 234].map((step) => [step, says({ feature_id: 'seats' })])),
  },
  {
    title: 'Setting `remaining` for an entity',
    rule: 'seed (newer update), B93, B96',
    answers: {
      229: says({
        'balances.messages': {
          granted: 15,
          remaining: 4,
          usage: 11,
          breakdown: [
            { included_grant: 5, remaining: 1, usage: 4 },
            { included_grant: 10, remaining: 3, usage: 7 },
          ],
        },
      }),
      232: says({ 'balances.messages': shared(3) }),
      233: says({ 'balances.messages': shared(3) }),
      234: says({ 'balances.messages': shared(3) }),
    },
  },
  {
    title: 'A batch says what became of its items',
    rule: 'K8, R125, S42',
    answers: {
      269: results(used(1), used(2), used(3)),
      272: results(used(1), { status: 404, code: 'customer_not_found', value: 0, deductions: [] }),
    },
  },
  {
    title: 'What a lock holds',
    rule: 'decision',
    answers: {
      237: says({ ...heldOf(8), lock: { lock_id: 'L1', held: 8 } }),
      238: says(heldOf(8)),
      243: says({ ...heldOf(10), lock: { lock_id: 'L2', held: 10 } }),
      250: says({ ...heldOf(1), lock: { lock_id: 'L4', held: 1 } }),
      251: says({ ...heldOf(4), lock: { lock_id: 'L5', held: 3 } }),
      253: says(heldOf(1)),
      254: says({ ...heldOf(2), lock: { lock_id: 'L6', held: 1 } }),
    },
  },
  {
    title: 'What finalizing a lock moved',
    rule: 'decision',
    answers: {
      240: says({ deductions: [{ feature_id: 'messages', value: -3 }] }),
      244: says({ deductions: [{ feature_id: 'messages', value: -10 }] }),
      252: says({ deductions: [{ feature_id: 'messages', value: 3 }] }),
    },
  },
]

function heldOf(held: number) {
  return { 'balance.breakdown.0.held': held }
}

function denied(reason: string, available_at: number | null = null) {
  return { reason, available_at }
}

function refuses(status: number, code: string): Answer {
  return { kind: 'refuses', status, code }
}

function succeeds(body: object): Answer {
  return { kind: 'succeeds', body }
}

function says(at: Readonly<Record<string, unknown>>): Answer {
  return { kind: 'says', at }
}

/** What became of the items of a batch. */
function results(...all: readonly object[]): Answer {
  return { kind: 'says', at: { results: all }, status: 202 }
}

function used(value: number): object {
  return { status: 200, code: null, value, deductions: [{ feature_id: 'messages', value }] }
}

/** The monthly hundred of `mono`, used up. */
function mono(usage: number): object {
  return {
    granted: 100,
    remaining: 0,
    usage,
    next_reset_at: MONO_RESET,
    breakdown: [{ included_grant: 100, remaining: 0, usage, reset: { interval: 'month', resets_at: MONO_RESET } }],
  }
}

/** The balances of `stack`, of ten each. */
function stack(
  granted: number,
  remaining: number,
  usage: number,
  lines: readonly [id: string, left: number][],
): Answer {
  const breakdown = lines.map(([id, left]) => ({ id, included_grant: 10, remaining: left, usage: 10 - left }))
  return says({ balance: { granted, remaining, usage, next_reset_at: STACK_RESET, breakdown } })
}

/** What `stack` has left in version 2.0, some time after the recorded refunds. @param used of the ten a day. */
function stackAt20(used: number): object {
  const lines: [id: string, used: number][] = [
    ['b_day', used],
    ['b_month', 0],
    ['b_year', 8],
  ]
  return {
    granted_balance: 30,
    purchased_balance: 0,
    current_balance: 22 - used,
    usage: 8 + used,
    breakdown: lines.map(([id, usage]) => ({ id, granted_balance: 10, current_balance: 10 - usage, usage })),
  }
}

/** The three seats of `ent`. */
function seats(remaining: number, usage: number): object {
  return { granted: 3, remaining, usage, breakdown: [{ included_grant: 3, remaining, usage }] }
}

/** The ten messages that the entities of `ent` share. */
function shared(remaining: number): object {
  const usage = 10 - remaining
  return { granted: 10, remaining, usage, breakdown: [{ included_grant: 10, remaining, usage }] }
}

function update(
  granted: number,
  remaining: number,
  usage: number,
  lines: readonly [id: string, remaining: number, usage: number][],
): Answer {
  const breakdown = lines.map(([id, left, used]) => ({ id, remaining: left, usage: used }))
  return says({ balance: { granted, remaining, usage, next_reset_at: UPDATE_RESET, breakdown } })
}

/** A balance of one, and nothing else. */
function only(id: string): object {
  return { granted: 1, remaining: 1, usage: 0, breakdown: [{ id, included_grant: 1, remaining: 1, usage: 0 }] }
}

/** @param balance where the answer shows it. */
function race(balance: string): Answer {
  return says({
    [`${balance}.remaining`]: 40,
    [`${balance}.usage`]: 60,
    [`${balance}.breakdown.0.remaining`]: 40,
    [`${balance}.breakdown.0.usage`]: 60,
  })
}

function moved(value: number, interval: string, resetsAt?: number): object {
  const reset = resetsAt === undefined ? { interval } : { interval, resets_at: resetsAt }
  return { feature_id: 'messages', plan_id: null, reset, value }
}

function withoutEntitlementIds(items: string, count: number): Record<string, unknown> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`${items}.${i}.entitlement_id`, undefined]))
}

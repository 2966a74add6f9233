import type * as z from 'zod'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { Reply } from '../engine/command.ts'
import type { Context } from '../operations/decide.ts'
import type { Shape, Status } from './versions/version.ts'
import { kindOf, NOT_SUPPORTED } from './wire/scalars.ts'
import type { WireObject } from './wire/wire.ts'

/** One operation of the public API: what it takes, what it does, how its answer looks. */
export interface Endpoint {
  /** `<noun>.<verb>`; aliases share it, so that an idempotency key means the same through each. */
  readonly operation: string
  readonly shape: Shape
  /** In bytes, where it takes larger bodies than others. */
  readonly bodyLimit: number | undefined
  /** Whether it may change something, and so honours idempotency keys. */
  changes(body: unknown): boolean
  /** The key that the body itself may carry. */
  bodyKey(body: unknown): string | undefined
  /** @param body in the newest shape, not validated yet. */
  handle(context: Context, body: unknown): Answer | Promise<Answer>
}

export type Answer = Shown | Refusal

interface Shown {
  readonly kind: 'answer'
  readonly status: Status
  /** Where it is another one than that of the operation. */
  readonly shape?: Shape
  readonly body: WireObject
  readonly replayed: boolean
  /** What failed although there is an answer. */
  readonly faults: readonly unknown[]
}

interface Definition<S extends z.ZodType, A extends object> {
  readonly operation: string
  readonly shape: Shape
  readonly bodyLimit?: number
  readonly input: S
  /** Reads the usual form of a hot request; undefined for any other form, which then goes through `input`. */
  readonly quick?: (body: unknown) => z.infer<S> | undefined
  readonly kind: 'read' | 'write' | ((body: unknown) => 'read' | 'write')
  readonly bodyKey?: (body: unknown) => string | undefined
  /** @param body that `input` was read from. */
  run(context: Context, input: z.infer<S>, body: unknown): A | Refusal | Reply<A> | Promise<A | Refusal | Reply<A>>
  /** Of nothing but the answer and the input: an answer that is given again is shown again, to the same bytes. */
  show(answer: A, input: z.infer<S>): WireObject
  /** Default 200. */
  readonly status?: (input: z.infer<S>) => Status
  readonly faults?: (answer: A) => readonly unknown[]
}

export function endpoint<S extends z.ZodType, A extends object>(definition: Definition<S, A>): Endpoint {
  const { operation, shape, bodyLimit, input, kind } = definition
  const shown = (answer: A, replayed: boolean, parsed: z.infer<S>): Answer => ({
    kind: 'answer',
    status: definition.status?.(parsed) ?? 200,
    body: definition.show(answer, parsed),
    replayed,
    faults: definition.faults?.(answer) ?? NO_FAULTS,
  })
  const finish = (result: A | Refusal | Reply<A>, parsed: z.infer<S>): Answer => {
    if (isRefusal(result)) return result
    if (!isReply(result)) return shown(result, false, parsed)
    const { outcome, replayed } = result
    return isRefusal(outcome) ? outcome : shown(outcome.answer, replayed, parsed)
  }
  return {
    operation,
    shape,
    bodyLimit,
    changes: (body) => (typeof kind === 'function' ? kind(body) : kind) === 'write',
    bodyKey: definition.bodyKey ?? (() => undefined),
    handle(context, body) {
      const quick = definition.quick?.(body)
      const parsed = quick === undefined ? input.safeParse(body) : { success: true as const, data: quick }
      if (!parsed.success) return refusalOf(parsed.error.issues, body)
      const result = definition.run(context, parsed.data, body)
      // Staying synchronous where nothing has to be waited for saves the hot path a turn of the microtask queue.
      return result instanceof Promise ? result.then((one) => finish(one, parsed.data)) : finish(result, parsed.data)
    },
  }
}

/** An operation that is another one where the body asks for it; what that answers has a shape of its own. */
export function either(usual: Endpoint, asksForOther: (body: unknown) => boolean, other: Endpoint): Endpoint {
  const chosen = (body: unknown) => (asksForOther(body) ? other : usual)
  const reshaped = (answer: Answer): Answer => (isRefusal(answer) ? answer : { ...answer, shape: other.shape })
  return {
    ...usual,
    changes: (body) => chosen(body).changes(body),
    bodyKey: (body) => chosen(body).bodyKey(body),
    handle(context, body) {
      if (chosen(body) === usual) return usual.handle(context, body)
      const answer = other.handle(context, body)
      return answer instanceof Promise ? answer.then(reshaped) : reshaped(answer)
    },
  }
}

const NO_FAULTS: readonly unknown[] = []

function isReply<A extends object>(result: A | Reply<A>): result is Reply<A> {
  return 'outcome' in result && 'replayed' in result
}

/** Nobody reads more, and a batch may have a thousand items with the same mistake. */
const MOST_SENTENCES = 20

/** All that is wrong with a body, each with its path (B19, R14). */
function refusalOf(issues: readonly z.core.$ZodIssue[], body: unknown): Refusal {
  const sentences = issues.map(
    (issue) => `${issue.path.length === 0 ? 'input' : issue.path.join('.')}: ${sentenceOf(issue, body)}`,
  )
  const [only, another] = sentences
  const more = sentences.length > MOST_SENTENCES ? `; and ${sentences.length - MOST_SENTENCES} more` : ''
  const message =
    another === undefined
      ? (only ?? 'input: is not valid')
      : `[Validation Errors] ${sentences.slice(0, MOST_SENTENCES).join('; ')}${more}`
  // An issue of ours may say under which code it is to be reported; what is merely not supported comes first.
  const codes = issues.map((issue) => (issue.code === 'custom' ? issue.params?.['code'] : undefined))
  if (codes.includes(NOT_SUPPORTED)) return refuse(NOT_SUPPORTED, message)
  const other = OTHER_CODES.find((code) => codes.includes(code))
  return refuse(other ?? 'invalid_inputs', message)
}

const OTHER_CODES = ['invalid_request', 'invalid_feature', 'conflicting_version_flags'] as const

function sentenceOf(issue: z.core.$ZodIssue, body: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      if (String(issue.expected) === 'nonoptional') return 'is needed'
      return `must be ${article(issue.expected)} (received ${kindOf(valueAt(body, issue.path))})`
    case 'invalid_value':
      return `must be one of: ${issue.values.join(', ')}`
    case 'too_small':
      return issue.origin === 'string'
        ? 'cannot be empty'
        : `must be ${issue.origin === 'array' ? 'of length ' : ''}${issue.minimum} or more`
    case 'too_big':
      return issue.origin === 'string'
        ? `must be at most ${issue.maximum} characters`
        : `must be ${issue.origin === 'array' ? 'of length ' : ''}${issue.maximum} or less`
    default:
      return issue.message
  }
}

function article(expected: string): string {
  if (expected === 'int') return 'a whole number'
  if (expected === 'record') return 'an object'
  return /^[aeio]/.test(expected) ? `an ${expected}` : `a ${expected}`
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  let value = body
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = Reflect.get(value, key)
  }
  return value
}

import { setTimeout as after } from 'node:timers/promises'
import { Client, type Reply } from '../crash/clients.ts'
import type { Operation } from './checker.ts'
import { DONE, HELD, type Input, LOCKED, left, MISSING, NO_LOCK, NOTHING, REFUSED } from './model.ts'

/** A server that can be killed. */
export interface Member {
  readonly url: string
  /** Ends it as `kill -9` does, and resolves when it is gone. */
  kill(): Promise<unknown>
  /** Starts it again on the same data. @returns where it listens now. */
  restart(): Promise<string>
}

export interface Recording {
  /** All on the same data. Every request goes to one of them by chance. */
  readonly members: readonly Member[]
  readonly key: string
  readonly feature: string
  readonly clients: number
  /** In all. */
  readonly operations: number
  /** How often a member is killed meanwhile, in turn. */
  readonly kills: number
  /** What a client does next. */
  choose(random: () => number): { readonly customer: string; readonly input: Input }
  readonly random: () => number
}

/** Lets clients ask at the same time while members are killed and started. @returns what each customer went through. */
export async function record(recording: Recording): Promise<Map<string, Operation<Input>[]>> {
  const { operations, kills, random } = recording
  const gates = recording.members.map((member) => new Gate(member, recording.key))
  const histories = new Map<string, Operation<Input>[]>()
  const killing: Promise<void>[] = []
  let [sent, instant] = [0, 0]

  const ask = async (client: string) => {
    const { customer, input } = recording.choose(random)
    const gate = await openOne(gates, random)
    const invoked = instant++
    sent += 1
    const due = Math.floor((sent * (kills + 1)) / operations)
    if (due > killing.length && due <= kills) killing.push(killed(gates, killing, random))
    const reply = await gate.client.send(...requestOf(customer, recording.feature, input))
    const answer = reply === null ? null : answerOf(input, recording.feature, reply)
    const operation = { client, input, invoked, returned: answer === null ? null : instant++, answer }
    histories.set(customer, [...(histories.get(customer) ?? []), operation])
  }
  await Promise.all(
    Array.from({ length: recording.clients }, async (_, i) => {
      while (sent < operations) await ask(`client ${i}`)
    }),
  )
  await Promise.all(killing)
  // What is there in the end is seen by all, one after another.
  for (const [customer, history] of histories) {
    for (const { client } of gates) {
      const input: Input = { kind: 'check', required: 1 }
      const invoked = instant++
      const reply = await client.send(...requestOf(customer, recording.feature, input))
      if (reply === null) throw new Error('nobody was killed, and yet there is no answer')
      const answer = answerOf(input, recording.feature, reply)
      history.push({ client: 'the last', input, invoked, returned: instant++, answer })
    }
  }
  for (const { client } of gates) client.close()
  return histories
}

/** A member, and whoever waits until it is there. */
class Gate {
  readonly member: Member
  readonly #key: string
  client: Client
  isOpen = true
  opened: Promise<void> = Promise.resolve()

  constructor(member: Member, key: string) {
    this.member = member
    this.#key = key
    this.client = new Client(member.url, key)
  }

  /** Whoever waits for it learns of a failure too. */
  killAndRestart(delay: number): Promise<void> {
    this.opened = this.#killAndRestart(delay)
    return this.opened
  }

  async #killAndRestart(delay: number): Promise<void> {
    // Somewhere in the work of a commit, not always at the arrival of a request.
    await after(delay)
    this.isOpen = false
    await this.member.kill()
    this.client.close()
    this.client = new Client(await this.member.restart(), this.#key)
    this.isOpen = true
  }
}

/** One member after another; the next one not before the one before it is back. */
async function killed(gates: readonly Gate[], before: readonly Promise<void>[], random: () => number): Promise<void> {
  const [gate, last] = [gates[before.length % gates.length], before.at(-1)]
  await last
  await gate?.killAndRestart(random() * 5)
}

async function openOne(gates: readonly Gate[], random: () => number): Promise<Gate> {
  for (;;) {
    const open = gates.filter(({ isOpen }) => isOpen)
    const chosen = open[Math.floor(random() * open.length)]
    if (chosen !== undefined) return chosen
    await Promise.race(gates.map(({ opened }) => opened))
  }
}

function requestOf(customer_id: string, feature_id: string, input: Input): [operation: string, body: object] {
  const who = { customer_id, feature_id }
  switch (input.kind) {
    case 'create':
      return ['customers.get_or_create', { customer_id }]
    case 'delete':
      return ['customers.delete', { customer_id }]
    case 'grant':
      // One that resets is shown when it is used up, too; no reset comes as long as a test lasts.
      return ['balances.create', { ...who, balance_id: 'main', included: input.amount, reset: { interval: 'year' } }]
    case 'add':
      return ['balances.update', { ...who, add_to_balance: input.amount }]
    case 'set':
      return ['balances.update', { ...who, remaining: input.amount }]
    case 'check':
      return ['balances.check', { ...who, required_balance: input.required }]
    case 'use':
      return ['balances.check', { ...who, required_balance: input.required, send_event: true }]
    case 'hold': {
      const lock = { enabled: true, lock_id: `lock of ${customer_id}` }
      return ['balances.check', { ...who, required_balance: input.required, lock }]
    }
    case 'finalize': {
      const settled = input.target === 0 ? { action: 'release' } : { action: 'confirm', override_value: input.target }
      return ['balances.finalize', { lock_id: `lock of ${customer_id}`, ...settled }]
    }
    case 'track':
      return ['balances.track', { ...who, value: input.value, overage_behavior: input.behavior }]
  }
}

/** In the words of the model; null when nobody knows what happened: a failing world may have applied it or not. */
function answerOf(input: Input, feature: string, { status, body }: Reply): string | null {
  if (status >= 500) return null
  if (status !== 200) {
    const word = REFUSALS.get(`${input.kind} ${status} ${body.code}`) ?? REFUSALS.get(`${status} ${body.code}`)
    if (word === undefined) throw new Error(`${input.kind} was answered with ${status} ${JSON.stringify(body)}`)
    return word
  }
  switch (input.kind) {
    case 'create':
      return left(body.balances[feature] ?? null)
    case 'check':
    case 'use':
    case 'hold':
      return `${body.allowed ? 'allowed' : 'denied'}, ${left(body.balance)}`
    case 'track':
      return `took ${total(body.deductions)}, ${left(body.balance)}`
    case 'finalize':
      return `moved ${total(body.deductions)}`
    default:
      return DONE
  }
}

function total(lines: readonly { readonly value: number }[]): number {
  return lines.reduce((sum, { value }) => sum + value, 0)
}

const REFUSALS = new Map([
  ['404 customer_not_found', MISSING],
  ['404 balance_not_found', NOTHING],
  ['track 400 insufficient_balance', REFUSED],
  ['grant 409 invalid_request', HELD],
  ['hold 409 lock_already_exists', LOCKED],
  ['finalize 400 invalid_request', NO_LOCK],
])

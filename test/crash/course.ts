import { setTimeout as after } from 'node:timers/promises'
import { chance } from './chance.ts'
import { Client } from './clients.ts'
import type { Servers } from './servers.ts'

export const CLIENTS = 8

export interface Course {
  /** For the line of figures. */
  readonly name: string
  readonly servers: Servers
  readonly kills: number
  /** After how many kills everything is looked at. */
  readonly lookEvery: number
  readonly random: () => number
}

export async function withClients<T>(
  { servers }: Course,
  count: number,
  work: (clients: [Client, ...Client[]]) => Promise<T>,
): Promise<T> {
  const urls = servers.urls()
  const client = (i: number) => new Client(urls[i % urls.length] ?? '', servers.key)
  const clients: [Client, ...Client[]] = [client(0), ...Array.from({ length: count - 1 }, (_, i) => client(i + 1))]
  try {
    return await work(clients)
  } finally {
    for (const client of clients) client.close()
  }
}

/** One of the clients that ask at the same time. */
export interface Turn {
  /** The client whose turn it is, and another one, which may be the same. */
  readonly clients: readonly [Client, Client]
  /** Which client, and its how manieth turn it is. */
  readonly i: number
  readonly n: number
  readonly choose: () => number
}

/** Clients ask for as much as they get answered, until something is killed at some moment. @param take false ends a client's turns. */
export async function untilKilled(course: Course, take: (turn: Turn) => Promise<boolean>): Promise<void> {
  const { servers, random } = course
  const killAt = 20 + Math.floor(random() * 230)
  const delay = random() * 5
  let turns = 0
  let killing: Promise<unknown> | undefined
  let killed = false
  const kill = async () => {
    // Somewhere in the work of a commit, not always at the arrival of a request.
    await after(delay)
    await servers.kill().finally(() => {
      killed = true
    })
  }
  await withClients(course, CLIENTS, (clients) =>
    Promise.all(
      clients.map(async (client, i) => {
        const choose = chance(Math.floor(random() * 2 ** 32))
        for (let n = 0, going = true; going && !killed; n++) {
          turns += 1
          if (turns >= killAt) killing ??= kill()
          const second = clients[Math.floor(choose() * clients.length)] ?? client
          going = await take({ clients: [client, second], i, n, choose })
        }
      }),
    ),
  )
  await killing
}

/** All of them. */
export async function eventsOf(client: Client, customer_id: string) {
  const events: { value: number; properties: { id: string } }[] = []
  for (let start_cursor = ''; ; ) {
    const page = await client.ok('events.list', { customer_id, start_cursor, limit: 700 })
    events.push(...page.list)
    if (page.next_cursor === null) return events
    start_cursor = page.next_cursor
  }
}

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** What happens to a connection on which something is asked. */
export type Cut =
  /** Nothing. */
  | 'never'
  /** The question never reaches the server. */
  | 'before the question'
  /** The server is asked; whatever it answers, the connection is gone by then. */
  | 'after the question'
  /** The server has answered, so it has done what it was asked, and the answer is lost. */
  | 'before the answer'

/** A wire to a server that can be cut. */
export interface Cutter {
  /** The address of the server's database through the wire. */
  readonly url: string
  /** How many questions were cut. */
  readonly cuts: number
  /** The next question in which the text occurs is cut in this way; once. */
  cut(how: Cut, text: string): void
  /** Every connection is gone, and none can be made, until `mend`. */
  sever(): void
  mend(): void
  close(): Promise<void>
}

export async function openCutter(serverUrl: string): Promise<Cutter> {
  const target = new URL(serverUrl)
  const sockets = new Set<Socket>()
  let [next, marker, severed, cuts]: [Cut, string, boolean, number] = ['never', '', false, 0]

  const server = createServer((near) => {
    if (severed) {
      near.destroy()
      return
    }
    const far = connect(Number(target.port), target.hostname)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    let losing = false
    near.on('data', (data) => {
      const how = next !== 'never' && data.includes(marker) ? next : 'never'
      if (how === 'never') return void far.write(data)
      next = 'never'
      cuts += 1
      if (how === 'before the question') {
        near.destroy()
        far.destroy()
        return
      }
      far.write(data)
      // The server goes on, and hears nothing of this.
      if (how === 'after the question') near.destroy()
      else losing = true
    })
    far.on('data', (data) => {
      if (!losing) return void (near.destroyed || near.write(data))
      near.destroy()
      far.destroy()
    })
    near.on('end', () => far.end())
    far.on('close', () => near.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = new URL(serverUrl)
  url.port = typeof address === 'object' ? String(address?.port) : ''

  return {
    url: url.href,
    get cuts() {
      return cuts
    },
    cut(how, text) {
      next = how
      marker = text
    },
    sever() {
      severed = true
      for (const socket of sockets) socket.destroy()
    },
    mend() {
      severed = false
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

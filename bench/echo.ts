/**
 * The measure that Granary is compared with: what a bare `node:http` server costs on this machine for the same requests and
 * answers of the same length. It reads and parses the body and writes its answer from a fixed object, as any JSON server must; it validates and keeps
 * nothing.
 *
 * FROZEN: every published figure is relative to this file. Changing it makes figures before and after incomparable.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const [check = '{}', track = '{}'] = process.argv.slice(2)
const checked: unknown = JSON.parse(check)
const tracked: unknown = JSON.parse(track)

const server = createServer((incoming, outgoing) => {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => {
    JSON.parse(Buffer.concat(chunks).toString())
    const body = JSON.stringify(incoming.url === '/v1/balances.track' ? tracked : checked)
    // With its length, which lets Node send head and body in one write.
    outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    outgoing.end(body)
  })
})

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`echo listening on http://127.0.0.1:${port}\n`)
})

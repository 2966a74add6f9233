import { afterEach, describe, expect, test } from 'vitest'
import { head, Wire } from '../http/socket.ts'
import { cleanUp, type Granary, newFolder, SOON, start, within } from './granary.ts'

afterEach(cleanUp)

const MEGABYTE = 1024 * 1024

describe('a body that is too large', () => {
  // Clients go on sending for a while before they look: they must be able to read why, and not find a broken connection.
  const length = 8 * MEGABYTE
  test.each([
    ['with its length', { 'content-length': length }, ''],
    ['in chunks', { 'transfer-encoding': 'chunked' }, `${length.toString(16)}\r\n`],
  ])('and sent %s is refused so that the client can read it', async (_, headers, beginning) => {
    const granary = await start(newFolder())
    const wire = await Wire.open(granary.url)
    wire.socket.pause()
    const authorization = `Bearer ${granary.key}`
    wire.send(head('/v1/features.list', { authorization, ...headers }), beginning)
    await written(wire, Buffer.alloc(2 * MEGABYTE, 0x20))
    // Answered in turn: by now the server has refused the other one.
    await expectWell(granary)
    await written(wire, Buffer.alloc(4 * MEGABYTE, 0x20))
    wire.socket.resume()
    const reply = await wire.reply()
    expect(reply.status).toBe(413)
    expect(reply.headers['connection']).toBe('close')
    expect(reply.body).toEqual({ message: expect.any(String), code: 'body_too_large', env: 'sandbox' })
    await expectWell(granary)
  })

  test('does not make the server read for ever', async () => {
    const granary = await start(newFolder())
    const wire = await Wire.open(granary.url)
    wire.send(head('/v1/features.list', { 'transfer-encoding': 'chunked' }))
    const megabyte = Buffer.from(`100000\r\n${' '.repeat(MEGABYTE)}\r\n`)
    // Goes on for as long as the server takes it.
    const more = () => {
      while (!wire.socket.destroyed && wire.socket.write(megabyte));
    }
    wire.socket.on('drain', more)
    more()
    await within(SOON, 'the close', wire.closed)
    await expectWell(granary)
  })
})

describe('a body nested beyond all reason', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  const bodies: [string, string, string][] = [
    ['in a field that nobody knows', 'customers.update', `{"customer_id": "alice", "unheard_of": ${deep}}`],
    ['in metadata', 'customers.update', `{"customer_id": "alice", "metadata": {"deep": ${deep}}}`],
    ['in a field of a later version', 'customers.update', `{"customer_id": "alice", "config": ${deep}}`],
    ['of a feature', 'features.create', `{"feature_id": "f", "name": "F", "type": "metered", "unheard_of": ${deep}}`],
  ]
  test.each(bodies)('%s, with an idempotency key, leaves the server as it was', async (_, operation, body) => {
    const granary = await start(newFolder())
    await granary.call('customers.get_or_create', { customer_id: 'alice' })
    const wire = await Wire.open(granary.url)
    const authorization = `Bearer ${granary.key}`
    wire.send(head(`/v1/${operation}`, { authorization, 'idempotency-key': 'k', 'content-length': body.length }), body)
    const reply = await wire.reply()
    expect(reply.status).toBeLessThan(500)
    await expectWell(granary)
    expect((await granary.call('customers.update', { customer_id: 'alice', name: 'Alice' })).body.name).toBe('Alice')
  })
})

/** It serves, and has not complained. */
async function expectWell(granary: Granary): Promise<void> {
  expect((await granary.call('features.list', {})).status).toBe(200)
  expect(granary.stderr).toBe('')
  expect(granary.child.exitCode).toBeNull()
}

/** Sends and waits until the system has taken it all. */
function written(wire: Wire, bytes: Buffer): Promise<void> {
  const done = new Promise<void>((resolve, reject) =>
    wire.socket.write(bytes, (error) => (error == null ? resolve() : reject(error))),
  )
  return within(SOON, 'sending', done)
}

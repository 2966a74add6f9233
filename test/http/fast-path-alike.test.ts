import { request as httpRequest, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answersTo, cutAt, LAST, servingBoth, singly } from './both-paths.ts'

/**
 * The fast path beside `node:http` alone: what it reads itself, and that nobody could tell the difference.
 * Source: decision 15.
 */
const both = servingBoth()

const FIELDS = 'host: granary\r\nuser-agent: test\r\n'
const plain = (body = 'body', path = '/now', fields = '') =>
  `POST ${path} HTTP/1.1\r\n${FIELDS}${fields}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
const odd = (line: string, fields = FIELDS, body = 'body') => `${line}\r\n${fields}\r\n${body}`
/** A second request in what may or may not be the body of the first. */
const HIDDEN = `POST /hidden HTTP/1.1\r\n${FIELDS}content-length: 0\r\n\r\n`
const withFields = (fields: string, body = 'body') => odd('POST /now HTTP/1.1', FIELDS + fields, body)

const latin1 = (text: string) => Buffer.from(text, 'latin1')

describe('read by ourselves', () => {
  const streams: [string, Buffer][] = [
    ['the plainest request', latin1(plain())],
    ['no body', latin1(plain(''))],
    ['names in capitals', latin1('POST /now HTTP/1.1\r\nHOST: g\r\nUser-Agent: test\r\nContent-Length: 2\r\n\r\n{}')],
    ['no space after a colon', latin1('POST /now HTTP/1.1\r\nhost:g\r\nuser-agent:test\r\ncontent-length:2\r\n\r\n{}')],
    ['spaces and tabs around values', latin1(plain('{}', '/now', 'authorization: \t Bearer  x \t\r\n'))],
    ['values without anything', latin1(plain('{}', '/now', 'idempotency-key:\r\nx-api-version: \r\n'))],
    ['a connection that is to be kept', latin1(plain('{}', '/now', 'Connection: Keep-Alive\r\n'))],
    ['a header that nobody reads, twice', latin1(plain('{}', '/now', 'x-trace: 1\r\nX-Trace: 2\r\n'))],
    [
      'headers that the application reads',
      latin1(plain('{}', '/now', 'Authorization: Bearer k\r\nx-API-version: 2.1\r\n')),
    ],
    ['a query', latin1(plain('{}', '/now?a=1&b=%2F?c'))],
    ['an empty query', latin1(plain('{}', '/now?'))],
    ['a path of nothing', latin1(plain('{}', '//'))],
    ['letters of several bytes', Buffer.from(plain('Zoë 👍🏽 \u2028 \ufeff'))],
    ['a body that begins with a byte order mark', Buffer.from(plain('\ufeff{}'))],
    [
      'bytes that are no UTF-8',
      Buffer.concat([latin1(plain('').replace(': 0', ': 4')), Buffer.from([0xff, 0xc3, 0x28, 0xe2])]),
    ],
    ['a body like a request', latin1(plain(HIDDEN))],
    ['an answer with a header more', latin1(plain('{}', '/busy'))],
    ['a status without a name', latin1(plain('{}', '/strange'))],
    ['an answer of letters of several bytes', latin1(plain('{}', '/large'))],
    ['an answer that has to be waited for', latin1(plain('{}', '/later'))],
    ['a head of nearly the greatest length', latin1(plain('{}', '/now', `x-filler: ${'x'.repeat(3900)}\r\n`))],
    ['several in one piece', latin1(plain('1') + plain('2', '/later') + plain('3') + plain('', '/later') + plain('5'))],
  ]
  test.each(streams)('%s', async (_, bytes) => {
    const answers = await answersTo(both.on, [bytes, LAST])
    expect(answers).toEqual(await answersTo(both.off, [bytes, LAST]))
    const [last, ...before] = both.on.readBy.toReversed()
    expect(last).toBe('node:http')
    expect(new Set(before)).toEqual(new Set(['us']))
  })

  test('a body in pieces, with letters cut in two', async () => {
    const first = Buffer.from(plain('Zoë 👍🏽'))
    const bodyAt = first.indexOf('\r\n\r\n') + 4
    const second = Buffer.from(plain('é'.repeat(30_000), '/later') + plain('3'))
    const pieces = [
      first.subarray(0, bodyAt),
      ...singly(first.subarray(bodyAt)),
      ...cutAt(second, [0.3, 0.30001, 0.99]),
    ]
    expect(await answersTo(both.on, pieces)).toEqual(await answersTo(both.off, pieces))
    expect(both.on.readBy.slice(0, 2)).toEqual(['us', 'us'])
  })
})

test('clients that people use are read by ourselves', async () => {
  const { url } = both.on.server
  const body = JSON.stringify({ name: 'Zoë' })
  const headers = { authorization: 'Bearer k', 'x-api-version': '2.4', 'content-type': 'application/json' }
  for (let i = 0; i < 2; i++) {
    const fetched = await fetch(`${url}/now`, { method: 'POST', headers, body })
    expect(await fetched.json()).toMatchObject({ path: '/now', read: { authorization: 'Bearer k' }, body })
    const asked = Promise.withResolvers<IncomingMessage>()
    const asking = httpRequest(`${url}/now`, { method: 'POST', headers }, asked.resolve)
    asking.end(body)
    expect(JSON.parse(await text(await asked.promise))).toMatchObject({ path: '/now', body })
  }
  expect(both.on.readBy).toEqual(['us', 'us', 'us', 'us'])
})

describe('left to node:http, and answered as it does', () => {
  const streams: [string, Buffer][] = [
    ['another method', latin1(odd('GET /now HTTP/1.1', FIELDS, ''))],
    ['a method in small letters', latin1(odd('post /now HTTP/1.1', `${FIELDS}content-length: 4\r\n`))],
    ['a method that begins like POST', latin1(odd('POSTS /now HTTP/1.1', `${FIELDS}content-length: 4\r\n`))],
    ['HTTP/1.0', latin1(odd('POST /now HTTP/1.0', `${FIELDS}content-length: 4\r\n`))],
    [
      'HTTP/1.0 that is to be kept',
      latin1(odd('POST /now HTTP/1.0', `${FIELDS}connection: keep-alive\r\ncontent-length: 4\r\n`)),
    ],
    ['HTTP/1.2', latin1(odd('POST /now HTTP/1.2', `${FIELDS}content-length: 4\r\n`))],
    ['HTTP/2', latin1('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
    ['no version', latin1(`POST /now\r\n${FIELDS}\r\n`)],
    ['an absolute target', latin1(odd('POST http://granary/now HTTP/1.1', `${FIELDS}content-length: 4\r\n`))],
    ['a target of an authority', latin1(odd('CONNECT granary:80 HTTP/1.1', FIELDS, ''))],
    ['an asterisk', latin1(odd('OPTIONS * HTTP/1.1', FIELDS, ''))],
    ['a target with a space', latin1(odd('POST /now /hidden HTTP/1.1', `${FIELDS}content-length: 4\r\n`))],
    ['a target with a fragment', latin1(odd('POST /now#x HTTP/1.1', `${FIELDS}content-length: 4\r\n`))],
    ['a target with quotes', latin1(odd('POST /"now" HTTP/1.1', `${FIELDS}content-length: 4\r\n`))],
    ['a target beyond ASCII', latin1(odd('POST /n\xf6w HTTP/1.1', `${FIELDS}content-length: 4\r\n`))],
    ['a target with a zero byte', latin1(odd('POST /now\0 HTTP/1.1', `${FIELDS}content-length: 4\r\n`))],
    ['two spaces in the first line', latin1(odd('POST  /now HTTP/1.1', `${FIELDS}content-length: 4\r\n`))],
    ['a space after the version', latin1(odd('POST /now HTTP/1.1 ', `${FIELDS}content-length: 4\r\n`))],
    ['an empty line before it', latin1(`\r\n${plain()}`)],
    ['no length', latin1(withFields('', ''))],
    ['no length and yet a body', latin1(withFields('', HIDDEN))],
    [
      'a length and chunks',
      latin1(withFields('content-length: 4\r\ntransfer-encoding: chunked\r\n', `0\r\n\r\n${HIDDEN}`)),
    ],
    [
      'chunks and a length',
      latin1(withFields('transfer-encoding: chunked\r\ncontent-length: 4\r\n', `0\r\n\r\n${HIDDEN}`)),
    ],
    ['chunks', latin1(withFields('transfer-encoding: chunked\r\n', `4\r\nbody\r\n0\r\n\r\n${plain()}`))],
    ['chunks that are spelled otherwise', latin1(withFields('transfer-encoding: xchunked\r\ncontent-length: 4\r\n'))],
    ['chunks in a name with a space', latin1(withFields('transfer-encoding : chunked\r\ncontent-length: 4\r\n'))],
    [
      'chunks in a name with a tab before it',
      latin1(withFields('x: 1\r\n\ttransfer-encoding: chunked\r\ncontent-length: 4\r\n')),
    ],
    ['chunks after a vertical tab', latin1(withFields('transfer-encoding:\vchunked\r\ncontent-length: 4\r\n'))],
    ['an encoding of nothing', latin1(withFields('transfer-encoding: identity\r\ncontent-length: 4\r\n'))],
    ['two lengths', latin1(withFields('content-length: 4\r\ncontent-length: 0\r\n', `body${HIDDEN}`))],
    ['the same length twice', latin1(withFields('content-length: 4\r\nContent-Length: 4\r\n'))],
    ['two lengths in one line', latin1(withFields('content-length: 4, 4\r\n'))],
    ['a length with a sign', latin1(withFields('content-length: +4\r\n'))],
    ['a length below zero', latin1(withFields('content-length: -4\r\n'))],
    ['a length with a space in it', latin1(withFields('content-length: 1 4\r\n', `body${HIDDEN}`))],
    ['a length with a zero before it', latin1(withFields('content-length: 04\r\n'))],
    ['a length in another base', latin1(withFields('content-length: 0x4\r\n'))],
    ['a length with a point', latin1(withFields('content-length: 4.0\r\n'))],
    ['a length of nothing', latin1(withFields('content-length: \r\n'))],
    ['a length beyond all numbers', latin1(withFields(`content-length: 1${'0'.repeat(30)}\r\n`))],
    ['a length beyond the limit of bodies', latin1(withFields('content-length: 99999999\r\n'))],
    ['a line that ends with a line feed alone', latin1(withFields('x: 1\ncontent-length: 4\r\n'))],
    ['a head that ends with line feeds alone', latin1(`POST /now HTTP/1.1\n${FIELDS}content-length: 4\n\nbody`)],
    ['a carriage return alone', latin1(withFields('x: 1\rcontent-length: 9\r\ncontent-length: 4\r\n'))],
    ['a line that goes on in the next', latin1(withFields('x: 1\r\n 2\r\ncontent-length: 4\r\n'))],
    ['a zero byte in a value', latin1(withFields('x: 1\x002\r\ncontent-length: 4\r\n'))],
    ['a zero byte in a name', latin1(withFields('x\0: 1\r\ncontent-length: 4\r\n'))],
    ['a value beyond ASCII', latin1(withFields('x: \xe9\r\nauthorization: Bearer \xe9\r\ncontent-length: 4\r\n'))],
    ['a name beyond ASCII', latin1(withFields('\xe9: 1\r\ncontent-length: 4\r\n'))],
    ['a line without a colon', latin1(withFields('x\r\ncontent-length: 4\r\n'))],
    ['a line without a name', latin1(withFields(': 1\r\ncontent-length: 4\r\n'))],
    ['no host', latin1(odd('POST /now HTTP/1.1', 'user-agent: test\r\ncontent-length: 4\r\n'))],
    ['two hosts', latin1(withFields('host: other\r\ncontent-length: 4\r\n'))],
    ['two keys', latin1(withFields('authorization: Bearer a\r\nauthorization: Bearer b\r\ncontent-length: 4\r\n'))],
    ['two idempotency keys', latin1(withFields('idempotency-key: a\r\nidempotency-key: b\r\ncontent-length: 4\r\n'))],
    ['two versions', latin1(withFields('x-api-version: 2.1\r\nx-api-version: 2.2\r\ncontent-length: 4\r\n'))],
    ['a connection that is to be closed', latin1(withFields('connection: close\r\ncontent-length: 4\r\n'))],
    ['a connection that is to be both', latin1(withFields('connection: keep-alive, close\r\ncontent-length: 4\r\n'))],
    [
      'two words about the connection',
      latin1(withFields('connection: keep-alive\r\nconnection: close\r\ncontent-length: 4\r\n')),
    ],
    ['the connection of a proxy', latin1(withFields('proxy-connection: close\r\ncontent-length: 4\r\n'))],
    ['an upgrade', latin1(withFields('connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 4\r\n'))],
    ['an upgrade that is not asked for', latin1(withFields('upgrade: h2c\r\ncontent-length: 4\r\n'))],
    ['an expectation', latin1(withFields('expect: 100-continue\r\ncontent-length: 4\r\n'))],
    ['an expectation that cannot be met', latin1(withFields('expect: the-unexpected\r\ncontent-length: 4\r\n'))],
    ['a body that is packed', latin1(withFields('content-encoding: gzip\r\ncontent-length: 4\r\n'))],
    ['a long head', latin1(plain('{}', '/now', `x: ${'x'.repeat(5000)}\r\n`))],
    ['a head that is too long', latin1(plain('{}', '/now', `x: ${'x'.repeat(20_000)}\r\n`))],
    ['a head without an end', latin1(`POST /now HTTP/1.1\r\n${'x: 1\r\n'.repeat(4000)}`)],
    ['a large body', latin1(plain('x'.repeat(100_000)))],
    ['no HTTP at all', latin1('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03')],
    ['half a head', latin1('POST /now HTTP/1.1\r\nhost: gr')],
  ]
  test.each(streams)('%s', async (_, bytes) => {
    // What a plain request said before and one that is pipelined behind it must not make a difference either.
    for (const stream of [bytes, Buffer.concat([bytes, latin1(plain('after'))])]) {
      both.on.readBy.length = 0
      const pieces = [latin1(plain('before')), stream, LAST]
      expect(await answersTo(both.on, pieces)).toEqual(await answersTo(both.off, pieces))
      const [before, ...others] = both.on.readBy
      expect(before).toBe('us')
      expect(others).not.toContain('us')
    }
  })

  test('after the answers to everything before it', async () => {
    const bytes = latin1(
      plain('1', '/later') + plain('2') + plain('3', '/later') + odd('GET /now HTTP/1.1', FIELDS, '') + plain('5'),
    )
    expect(await answersTo(both.on, [bytes, LAST])).toEqual(await answersTo(both.off, [bytes, LAST]))
    expect(both.on.readBy).toEqual(['us', 'us', 'us', 'node:http', 'node:http', 'node:http'])
  })
})

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
const RUNS = LONG ? 5000 : 250

const header = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  fc.constantFrom(
    ...['authorization: Bearer k\r\n', 'Authorization:Bearer k \r\n', 'x-api-version: 2.1\r\n', 'x: \r\n', 'x:1\r\n'],
    ...['idempotency-key: 1\r\n', 'connection: keep-alive\r\n', 'accept: */*\r\n', 'content-type: text/plain\r\n'],
  ),
  fc.constantFrom(
    ...['transfer-encoding: chunked\r\n', 'content-length: 1\r\n', 'connection: close\r\n', 'x: \xe9\r\n', ' x: 1\r\n'],
    ...['expect: 100-continue\r\n', 'host: other\r\n', 'upgrade: x\r\n', 'te: trailers\r\n', 'x : 1\r\n', 'x: 1\n'],
  ),
)
const body = fc.oneof(
  fc.constantFrom('', '{}', 'é', '👍', '0\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n'),
  fc.string({ maxLength: 20 }),
)
const path = fc.constantFrom('/now', '/now?x=1', '/busy', '/')

/** Mostly as it is meant, with a strange line now and then. */
const request = fc
  .tuple(fc.constantFrom('POST', 'POST', 'POST', 'POST', 'GET'), path, fc.array(header, { maxLength: 3 }), body)
  .map(([method, where, fields, text]) =>
    Buffer.concat([
      latin1(
        odd(
          `${method} ${where} HTTP/1.1`,
          `${FIELDS}${fields.join('')}content-length: ${Buffer.byteLength(text)}\r\n`,
          '',
        ),
      ),
      Buffer.from(text),
    ]),
  )

const strange = fc.constantFrom(
  ...[
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    '\0',
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '+',
    '-',
    '0',
    '1',
    'x',
    '#',
    '\x7f',
    '\x80',
    '\xff',
  ],
)
const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })
/** Cuts out up to two bytes somewhere and puts something strange there. */
const damage = fc.tuple(place, fc.nat(2), fc.oneof(strange, fc.constant('')))

const damaged = fc
  .tuple(fc.array(request, { minLength: 1, maxLength: 3 }), fc.array(damage, { maxLength: 2 }))
  .map(([requests, damages]) =>
    damages.reduce((bytes, [where, length, put]) => {
      const at = Math.floor(where * bytes.length)
      return Buffer.concat([bytes.subarray(0, at), latin1(put), bytes.subarray(at + length)])
    }, Buffer.concat(requests)),
  )

// `node:http` forgets answers that have not left when something arrives that is no request, so what it answers depends on the
// cuts. Given one byte at a time it forgets nothing: that is what the fast path is held to, as far as it reads. From where it
// gives the connection away, `node:http` gets the same pieces in both; it may still forget more in one than in the other.
test('whatever the bytes and however they are cut, the answers and the end are the same', {
  timeout: LONG ? 1_200_000 : 60_000,
}, async () => {
  const seen = { ours: 0, same: 0 }
  await fc.assert(
    fc.asyncProperty(damaged, fc.array(place, { maxLength: 4 }), async (bytes, cuts) => {
      both.on.readBy.length = 0
      const all = Buffer.concat([bytes, LAST])
      const places = [...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length]
      const fast = await answersTo(both.on, cutAt(all, places))
      const count = both.on.readBy.filter((who) => who === 'us').length
      const from = endOf(all, count)
      const rest = places.map((at) => at - from)
      const slow = await answersTo(both.off, [...singly(all.subarray(0, from)), ...cutAt(all.subarray(from), rest)])
      expect(fast.slice(0, count)).toEqual(slow.slice(0, count))
      expect(fast.at(-1)).toEqual(slow.at(-1))
      if (!isBroken(slow)) expect(fast).toEqual(slow)
      seen.ours += count
      if (fast.length === slow.length) seen.same++
    }),
    { numRuns: RUNS },
  )
  // Otherwise the bytes were too strange for the fast path to be tried at all, or for the answers to be the same.
  expect(seen.ours).toBeGreaterThan(RUNS / 3)
  expect(seen.same).toBeGreaterThan(RUNS * 0.8)
})

/** Whether the last answer is that of `node:http` to what is no request. */
function isBroken(answers: readonly string[]): boolean {
  return answers.at(-1)?.startsWith('4') === true && !answers.at(-1)?.includes('content-length')
}

/** Where the first `count` requests end, which are plain. */
function endOf(bytes: Buffer, count: number): number {
  let at = 0
  for (let i = 0; i < count; i++) {
    const body = bytes.indexOf('\r\n\r\n', at) + 4
    at = body + Number(/^content-length:\s*(\d+)/im.exec(bytes.toString('latin1', at, body))?.[1])
  }
  return at
}

const proper = fc
  .array(
    fc.oneof(
      fc.tuple(fc.constantFrom('/now', '/later', '/busy', '/large'), body).map(([where, text]) => plain(text, where)),
      fc
        .tuple(fc.constantFrom('/now', '/later'), fc.integer({ min: 0, max: 150_000 }))
        .map(([where, length]) => plain('é'.repeat(length), where)),
      fc.constantFrom('/now', '/later').map((where) => odd(`GET ${where} HTTP/1.1`, FIELDS, '')),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((requests) => Buffer.from(requests.join('')))

test('requests that are sent ahead are answered in their order, however they are cut', {
  timeout: LONG ? 600_000 : 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(proper, fc.array(place, { maxLength: 8 }), async (bytes, cuts) => {
      const pieces = [
        ...cutAt(
          bytes,
          cuts.map((cut) => Math.floor(cut * bytes.length)),
        ),
        LAST,
      ]
      const [fast, slow] = await Promise.all([answersTo(both.on, pieces), answersTo(both.off, pieces)])
      expect(fast).toEqual(slow)
    }),
    { numRuns: LONG ? 1000 : 60 },
  )
})

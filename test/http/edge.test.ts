import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ENVIRONMENTS, type Environment } from '../../src/domain/customer.ts'
import { allBalances, entitiesOf } from '../../src/domain/holdings.ts'
import { MAX_BODY_BYTES } from '../../src/http/app.ts'
import { findRoute, ROUTES } from '../../src/http/routes.ts'
import { type RunningServer, serveHttp } from '../../src/http/server.ts'
import { expectLedgerToAddUp } from '../ledger.ts'
import { LIVE_KEY, openWorld, SANDBOX_KEY, type World } from '../world.ts'
import { steps } from './hostile.ts'
import { head, type RawReply, Wire } from './socket.ts'

let world: World
let server: RunningServer

/** For each test of the group: the application of the test world behind a socket, with something in it. */
function serving(store: 'memory' | 'sqlite' = 'memory'): void {
  beforeEach(async () => {
    world = await openWorld({ store })
    server = await serveHttp(world.handle, '127.0.0.1', 0)
    await furnish(world)
  })
  afterEach(async () => {
    await server.stop(0)
    await world.close()
  })
}

async function furnish({ ok }: World): Promise<void> {
  await ok('features.create', {
    feature_id: 'messages',
    name: 'Messages',
    type: 'metered',
    consumable: true,
    event_names: ['sent'],
  })
  await ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
  await ok('features.create', { feature_id: 'sso', name: 'Single sign-on', type: 'boolean' })
  const credit_schema = [{ metered_feature_id: 'messages', credit_cost: 0.2 }]
  await ok('features.create', { feature_id: 'credits', name: 'Credits', type: 'credit_system', credit_schema })
  for (const customer_id of ['alice', 'bob']) {
    await ok('customers.get_or_create', { customer_id })
    await ok('balances.create', { customer_id, feature_id: 'messages', included: 1000 })
  }
}

const AUTHORIZED = { authorization: `Bearer ${SANDBOX_KEY}`, 'content-type': 'application/json' }

interface Given {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

/** One request over a connection of its own, as bytes. */
async function send(path: string, { method = 'POST', headers = AUTHORIZED, body = '' }: Given = {}): Promise<RawReply> {
  const wire = await Wire.open(server.url)
  try {
    const length: Record<string, number> = body.length === 0 ? {} : { 'content-length': Buffer.byteLength(body) }
    wire.send(head(path, { ...headers, ...length }, method), body)
    return await wire.reply()
  } finally {
    wire.close()
  }
}

const post = (operation: string, body: unknown, headers: Record<string, string> = {}) =>
  send(`/v1/${operation}`, {
    headers: { ...AUTHORIZED, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

/** An error as it is meant to look, and one that was foreseen. */
function expectProblem(reply: RawReply, status: number, code: string, message?: RegExp, env = 'sandbox') {
  expect(reply.body).toEqual({ message: expect.any(String), code, env })
  expect(reply.status).toBe(status)
  if (message !== undefined) expect(reply.body.message).toMatch(message)
  expect(reply.headers['content-type']).toBe('application/json')
  expectNoInsides(reply.body.message)
  expect(world.faults).toEqual([])
}

function expectNoInsides(message: string): void {
  expect(message).not.toMatch(/\bat [^\n]*[\w.]+:\d+:\d+|node:internal|[\w-]+\.[jt]s:\d+|node_modules/)
}

describe('the key', () => {
  serving()

  const refused: [string, Record<string, string>, string][] = [
    ['is missing', {}, 'no_secret_key'],
    ['comes with another scheme', { authorization: `Basic ${SANDBOX_KEY}` }, 'no_secret_key'],
    ['comes without a scheme', { authorization: SANDBOX_KEY }, 'no_secret_key'],
    ['is empty', { authorization: 'Bearer ' }, 'no_secret_key'],
    ['begins with something else', { authorization: 'Bearer sk_test_abc' }, 'invalid_request'],
    ['is not a key at all', { authorization: 'Bearer x' }, 'invalid_request'],
    ['is of an unknown environment', { authorization: 'Bearer am_sk_prod_abc' }, 'invalid_request'],
    ['is a sandbox key that nobody made', { authorization: 'Bearer am_sk_test_nobody_made_it' }, 'invalid_secret_key'],
    ['is a live key that nobody made', { authorization: 'Bearer am_sk_live_nobody_made_it' }, 'invalid_secret_key'],
    ['is a valid one cut short', { authorization: `Bearer ${SANDBOX_KEY.slice(0, -1)}` }, 'invalid_secret_key'],
    ['is a valid one in capitals', { authorization: `Bearer ${SANDBOX_KEY.toUpperCase()}` }, 'invalid_request'],
    ['is publishable', { authorization: 'Bearer am_pk_test_abc' }, 'invalid_publishable_key'],
    ['is publishable and live', { authorization: 'Bearer am_pk_live_abc' }, 'invalid_publishable_key'],
  ]
  test.each(refused)('%s', async (_, headers, code) => {
    const reply = await send('/v1/features.list', { headers })
    // What the key would open, if it were valid.
    const env = headers['authorization']?.includes('_live_') ? 'live' : 'sandbox'
    expectProblem(reply, 401, code, undefined, env)
  })

  test('that is refused is not repeated as a whole', async () => {
    const reply = await send('/v1/features.list', { headers: { authorization: 'Bearer am_sk_test_confidential' } })
    expect(reply.text).not.toContain('confidential')
  })

  test('says in which environment an error happened', async () => {
    const body = JSON.stringify({ customer_id: 'nobody' })
    for (const [key, env] of [
      [SANDBOX_KEY, 'sandbox'],
      [LIVE_KEY, 'live'],
    ]) {
      const reply = await send('/v1/customers.get', { headers: { authorization: `bearer ${key}` }, body })
      expectProblem(reply, 404, 'customer_not_found', /nobody/, env)
    }
  })
})

describe('a request', () => {
  serving()

  test('may have no body and no content type where no field is needed', async () => {
    const { authorization } = AUTHORIZED
    for (const given of [
      { headers: { authorization } },
      { headers: { authorization, 'content-length': '0' } },
      { headers: { authorization }, body: '{}' },
      { headers: { authorization, 'content-type': 'text/plain' }, body: ' {} \r\n\t' },
    ]) {
      const reply = await send('/v1/features.list', given)
      expect(reply.status).toBe(200)
      expect(reply.body.list).toHaveLength(4)
    }
    expectProblem(await send('/v1/customers.get', { headers: { authorization } }), 400, 'invalid_inputs', /customer_id/)
  })

  test('to an unknown path finds nothing, whoever asks', async () => {
    const paths = ['/', '/v1', '/v1/', '/v1/feature', '/v1/features.list/', '/v2/features.list', '/V1/features.list']
    const nearly = ['/v1/features/', '/v1/features/messages/', '/v1/customers/alice/seats', '/v1/customers//entities']
    const encoded = [
      '/v1/%66eatures.list',
      '/v1/%66eatures',
      '/v1/customers/%',
      '/v1/customers/%zz',
      '/v1/customers/%ff',
    ]
    for (const path of [...paths, ...nearly, ...encoded, '/v1/features.LIST', '//v1/features.list', '/__proto__'])
      expectProblem(await send(path), 404, 'route_not_found')
    const long = await send(`/${'x'.repeat(4000)}`, { method: 'GET', headers: {} })
    expectProblem(long, 404, 'route_not_found')
  })

  test('with another method is told which ones there are', async () => {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const reply = await send('/v1/features.list', { method })
      expectProblem(reply, 405, 'method_not_allowed', /POST/)
      expect(reply.headers['allow']).toBe('POST')
    }
    const health = await send('/health')
    expectProblem(health, 405, 'method_not_allowed', /GET/)
    expect(health.headers['allow']).toBe('GET')
  })

  const methods: [string, string[]][] = [
    ['/v1/customers', ['GET', 'POST']],
    ['/v1/customers/list', ['DELETE', 'GET', 'PATCH', 'POST']],
    ['/v1/customers/alice', ['DELETE', 'GET', 'PATCH', 'POST']],
    ['/v1/customers/alice/balances', ['POST']],
    ['/v1/customers/alice/entities', ['GET', 'POST']],
    ['/v1/customers/alice/entities/e1', ['DELETE', 'GET']],
    ['/v1/features', ['GET', 'POST']],
    ['/v1/features/messages', ['DELETE', 'GET', 'POST']],
    ['/v1/balances/list', ['GET']],
    ['/v1/balances/create', ['POST']],
    ['/v1/usage', ['POST']],
  ]
  test.each(methods)('with a method that %s does not know is told %j', async (path, allowed) => {
    const reply = await send(path, { method: 'PUT' })
    expectProblem(reply, 405, 'method_not_allowed', /PUT/)
    expect(reply.headers['allow']?.split(', ').toSorted()).toEqual(allowed)
  })

  test('may carry a query; what nobody knows in it says nothing', async () => {
    for (const query of ['x=1&y=%2F', '', '?', '&&=&', '%zz=%', '__proto__=1&constructor=2'])
      expect((await send(`/v1/features.list?${query}`)).body.list).toHaveLength(4)
  })
})

describe('a body that is not JSON', () => {
  serving()

  const bodies: [string, string, string][] = [
    ['is cut off in an object', '{"customer_id": "alice"', 'the end of the body at line 1, column 24'],
    ['is cut off in a text', '{"customer_id": "ali', '"\\"" at line 1, column 17'],
    ['is cut off after a colon', '{"customer_id":', 'the end of the body at line 1, column 16'],
    ['is cut off in a word', '{"a": tru', '"t" at line 1, column 7'],
    ['is only space', '  \n ', 'the end of the body at line 2, column 2'],
    ['goes on after its end', '{"customer_id": "alice"} x', '"x" at line 1, column 26'],
    ['is two objects', '{}\n{}', '"{" at line 2, column 1'],
    ['has single quotes', "{'customer_id': 'alice'}", '"\'" at line 1, column 2'],
    ['has a name without quotes', '{customer_id: "alice"}', '"c" at line 1, column 2'],
    ['has a comma too many', '{\n  "customer_id": "alice",\n}', '"}" at line 3, column 1'],
    ['has a comma too few', '{"a": 1 "b": 2}', '"\\"" at line 1, column 9'],
    ['closes with the wrong bracket', '{"a": [1, 2}', '"}" at line 1, column 12'],
    ['has a number with a leading zero', '{"value": 01}', '"1" at line 1, column 12'],
    ['has a number that begins with a point', '{"value": .5}', '"." at line 1, column 11'],
    ['says NaN', '{"value": NaN}', '"N" at line 1, column 11'],
    ['says undefined', '{"value": undefined}', '"u" at line 1, column 11'],
    ['has a comment', '{} // nothing', '"/" at line 1, column 4'],
    ['has a line break in a text', '{"name": "a\nb"}', '"\\"" at line 1, column 10'],
    ['has an unknown escape', '{"name": "\\x41"}', '"\\"" at line 1, column 10'],
    ['begins with a byte order mark', '\ufeff{}', '"\ufeff" at line 1, column 1'],
    ['has a space that JSON does not know', '{"value":\u00a01}', '"\u00a0" at line 1, column 10'],
    ['is a form', 'customer_id=alice', '"c" at line 1, column 1'],
  ]
  test.each(bodies)('because it %s', async (_, body, place) => {
    expect(() => JSON.parse(body)).toThrow(SyntaxError)
    const reply = await post('customers.get', body)
    expectProblem(reply, 400, 'invalid_inputs')
    expect(reply.body.message).toBe(`body: not valid JSON: unexpected ${place}`)
  })

  const deep = 100_000
  const hostile: [string, string][] = [
    ['opens 100,000 brackets', '['.repeat(deep)],
    ['opens 100,000 objects', '{"a":'.repeat(deep)],
    ['closes them with the wrong one at the end', `${'['.repeat(deep)}${']'.repeat(deep - 1)}}`],
    ['is one long text without an end', `{"name": "${'a'.repeat(1_000_000)}`],
    ['is one long text of escapes without an end', `{"name": "${'\\n'.repeat(500_000)}`],
    ['is one long number with a letter at its end', `[${'1'.repeat(1_000_000)}x`],
    ['is one long run of spaces', ' '.repeat(1_000_000)],
    ['has a million line breaks', `[${'\n'.repeat(1_000_000)}`],
  ]
  test.each(hostile)('because it %s', async (_, body) => {
    expectProblem(
      await post('customers.get', body),
      400,
      'invalid_inputs',
      /^body: not valid JSON: .*line \d+, column \d+$/,
    )
  })

  test('because its bytes are no UTF-8 names nobody', async () => {
    const bytes = Buffer.concat([Buffer.from('{"customer_id": "nobody'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])
    const reply = await send('/v1/customers.get', { body: bytes })
    // 400 would do as well; a customer of a mangled name would not.
    expect([400, 404]).toContain(reply.status)
    expectProblem(reply, reply.status, reply.status === 400 ? 'invalid_inputs' : 'customer_not_found')
  })
})

describe('a body that is JSON and yet no object', () => {
  serving()

  test.each(['null', 'true', '1', '"{}"', '[]', '[{"customer_id":"alice"}]'])('%s', async (body) => {
    for (const version of ['2.4', '2.2', '2.1', '2.0', '1.2']) {
      for (const operation of [
        'features.list',
        'customers.list',
        'entities.get',
        'customers.get',
        'events.list',
        'balances.check',
        'balances.track',
      ]) {
        const reply = await post(operation, body, { 'x-api-version': version })
        expectProblem(reply, 400, 'invalid_inputs', /^input: must be an object/)
      }
    }
  })

  test.each(['null', 'true', '1', '"{}"', '[]', '[{"name":"Alice"}]'])('%s, on the older surface', async (body) => {
    const name = async () => (await post('customers.get', { customer_id: 'alice' })).body.name
    for (const [method, path] of [
      ['GET', '/v1/customers/alice'],
      ['POST', '/v1/customers/alice'],
      ['PATCH', '/v1/customers/alice'],
      ['DELETE', '/v1/customers/alice'],
      ['POST', '/v1/customers'],
      ['POST', '/v1/customers/alice/balances'],
      ['POST', '/v1/features'],
    ] as const) {
      expectProblem(await send(path, { method, body }), 400, 'invalid_inputs', /^input: must be an object/)
      expect(await name()).toBeNull()
    }
  })
})

describe('nesting', () => {
  serving()

  const levels = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
  const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`

  test.each([1_000, 100_000])('of %d levels is refused where a value is kept', async (depth) => {
    for (const nested of [levels(depth), objects(depth)]) {
      const reply = await post('customers.update', `{"customer_id": "alice", "metadata": {"deep": ${nested}}}`)
      expectProblem(reply, 400, 'invalid_inputs', /nested deeper than \d+ levels/)
    }
  })

  test('is kept as long as it is reasonable', async () => {
    const metadata = JSON.parse(`{"deep": ${levels(31)}}`)
    const reply = await post('customers.update', { customer_id: 'alice', metadata })
    expect(reply.status).toBe(200)
    expect(reply.body.metadata.deep).toEqual(metadata.deep)
  })

  test.each([1_000, 100_000])('of %d levels as the whole body is no object', async (depth) => {
    expectProblem(await post('customers.get', levels(depth)), 400, 'invalid_inputs')
    expectProblem(await post('customers.get', objects(depth)), 400, 'invalid_inputs')
  })

  test.each([1_000, 100_000])('of %d levels does no harm in a field that nobody looks at', async (depth) => {
    for (const field of ['unheard_of', 'config']) {
      for (const nested of [levels(depth), objects(depth)]) {
        const body = `{"customer_id": "alice", "${field}": ${nested}}`
        for (const headers of [{}, { 'idempotency-key': `${field} ${depth}` }]) {
          const reply = await post('customers.update', body, headers)
          expectProblem(reply, 400, 'invalid_inputs', /nested deeper than \d+ levels/)
        }
      }
    }
  })
})

describe('the size of a body', () => {
  serving()

  const bodyOf = (size: number) => `{}${' '.repeat(size - 2)}`
  const chunked = (text: string) => {
    const half = text.length >> 1
    const parts = [text.slice(0, half), text.slice(half)]
    return `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`
  }
  const asked = async (body: string, headers: Record<string, string | number>) => {
    const wire = await Wire.open(server.url)
    wire.send(head('/v1/features.list', { ...AUTHORIZED, ...headers }), body)
    return wire
  }

  test('may be a megabyte, however it is sent', async () => {
    const body = bodyOf(MAX_BODY_BYTES)
    for (const wire of [
      await asked(body, { 'content-length': body.length }),
      await asked(chunked(body), { 'transfer-encoding': 'chunked' }),
    ]) {
      const reply = await wire.reply()
      expect(reply.status).toBe(200)
      expect(reply.headers['connection']).toBe('keep-alive')
      wire.close()
    }
  })

  test.each([MAX_BODY_BYTES + 1, 2 * MAX_BODY_BYTES])(
    'of %d bytes is refused, and the connection closed',
    async (size) => {
      const body = bodyOf(size)
      for (let i = 0; i < 5; i++) {
        for (const wire of [
          await asked(body, { 'content-length': size }),
          await asked(chunked(body), { 'transfer-encoding': 'chunked' }),
        ]) {
          const reply = await wire.reply()
          expectProblem(reply, 413, 'body_too_large', /1048576 bytes/)
          expect(reply.headers['connection']).toBe('close')
          await wire.closed
        }
      }
    },
  )

  test('may be four megabytes where many items are sent at once', async () => {
    const least = JSON.stringify([{ customer_id: 'nobody', feature_id: 'messages' }])
    const most = 4 * MAX_BODY_BYTES
    for (const [size, status] of [
      [most, 202],
      [most + 1, 413],
    ] as const) {
      const body = least.padEnd(size)
      for (const [text, headers] of [
        [body, { 'content-length': size }],
        [chunked(body), { 'transfer-encoding': 'chunked' }],
      ] as const) {
        const wire = await Wire.open(server.url)
        wire.send(head('/v1/balances.batch_track', { ...AUTHORIZED, ...headers }), text)
        const reply = await wire.reply()
        if (status === 202) expect([reply.status, reply.body.results[0].code]).toEqual([202, 'customer_not_found'])
        else expectProblem(reply, 413, 'body_too_large', /4194304 bytes/)
        wire.close()
      }
    }
  })

  test('that only its first bytes show is refused as soon as it is too large', async () => {
    const wire = await asked(bodyOf(MAX_BODY_BYTES + 1), { 'content-length': 1_000_000_000 })
    expectProblem(await wire.reply(), 413, 'body_too_large')
    wire.close()
  })
})

describe('a field of the wrong type is named', () => {
  serving()

  const alice = { customer_id: 'alice', feature_id: 'messages' }
  const cases: [string, string, unknown, RegExp][] = [
    ['customers.get', 'customer_id', { customer_id: 5 }, /^customer_id: must be a string \(received number\)$/],
    ['customers.get', 'customer_id', {}, /^customer_id: must be a string \(received undefined\)$/],
    ['customers.get', 'customer_id', { customer_id: '' }, /^customer_id: cannot be empty$/],
    ['customers.get', 'customer_id', { customer_id: 'x'.repeat(257) }, /^customer_id: must be at most 256/],
    ['customers.get', 'expand', { customer_id: 'alice', expand: ['nonsense'] }, /^expand\.0: must be one of: invoices/],
    ['customers.get', 'expand', { customer_id: 'alice', expand: 7 }, /^expand: must be an array \(received number\)$/],
    ['customers.get_or_create', 'customer_id', { customer_id: 'no spaces' }, /^customer_id: can only contain/],
    ['customers.update', 'name', { customer_id: 'alice', name: 5 }, /^name: must be a string \(received number\)$/],
    ['customers.update', 'email', { customer_id: 'alice', email: 'nowhere' }, /^email: must be an email/],
    ['customers.update', 'metadata', { customer_id: 'alice', metadata: [] }, /^metadata: must be an object .*array/],
    [
      'customers.update',
      'send_email_receipts',
      { customer_id: 'alice', send_email_receipts: 'yes' },
      /^send_email_receipts: must be a boolean \(received string\)$/,
    ],
    ['balances.check', 'required_balance', { ...alice, required_balance: null }, /^required_balance: .*received null/],
    ['balances.check', 'send_event', { ...alice, send_event: 1 }, /^send_event: must be a boolean/],
    ['balances.track', 'value', { ...alice, value: 'many' }, /^value: must be a number/],
    ['balances.track', 'value', { ...alice, value: 1e16 }, /^value: must be between -1000000000000000 and/],
    ['balances.track', 'value', { ...alice, value: [1] }, /^value: must be a number \(received array\)$/],
    ['balances.track', 'timestamp', { ...alice, timestamp: '2026-01-01' }, /^timestamp: must be a number/],
    ['balances.track', 'timestamp', { ...alice, timestamp: 1.5 }, /^timestamp: must be a whole number/],
    [
      'balances.track',
      'overage_behavior',
      { ...alice, overage_behavior: 'x' },
      /^overage_behavior: must be one of: cap/,
    ],
    ['balances.track', 'idempotency_key', { ...alice, idempotency_key: 5 }, /^idempotency_key: must be a string/],
    ['balances.create', 'reset', { ...alice, included: 1, reset: 'month' }, /^reset: must be an object/],
    [
      'balances.create',
      'reset.interval',
      { ...alice, included: 1, reset: {} },
      /^reset\.interval: must be one of: one_off/,
    ],
    [
      'balances.create',
      'reset.interval_count',
      { ...alice, included: 1, reset: { interval: 'month', interval_count: 'two' } },
      /^reset\.interval_count: must be a number \(received string\)$/,
    ],
    [
      'balances.create',
      'reset.interval_count',
      { ...alice, included: 1, reset: { interval: 'month', interval_count: 0 } },
      /^reset\.interval_count: must be a whole number/,
    ],
    [
      'balances.create',
      'rollover.max',
      { ...alice, included: 1, reset: { interval: 'month' }, rollover: { max: {}, length: 1 } },
      /^rollover\.max: must be a number \(received object\)$/,
    ],
    [
      'features.create',
      'credit_schema.1.credit_cost',
      {
        feature_id: 'c',
        name: 'C',
        type: 'credit_system',
        credit_schema: [
          { metered_feature_id: 'messages', credit_cost: 1 },
          { metered_feature_id: 'seats', credit_cost: true },
        ],
      },
      /^credit_schema\.1\.credit_cost: must be a number \(received boolean\)$/,
    ],
    [
      'features.create',
      'display.singular',
      { feature_id: 'c', name: 'C', type: 'metered', display: { singular: 1 } },
      /^display\.singular: must be a string \(received number\)$/,
    ],
    ['events.list', 'limit', { limit: '10' }, /^limit: must be a number \(received string\)$/],
    ['events.list', 'limit', { limit: 0 }, /^limit: must be 1 or more$/],
    ['events.list', 'custom_range.start', { custom_range: { start: 'now' } }, /^custom_range\.start: must be a number/],
  ]
  test.each(cases)('%s: %s', async (operation, _, body, message) => {
    expectProblem(await post(operation, body), 400, 'invalid_inputs', message)
  })

  test('each of them, when there are several', async () => {
    const reply = await post('balances.track', { customer_id: 1, feature_id: 2, value: 'x' })
    expectProblem(reply, 400, 'invalid_inputs', /^\[Validation Errors\] customer_id: .*; feature_id: .*; value: /)
  })
})

describe('what a later version understands', () => {
  serving()

  const check = { customer_id: 'alice', feature_id: 'messages' }
  let counter = 0
  const unused = () => `later-${counter++}`
  const seat = () => ({ entity_id: unused(), feature_id: 'seats' })
  const alice = { customer_id: 'alice' }
  const asking: [string, string, (value: unknown) => unknown][] = [
    ['balances.track', 'currency', (currency) => ({ ...check, value: 0, customer_data: { currency } })],
    ['customers.update', 'billing_controls', (billing_controls) => ({ ...alice, billing_controls })],
    [
      'customers.update',
      'config.disable_overage_billing',
      (disable_overage_billing) => ({ ...alice, config: { disable_overage_billing } }),
    ],
    [
      'customers.get_or_create',
      'entity_data.billing_controls',
      (billing_controls) => ({ ...alice, entity_data: { billing_controls } }),
    ],
    ['customers.get_or_create', 'currency', (currency) => ({ ...alice, currency })],
    ['customers.get_or_create', 'create_in_stripe', (create_in_stripe) => ({ ...alice, create_in_stripe })],
    ['customers.list', 'processors', (processors) => ({ processors })],
    ['entities.create', 'billing_controls', (billing_controls) => ({ ...alice, ...seat(), billing_controls })],
    [
      'entities.create',
      'billing_controls',
      (billing_controls) => ({ ...alice, entities: [{ ...seat(), billing_controls }] }),
    ],
    ['features.update', 'invoice_credit', (invoice_credit) => ({ feature_id: 'messages', invoice_credit })],
  ]
  test.each(asking)('%s: %s is refused, unless it asks for nothing', async (operation, field, bodyWith) => {
    for (const version of ['2.4', '2.1', '1.2']) {
      for (const value of [true, 1, 0, 'x', { enabled: true }, [1], { deep: { er: [{ value: 'x' }] } }]) {
        const reply = await post(operation, bodyWith(value), { 'x-api-version': version })
        expectProblem(reply, 400, 'not_supported', new RegExp(`${field} is not supported`))
      }
      for (const value of [undefined, null, false, {}, [], { enabled: false }, { a: null, b: [], c: [{}] }]) {
        expect((await post(operation, bodyWith(value), { 'x-api-version': version })).status).toBe(200)
      }
    }
  })

  test('to delete more is refused, and nothing is deleted', async () => {
    const stripe = { customer_id: 'alice', delete_in_stripe: true }
    expectProblem(await post('customers.delete', stripe), 400, 'not_supported', /^delete_in_stripe/)
    const query = await send('/v1/customers/alice?delete_in_stripe=true', { method: 'DELETE' })
    expectProblem(query, 400, 'not_supported', /^delete_in_stripe/)
    expect((await post('balances.check', check)).body.balance.remaining).toBe(1000)
    const kept = await send('/v1/customers/alice?delete_in_stripe=false', { method: 'DELETE' })
    expect(kept.body).toEqual({ success: true })
  })

  test('whose use is to be kept by a deletion has to be said, and nothing is deleted', async () => {
    const keeping = { customer_id: 'alice', recalculate_balances: true, balance_id: 'kept' }
    await post('balances.create', { ...check, included_grant: 5, balance_id: 'kept' })
    expectProblem(
      await post('balances.delete', keeping),
      400,
      'invalid_request',
      /^recalculate_balances needs feature_id/,
    )
    for (const recalculate_balances of ['true', 1, [], {}])
      expectProblem(await post('balances.delete', { ...keeping, recalculate_balances }), 400, 'invalid_inputs')
    expect((await post('balances.check', check)).body.balance.remaining).toBe(1005)
    expect((await post('balances.delete', { ...keeping, recalculate_balances: false })).body).toEqual({ success: true })
    expect((await post('balances.check', check)).body.balance.remaining).toBe(1000)
  })
})

describe('x-api-version', () => {
  serving()

  const numbers = ['1.2', '1.2.0', '2', '2.0', '2.0.0', '2.1', '2.1.0', '2.2', '2.3.0', '2.4.0', '2.4', ' 2.2 ', '']
  const names = ['beta', '1.4', '2025-05-05', '2025-06-01', '2026-03-16', '2026-03-17', '2026-05-13']
  test.each([...numbers, ...names])('"%s" is served', async (version) => {
    const reply = await post('customers.get', { customer_id: 'alice' }, { 'x-api-version': version })
    expect(reply.status).toBe(200)
    expect(reply.body.id).toBe('alice')
  })

  test('makes a difference: its spellings mean the same, and 2.2 differs from 2.3', async () => {
    const shapes = new Map<string, unknown>()
    for (const version of ['2.2', '2.2.0', '2026-03-18', '2.3', '2.3.0', '2026-05-13']) {
      const reply = await post('events.list', {}, { 'x-api-version': version })
      shapes.set(version, Object.keys(reply.body).toSorted())
    }
    for (const same of ['2.2.0', '2026-03-18']) expect(shapes.get(same)).toEqual(shapes.get('2.2'))
    for (const same of ['2.3.0', '2026-05-13']) expect(shapes.get(same)).toEqual(shapes.get('2.3'))
    expect(shapes.get('2.2')).toEqual(['has_more', 'limit', 'list', 'offset', 'total'])
    expect(shapes.get('2.3')).toEqual(['list', 'next_cursor'])
  })

  test('older ones say the same in their own words', async () => {
    const messages = async (version: string) =>
      (await post('balances.check', { customer_id: 'alice', feature_id: 'messages' }, { 'x-api-version': version }))
        .body
    for (const version of ['2.4', '2.3', '2.2', '2.1'])
      expect((await messages(version)).balance).toMatchObject({ granted: 1000, remaining: 1000 })
    for (const version of ['2.0', '2026-03-16'])
      expect((await messages(version)).balance).toMatchObject({ granted_balance: 1000, current_balance: 1000 })
    for (const version of ['beta', '1.2', '2025-05-05'])
      expect(await messages(version)).toMatchObject({ included_usage: 1000, balance: 1000 })
  })

  const versions = /1\.2, beta, 2\.0, 2\.1, 2\.2, 2\.3, 2\.4/
  test.each(['1', '1.1', '1.1.0', '0.2', '0.1', '2025-04-17', '2025-04-01', '2025-02-01'])(
    '"%s" is known and not served',
    async (version) => {
      const reply = await post('features.list', {}, { 'x-api-version': version })
      expectProblem(reply, 400, 'not_supported', versions)
    },
  )

  test.each([
    '9.9.9',
    '2.5',
    '2.4.1',
    '2,4',
    'v2.4',
    'latest',
    '-1',
    '2026-05-14',
    '__proto__',
    'constructor',
    'toString',
  ])('"%s" is unknown', async (version) => {
    const reply = await post('features.list', {}, { 'x-api-version': version })
    expectProblem(reply, 400, 'invalid_api_version', versions)
    expect(reply.body.message).toContain(version)
  })

  test('comes after the key: without one, nothing is said about it', async () => {
    const reply = await send('/v1/features.list', { headers: { 'x-api-version': '9.9.9' } })
    expectProblem(reply, 401, 'no_secret_key')
  })
})

describe('the older surface', () => {
  serving()

  const read = async (path: string, headers: Record<string, string> = {}) =>
    send(path, { method: 'GET', headers: { ...AUTHORIZED, ...headers } })

  test('decodes the parts of a path', async () => {
    expect((await read('/v1/customers/%61lice')).body.id).toBe('alice')
    await post('customers.get_or_create', { customer_id: 'a:b' })
    for (const path of ['/v1/customers/a:b', '/v1/customers/a%3Ab']) expect((await read(path)).body.id).toBe('a:b')
    // Decoded once: no id holds a percent sign, and an encoded slash ends no part.
    for (const path of ['/v1/customers/a%253Ab', '/v1/customers/alice%2Fentities'])
      expectProblem(await read(path), 404, 'customer_not_found')
    expectProblem(await read('/v1/features/../customers/alice'), 404, 'route_not_found')
  })

  test('finds an entity by any id, as it is in a path', async () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 })
    const id = text.filter((one) => one.isWellFormed() && !one.includes('\u0000'))
    await fc.assert(
      fc.asyncProperty(id, async (one) => {
        const created = await post('entities.create', { customer_id: 'alice', entity_id: one, feature_id: 'seats' })
        expect([200, 409]).toContain(created.status)
        const path = `/v1/customers/alice/entities/${encodeURIComponent(one)}`
        expect((await read(path)).body).toMatchObject({ id: one, customer_id: 'alice' })
        expect((await send(path, { method: 'DELETE' })).body).toEqual({ success: true })
        expectProblem(await read(path), 404, 'entity_not_found')
      }),
      { numRuns: 100 },
    )
  })

  test('refuses a part that cannot be an id', async () => {
    for (const part of ['%00', 'x'.repeat(257), '%E2%82%AC'.repeat(257)])
      expectProblem(await read(`/v1/customers/${part}`), 400, 'invalid_inputs', /^customer_id: must/)
  })

  test('lets the path win over the body, and the body over the query', async () => {
    const body = JSON.stringify({ customer_id: 'bob', name: 'Body' })
    const renamed = await send('/v1/customers/alice?customer_id=bob&name=Query', { body })
    expect(renamed.body).toMatchObject({ id: 'alice', name: 'Body' })
    expect((await read('/v1/customers/bob')).body.name).toBeNull()
  })

  test('takes what to expand from the query, unless the body says it', async () => {
    const keys = async (path: string, body = '', method = 'GET') =>
      Object.keys((await send(path, { method, body })).body)
    expect(await keys('/v1/customers/alice')).not.toContain('invoices')
    expect(await keys('/v1/customers/alice?expand=invoices,entities')).toEqual(
      expect.arrayContaining(['invoices', 'entities']),
    )
    for (const [path, body] of [
      ['/v1/customers/alice', {}],
      ['/v1/customers.get', { customer_id: 'alice' }],
    ] as const) {
      expect(await keys(`${path}?expand=invoices`, JSON.stringify(body), 'POST')).toContain('invoices')
      const both = await keys(`${path}?expand=invoices`, JSON.stringify({ ...body, expand: ['entities'] }), 'POST')
      expect([both.includes('invoices'), both.includes('entities')]).toEqual([false, true])
    }
    expectProblem(await read('/v1/customers/alice?expand=nonsense'), 400, 'invalid_inputs', /^expand\.0/)
  })

  // B6.
  test('takes the same name several times in the query as a list', async () => {
    const { body } = await read('/v1/customers/alice?expand=invoices&expand=entities')
    expect(Object.keys(body)).toEqual(expect.arrayContaining(['invoices', 'entities']))
  })

  test('takes the size and the place of a page from the query', async () => {
    const first = (await read('/v1/customers?limit=1')).body
    expect(first.list).toMatchObject([{ id: 'bob' }])
    const second = (await read(`/v1/customers?limit=1&start_cursor=${encodeURIComponent(first.next_cursor)}`)).body
    expect(second).toMatchObject({ list: [{ id: 'alice' }], next_cursor: null })
    const older = (await read('/v1/customers?limit=1&offset=1', { 'x-api-version': '1.2' })).body
    expect(older).toMatchObject({ list: [{ id: 'alice' }], offset: 1, limit: 1, has_more: false, total_count: 2 })
    for (const limit of ['0', '-1', '1.5', 'x', '', '1e3', '99999999999999999999'])
      expectProblem(await read(`/v1/customers?limit=${limit}`), 400, 'invalid_inputs', /^limit: must be/)
  })

  test('takes a list of entities, and numbers as their ids', async () => {
    const entities = [
      { id: 7, feature_id: 'seats' },
      { id: 'desk', feature_id: 'seats', name: 'Desk' },
    ]
    const path = '/v1/customers/alice/entities'
    const several = await send(path, { body: JSON.stringify(entities) })
    expect(several.body.list).toMatchObject([
      { id: '7', name: null },
      { id: 'desk', name: 'Desk' },
    ])
    const one = await send(path, { body: JSON.stringify([{ id: 8, feature_id: 'seats' }]) })
    expect(one.body).toMatchObject({ id: '8', customer_id: 'alice' })
    expect((await read(`${path}/7`)).body.id).toBe('7')
    expect((await read(path)).body.list.map(({ id }: { id: string }) => id)).toEqual(['8', 'desk', '7'])
    for (const body of ['[]', '[5]', '[null]', '[[]]'])
      expectProblem(await send(path, { body }), 400, 'invalid_inputs', /entities/)
  })

  test('calls the new id of something its id', async () => {
    const made = await send('/v1/features', { body: '{"id": "calls", "type": "metered", "consumable": true}' })
    expect(made.body).toMatchObject({ id: 'calls', name: 'calls' })
    expect((await send('/v1/features/calls', { body: '{"id": "rings"}' })).body.id).toBe('rings')
    expect((await send('/v1/customers', { body: '{"id": "carol"}' })).body.id).toBe('carol')
    expect((await send('/v1/customers/carol', { method: 'PATCH', body: '{"id": "carla"}' })).body.id).toBe('carla')
    expectProblem(await read('/v1/customers/carol'), 404, 'customer_not_found')
    const taken = await send('/v1/customers/carla', { body: '{"id": "bob"}' })
    expectProblem(taken, 409, 'customer_already_exists')
  })

  test('knows an idempotency key by what is done, whichever path it came through', async () => {
    const keyed = { ...AUTHORIZED, 'idempotency-key': 'once' }
    const grant = JSON.stringify({ customer_id: 'alice', feature_id: 'messages', included: 5 })
    const first = await send('/v1/balances/create', { headers: keyed, body: grant })
    expect(first.headers['idempotent-replayed']).toBeUndefined()
    const again = await send('/v1/balances.create', { headers: keyed, body: grant })
    expect([again.headers['idempotent-replayed'], again.body]).toEqual(['true', first.body])
    expect((await read('/v1/customers/alice')).body.balances.messages.granted).toBe(1005)
  })
})

describe('values of all kinds are kept as they are', () => {
  serving('sqlite')

  const strange = String.raw`{
    "__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}, "toString": "x",
    "hasOwnProperty": 1, "": "empty name", "nul \u0000": "nul \u0000", "high \ud800": "low \udc00 alone",
    "emoji": "\ud83d\udc4d\ud83c\udffd 👩‍👩‍👧", "line": "\u2028\u2029\ufeff", "1": "one", "length": 0,
    "$amount": "1", "\u0001amount": "1", "number": 1e-7, "large": 123456789012345680000, "list": [null, [], {}, -0.5],
    "object": {"null": null, "__proto__": {"deeper": 1}}
  }`
  const own = (value: object) => Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))

  test('as metadata, in the answer and after the store was opened again', async () => {
    const body = `{"customer_id": "strange", "metadata": ${strange}}`
    const created = await post('customers.get_or_create', body, { 'idempotency-key': 'strange' })
    expect(created.status).toBe(200)
    const wanted = own(JSON.parse(strange))
    expect(wanted.map(([name]) => name)).toContain('__proto__')
    expect(own(created.body.metadata)).toEqual(wanted)
    const keyed = { 'idempotency-key': 'strange update' }
    expect((await post('customers.update', body, keyed)).status).toBe(200)
    const replayed = await post('customers.update', body, keyed)
    expect(replayed.headers['idempotent-replayed']).toBe('true')
    expect(own(replayed.body.metadata)).toEqual(wanted)
    const stored = await fromStore('strange')
    expect(own(stored.metadata)).toEqual(wanted)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })

  test('as properties of an event', async () => {
    const body = `{"customer_id": "bob", "feature_id": "messages", "properties": ${strange}}`
    expect((await post('balances.track', body)).status).toBe(200)
    const { list } = (await post('events.list', { customer_id: 'bob' })).body
    expect(own(list[0].properties)).toEqual(own(JSON.parse(strange)))
  })

  test('as names of features in the maps of a customer', async () => {
    for (const feature_id of ['__proto__', 'constructor', 'hasOwnProperty']) {
      const feature = { feature_id, name: feature_id, type: 'metered', consumable: true }
      expect((await post('features.create', feature)).status).toBe(200)
      const reply = await post('balances.create', { customer_id: 'bob', feature_id, included: 5 })
      expect(reply.body).toEqual({ success: true })
      expect((await post('balances.check', { customer_id: 'bob', feature_id })).body.balance.remaining).toBe(5)
    }
    for (const version of ['2.4', '2.1']) {
      const { body } = await post('customers.get', { customer_id: 'bob' }, { 'x-api-version': version })
      expect(Object.keys(body.balances)).toEqual(['messages', '__proto__', 'constructor', 'hasOwnProperty'])
      expect(Object.entries<{ remaining: number }>(body.balances).map(([, { remaining }]) => remaining)).toContain(5)
    }
  })

  test('long texts up to the limit, beyond it a sentence', async () => {
    const name = '👍'.repeat(4096)
    const reply = await post('customers.update', { customer_id: 'alice', name })
    expect(reply.body.name).toBe(name)
    expect((await fromStore('alice'))['name']).toBe(name)
    const longer = await post('customers.update', { customer_id: 'alice', name: `${name}👍` })
    expectProblem(longer, 400, 'invalid_inputs', /^name: must be at most 4096 characters$/)
    const value = 'x'.repeat(900_000)
    const large = await post('customers.update', { customer_id: 'alice', metadata: { value } })
    expect(large.body.metadata.value).toBe(value)
    expect((await post('customers.update', { customer_id: 'alice', metadata: { value: null } })).status).toBe(200)
  })

  test.each([
    ['email', `${'a'.repeat(1_000_000)}@example.com`],
    ['email', `a@${'a.'.repeat(500_000)}`],
    ['email', `${'a.'.repeat(500_000)}@`],
    ['new_customer_id', 'x'.repeat(1_000_000)],
    ['fingerprint', '\u{1f600}'.repeat(250_000)],
  ])('a text of a megabyte as %s is refused in a sentence', async (field, text) => {
    const reply = await post('customers.update', { customer_id: 'alice', [field]: text })
    expectProblem(reply, 400, 'invalid_inputs', new RegExp(`^(\\[Validation Errors\\] )?${field}: must`))
    expect(reply.body.message.length).toBeLessThan(1000)
  })

  // Neither has a form in every store, and two texts must not become one on disk.
  test.each(['\ud800', 'a\udfff', 'nul \u0000'])('%j as a text or an id is refused', async (text) => {
    for (const field of ['name', 'fingerprint', 'stripe_id', 'email', 'new_customer_id']) {
      const reply = await post('customers.update', { customer_id: 'alice', [field]: text })
      expectProblem(reply, 400, 'invalid_inputs', new RegExp(`${field}: `))
    }
    const balance = { customer_id: 'alice', feature_id: 'messages', included: 1, balance_id: text }
    expectProblem(await post('balances.create', balance), 400, 'invalid_inputs', /^balance_id: /)
    const feature = { feature_id: 'new', name: 'New', type: 'metered', event_names: ['sent', text] }
    expectProblem(await post('features.create', feature), 400, 'invalid_inputs', /^event_names\.1: /)
    const use = { customer_id: 'alice', event_name: text }
    expectProblem(await post('balances.track', use), 400, 'invalid_inputs', /^event_name: /)
  })

  test.each(['1e999', '-1e999', `1${'0'.repeat(400)}`])(
    'the number %s, which is read as infinity, is refused',
    async (number) => {
      const body = (field: string) =>
        `{"customer_id": "alice", "feature_id": "messages", "${field}": {"n": [${number}]}}`
      expectProblem(await post('customers.update', body('metadata')), 400, 'invalid_inputs')
      expectProblem(await post('balances.track', body('properties')), 400, 'invalid_inputs')
    },
  )

  /** The customer as a restarted server would see it. */
  async function fromStore(id: string): Promise<Record<string, unknown> & { metadata: object }> {
    const [stored] = await world.store.load([{ env: 'sandbox', id }])
    if (stored === null || stored === undefined) throw new Error(`${id} is not stored`)
    return { ...stored.holdings.customer }
  }
})

describe('connections', () => {
  serving('sqlite')

  test('answer requests that were sent ahead in their order', async () => {
    const wire = await Wire.open(server.url)
    const ahead = Array.from({ length: 40 }, (_, i) => {
      // Slow ones and quick ones in turn: those that wait for the disk must not be overtaken.
      const [operation, body] =
        i % 2 === 0
          ? ['balances.track', { customer_id: 'alice', feature_id: 'messages', value: i / 1000 }]
          : ['customers.get', { customer_id: `nobody-${i}` }]
      const text = JSON.stringify(body)
      return head(`/v1/${operation}`, { ...AUTHORIZED, 'content-length': text.length }) + text
    })
    wire.send(ahead.join(''))
    for (let i = 0; i < ahead.length; i++) {
      const { body } = await wire.reply()
      if (i % 2 === 0) expect(body.value).toBe(i / 1000)
      else expect(body.message).toContain(`nobody-${i} `)
    }
    wire.close()
  })

  test('take a request in as many pieces as it comes', async () => {
    const wire = await Wire.open(server.url)
    const body = JSON.stringify({ customer_id: 'alice', name: 'Zoë 👍' })
    wire.socket.setNoDelay(true)
    const bytes = Buffer.from(
      head('/v1/customers.update', { ...AUTHORIZED, 'content-length': Buffer.byteLength(body) }) + body,
    )
    for (const byte of bytes) wire.send(Buffer.from([byte]))
    expect((await wire.reply()).body.name).toBe('Zoë 👍')
    wire.close()
  })

  test('that break in mid-request change nothing and disturb nobody', async () => {
    const value = 1
    const body = JSON.stringify({ customer_id: 'bob', feature_id: 'messages', value })
    const eventsBefore = (await post('events.list', { customer_id: 'bob' })).body.list.length
    for (let cut = 0; cut < body.length; cut += 7) {
      const wire = await Wire.open(server.url)
      const expecting = { ...AUTHORIZED, 'content-length': body.length, expect: '100-continue' }
      wire.send(head('/v1/balances.track', expecting))
      expect((await wire.reply()).status).toBe(100)
      wire.send(body.slice(0, cut))
      if (cut % 2 === 0) wire.socket.resetAndDestroy()
      else wire.close()
    }
    const wire = await Wire.open(server.url)
    wire.send(head('/v1/balances.track', { ...AUTHORIZED, 'transfer-encoding': 'chunked' }), 'ff\r\n{"customer')
    wire.close()
    await wire.closed
    expect((await post('events.list', { customer_id: 'bob' })).body.list).toHaveLength(eventsBefore)
    expect((await post('balances.check', { customer_id: 'bob', feature_id: 'messages' })).status).toBe(200)
    expect(world.faults).toEqual([])
  })

  test('that break while their answer is on its way disturb nobody', async () => {
    const text = JSON.stringify({ customer_id: 'bob', feature_id: 'messages', value: 0 })
    for (let i = 0; i < 20; i++) {
      const wire = await Wire.open(server.url)
      wire.send(head('/v1/balances.track', { ...AUTHORIZED, 'content-length': text.length }) + text)
      wire.socket.end()
      wire.close()
      await wire.closed
    }
    expect((await post('balances.check', { customer_id: 'bob', feature_id: 'messages' })).status).toBe(200)
    expect(world.faults).toEqual([])
  })

  test('that speak no HTTP are refused and closed', async () => {
    for (const words of [
      'hello\r\n\r\n',
      'GET / HTTP/1.1\r\nbroken header\r\n\r\n',
      '\u0016\u0003\u0001\u0000\r\n\r\n',
    ]) {
      const wire = await Wire.open(server.url)
      wire.send(words)
      expect((await wire.reply()).status).toBe(400)
      await wire.closed
    }
    expect((await send('/v1/features.list')).status).toBe(200)
  })
})

const LONG = process.env['GRANARY_TEST_LONG'] === '1'

test('no request, however strange, is answered with a fault', { timeout: LONG ? 1_200_000 : 120_000 }, async () => {
  const numRuns = LONG ? 20_000 : 2000
  const statuses = new Map<number, number>()
  const reached = new Set<string>()
  await fc.assert(
    fc.asyncProperty(fc.array(steps([...ROUTES.keys()]), { minLength: 1, maxLength: 8 }), async (sequence) => {
      const victim = await openWorld()
      try {
        await furnish(victim)
        await settleIn(victim)
        for (const { route, request, body, headers, later } of sequence) {
          victim.clock.advance(later)
          const reply = await victim.call(request, body, headers)
          statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1)
          expect(victim.faults).toEqual([])
          expect(reply.status).toBeLessThan(500)
          expect(reply.body).toBeTypeOf('object')
          expect(reply.body).not.toBeNull()
          if (reply.status < 300) {
            reached.add(operationAt(route))
            continue
          }
          expect(reply.body).toEqual({
            message: expect.any(String),
            code: expect.stringMatching(/^[a-z_]+$/),
            env: expect.any(String),
          })
          expect(reply.body.message).not.toBe('')
          expectNoInsides(reply.body.message)
        }
        for (const env of ENVIRONMENTS) await expectBooksInOrder(victim, env)
      } finally {
        await victim.close()
      }
    }),
    { numRuns },
  )
  // Otherwise the requests were not strange enough, or too strange to get anywhere.
  expect(statuses.get(200)).toBeGreaterThan(numRuns / 4)
  expect(statuses.get(400)).toBeGreaterThan(numRuns / 4)
  expect([...reached].toSorted()).toEqual(OPERATIONS)
})

const OPERATIONS = [
  ...new Set([...[...ROUTES.values()].map(({ endpoint }) => endpoint.operation), 'customers.set_balances']),
].toSorted()

/** @param route a path, or a method and a path. */
function operationAt(route: string): string {
  const [path = '', method = 'POST'] = route.split(' ').toReversed()
  const found = findRoute(method, path)
  if (!('route' in found)) throw new Error(`there is no ${route}`)
  return found.route.endpoint.operation
}

/** Entities with balances of their own, AI credits and an open lock, beside what every world of this file has. */
async function settleIn({ ok, clock }: World): Promise<void> {
  await ok('plans.create', { plan_id: 'basic', name: 'Basic', items: [{ feature_id: 'messages', included: 5 }] })
  const price = { amount: 1, interval: 'month', billing_method: 'prepaid', billing_units: 10 }
  const reset = { interval: 'week' }
  await ok('plans.create', {
    ...{ plan_id: 'pro', name: 'Pro', price: { amount: 20, interval: 'month' } },
    items: [
      { feature_id: 'messages', included: 30, reset, rollover: { max: 9 } },
      { feature_id: 'messages', price },
      { feature_id: 'seats', included: 2, price: { amount: 5, interval: 'month', billing_method: 'usage_based' } },
    ],
  })
  const feature_quantities = [{ feature_id: 'messages', quantity: 20 }]
  await ok('billing.attach', { customer_id: 'alice', plan_id: 'pro', subscription_id: 's1', feature_quantities })
  const model_markups = { 'custom/own': { input_cost: 2, output_cost: 8 } }
  await ok('features.create', { feature_id: 'ai', name: 'AI', type: 'ai_credit_system', model_markups })
  await ok('balances.create', { customer_id: 'alice', feature_id: 'ai', included: 10 })
  await ok('balances.create', { customer_id: 'alice', feature_id: 'seats', included: 3 })
  await ok('entities.create', { customer_id: 'alice', entity_id: 'e1', feature_id: 'seats' })
  const own = { customer_id: 'alice', entity_id: 'e1', feature_id: 'messages' }
  await ok('balances.create', { ...own, included: 20, reset: { interval: 'week' }, rollover: { max: 5, length: 1 } })
  const lock = { enabled: true, lock_id: 'l1', expires_at: clock.now + 86_400_000 }
  await ok('balances.check', {
    customer_id: 'alice',
    feature_id: 'messages',
    entity_id: 'e1',
    required_balance: 30,
    lock,
  })
}

/** The ledger of every customer adds up to what it holds, and no seat is taken by nobody. */
async function expectBooksInOrder({ store }: World, env: Environment): Promise<void> {
  const { rows } = await store.listCustomers({ env, order: 'oldest', offset: 0, limit: 1000, counted: false })
  for (const { holdings } of rows) {
    await expectLedgerToAddUp(store, holdings.customer.uid, env)
    const entities = Map.groupBy(entitiesOf(holdings), ({ feature }) => feature)
    const seats = Map.groupBy(allBalances(holdings), ({ feature }) => feature)
    for (const [feature, balances] of seats) {
      const taken = balances.reduce((sum, balance) => sum + balance.seats, 0)
      expect(taken).toBeLessThanOrEqual(entities.get(feature)?.length ?? 0)
    }
  }
}

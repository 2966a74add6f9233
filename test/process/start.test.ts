import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { head, Wire } from '../http/socket.ts'
import { cleanUp, type Granary, newFolder, run, SOON, start, within } from './granary.ts'

afterEach(cleanUp)

/** Far below the nine seconds that requests under way are given: whoever is quicker than this did not wait for them. */
const AT_ONCE = 5_000

describe('the first start', () => {
  test.each(['info', 'silent'])(
    'with LOG_LEVEL=%s ends what it prints with where it listens, and nothing else after',
    async (level) => {
      const granary = await start(newFolder(), { LOG_LEVEL: level })
      await granary.call('features.list', {})
      const lines = granary.stdout.trimEnd().split('\n')
      expect(lines.at(-1)).toMatch(/^granary listening on http:\/\/127\.0\.0\.1:[1-9]\d*$/)
      expect(granary.stdout.endsWith('\n')).toBe(true)
      expect(granary.stdout).toContain(`${granary.url}/v1\n`)
      expect(granary.key).toMatch(/^am_sk_test_[A-Za-z0-9]{40,}$/)
      expect(granary.stderr).toBe('')
    },
  )

  test('shows a command that works as it stands', async () => {
    const granary = await start(newFolder())
    expect(await shell(commandIn(granary))).toEqual({ list: [] })
  })

  test('shows the key once; it goes on working, and so does the command with the key in the environment', async () => {
    const folder = newFolder()
    const first = await start(folder)
    const { key } = first
    await first.call('features.create', { feature_id: 'kept', name: 'Kept', type: 'boolean' })
    await first.end('SIGTERM')

    const second = await start(folder)
    expect(second.shownKey).toBeUndefined()
    expect((await second.call('features.list', {}, key)).body.list).toMatchObject([{ id: 'kept' }])
    expect(await shell(commandIn(second), { GRANARY_SECRET_KEY: key })).toMatchObject({ list: [{ id: 'kept' }] })
  })

  test('keeps the key only as its hash', async () => {
    const folder = newFolder()
    const granary = await start(folder)
    const { key } = granary
    await granary.call('features.list', {})
    const written = () => readdirSync(folder).map((name) => readFileSync(join(folder, name)))
    const hash = createHash('sha256').update(key).digest('hex')
    const secret = key.slice('am_sk_test_'.length)
    for (const state of ['running', 'stopped']) {
      if (state === 'stopped') await granary.end('SIGTERM')
      const files = written()
      expect(files.some((file) => file.includes(secret))).toBe(false)
      // The same search does find what is there.
      expect(files.some((file) => file.includes(hash))).toBe(true)
    }
  })

  test('that fails because the port is taken does not use up the key', async () => {
    const folder = newFolder()
    await using taken = await takenPort()
    const failed = await run(['--data-dir', folder, '--port', String(taken.port)])
    expect(failed.exit.code).toBe(1)
    const granary = await start(folder)
    expect(granary.shownKey).toBeDefined()
    expect((await granary.call('features.list', {})).status).toBe(200)
  })
})

describe('GRANARY_SECRET_KEY', () => {
  test('is valid beside the keys that were there; giving it again changes nothing', async () => {
    const folder = newFolder()
    const given = 'am_sk_test_given-By_the_0perator'
    const first = await start(folder)
    const { key } = first
    await first.end('SIGTERM')
    for (const variables of [{ GRANARY_SECRET_KEY: given }, { GRANARY_SECRET_KEY: given }, {}]) {
      const granary = await start(folder, variables)
      for (const one of [key, given]) expect((await granary.call('features.list', {}, one)).status).toBe(200)
      expect(granary.stdout).not.toContain(given)
      await granary.end('SIGTERM')
    }
    const file = new DatabaseSync(join(folder, 'granary.db'), { readOnly: true })
    expect(file.prepare('select count(*) as keys from api_keys').get()).toEqual({ keys: 2 })
    file.close()
  })

  test('at the first start is the sandbox key, and no other is made', async () => {
    const given = 'am_sk_test_first'
    const granary = await start(newFolder(), { GRANARY_SECRET_KEY: given })
    expect(granary.shownKey).toBeUndefined()
    expect(await shell(commandIn(granary), { GRANARY_SECRET_KEY: given })).toEqual({ list: [] })
  })

  test('that is a live key opens a world of its own', async () => {
    const live = 'am_sk_live_mine'
    const granary = await start(newFolder(), { GRANARY_SECRET_KEY: live })
    const feature = { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false }
    expect((await granary.call('features.create', feature, live)).status).toBe(200)
    const customer = await granary.call('customers.get_or_create', { customer_id: 'alice' }, live)
    expect(customer.body).toMatchObject({ id: 'alice', env: 'live' })

    expect((await granary.call('features.list', {})).body).toEqual({ list: [] })
    const none = { customer_id: 'alice' }
    expect(await granary.call('customers.get', none)).toMatchObject({
      status: 404,
      body: { code: 'customer_not_found', env: 'sandbox' },
    })
    expect(await granary.call('customers.get', { customer_id: 'bob' }, live)).toMatchObject({
      status: 404,
      body: { code: 'customer_not_found', env: 'live' },
    })
    expect((await granary.call('customers.get_or_create', none)).body.env).toBe('sandbox')
  })
})

test('GRANARY_MODEL_PRICES says what models cost', async () => {
  const folder = newFolder()
  const file = join(folder, 'prices.json')
  writeFileSync(file, '{"anthropic": {"models": {"opus": {"cost": {"input": 5, "output": 15}}}}}')
  const granary = await start(join(folder, 'data'), { GRANARY_MODEL_PRICES: file })
  await granary.call('features.create', { feature_id: 'ai', name: 'AI', type: 'ai_credit_system' })
  await granary.call('customers.get_or_create', { customer_id: 'alice' })
  const tokens = { model_id: 'anthropic/opus', input_tokens: 10_000, output_tokens: 5_000 }
  const spent = await granary.call('track_tokens', { customer_id: 'alice', feature_id: 'ai', ...tokens })
  expect([spent.status, spent.body.value]).toEqual([200, 0.125])
})

describe('a setting that cannot be used', () => {
  const mistakes: [string, string[], Record<string, string>, RegExp][] = [
    ['a key without a known beginning', [], { GRANARY_SECRET_KEY: 'sk_test_1' }, /GRANARY_SECRET_KEY.*am_sk_test_/],
    ['a key with nothing after it', [], { GRANARY_SECRET_KEY: 'am_sk_live_' }, /GRANARY_SECRET_KEY/],
    ['a key with a space', [], { GRANARY_SECRET_KEY: 'am_sk_test_a b' }, /GRANARY_SECRET_KEY/],
    ['a publishable key', [], { GRANARY_SECRET_KEY: 'am_pk_test_abc' }, /GRANARY_SECRET_KEY/],
    ['a port in words', [], { PORT: 'abc' }, /PORT is "abc".*0 to 65535/],
    ['a port that is too large', ['--port', '65536'], {}, /"65536".*0 to 65535/],
    ['a negative port', ['--port=-1'], {}, /"-1".*0 to 65535/],
    ['a port with a fraction', [], { PORT: '80.5' }, /"80\.5"/],
    ['an unknown flag', ['--prot', '1'], {}, /--prot/],
    ['a flag without its value', ['--port'], {}, /--port/],
    ['an unknown command', ['server'], {}, /"server".*--help/],
    ['one argument too many', ['serve', 'now'], {}, /"now".*--help/],
    ['an unknown log level', [], { LOG_LEVEL: 'x' }, /LOG_LEVEL is "x".*debug, info, warn, error, silent/],
    ['an unknown idempotency mode', [], { GRANARY_IDEMPOTENCY: 'x' }, /GRANARY_IDEMPOTENCY is "x".*replay, reject/],
    [
      'an unknown word for the fast path',
      [],
      { GRANARY_HTTP_FAST_PATH: 'x' },
      /GRANARY_HTTP_FAST_PATH is "x".*on, off/,
    ],
    ['keys kept too long', [], { GRANARY_IDEMPOTENCY_RETENTION: '31d' }, /RETENTION is "31d".*1h to 30d, such as 72h/],
    ['keys kept for no time', [], { GRANARY_IDEMPOTENCY_RETENTION: '0h' }, /GRANARY_IDEMPOTENCY_RETENTION is "0h"/],
    ['events kept for months', [], { GRANARY_EVENT_RETENTION: '13mo' }, /EVENT_RETENTION is "13mo".*such as 400d/],
    ['events kept for an hour', [], { GRANARY_EVENT_RETENTION: '1h' }, /GRANARY_EVENT_RETENTION is "1h".*from 1d on/],
    ['deleted customers kept', [], { GRANARY_DELETED_CUSTOMERS: 'keep' }, /CUSTOMERS is "keep".*erase, anonymise/],
    ['an address that is not of this machine', ['--host', '203.0.113.1'], {}, /203\.0\.113\.1/],
  ]
  test.each(mistakes)('%s', async (_, args, variables, message) => {
    const port = args.some((arg) => arg.startsWith('--port')) || 'PORT' in variables ? [] : ['--port', '0']
    const failed = await run(['--data-dir', join(newFolder(), 'data'), ...args, ...port], variables)
    expectOneSentence(failed, message)
  })

  test.each([
    ['that is not there', null, /GRANARY_MODEL_PRICES: .*prices\.json cannot be used: .*no such file/],
    ['that is no JSON', '{"p": ', /GRANARY_MODEL_PRICES: .*prices\.json cannot be used: .*JSON/],
    [
      'with a price below zero',
      '{"p": {"models": {"m": {"cost": {"input": -1}}}}}',
      /p\.models\.m\.cost\.input: must not/,
    ],
  ])('a price table %s, before anything is created', async (_, content, message) => {
    const folder = newFolder()
    const file = join(folder, 'prices.json')
    if (content !== null) writeFileSync(file, content)
    const data = join(folder, 'data')
    expectOneSentence(await run(['--data-dir', data, '--port', '0'], { GRANARY_MODEL_PRICES: file }), message)
    expect(existsSync(data)).toBe(false)
  })

  test('a taken port', async () => {
    await using taken = await takenPort()
    const failed = await run(['--data-dir', newFolder()], { PORT: String(taken.port) })
    expectOneSentence(failed, new RegExp(`${taken.port}.*(--port|PORT)`))
  })

  test('the key that was refused is not repeated', async () => {
    const failed = await run(['--data-dir', newFolder()], { GRANARY_SECRET_KEY: 'am_sk_tset_confidential' })
    expectOneSentence(failed, /GRANARY_SECRET_KEY/)
    expect(failed.stderr).not.toContain('confidential')
  })

  test('DATABASE_URL is refused before anything is created or locked', async () => {
    const folder = newFolder()
    const absent = join(folder, 'absent')
    const secret = 'postgres://granary:confidential@127.0.0.1:5432/granary'
    const failed = await run(['--data-dir', absent], { DATABASE_URL: secret })
    expectOneSentence(failed, /DATABASE_URL.*unset DATABASE_URL/)
    expect(failed.stderr).not.toContain('confidential')
    expect(existsSync(absent)).toBe(false)

    const again = await run(['--data-dir', folder], { DATABASE_URL: secret })
    expect(again.exit.code).toBe(1)
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('the command line', () => {
  test('wins over the environment', async () => {
    const [folder, other] = [newFolder(), newFolder()]
    await using taken = await takenPort()
    const variables = { PORT: String(taken.port), HOST: '203.0.113.1', GRANARY_DATA_DIR: other }
    const granary = await start(folder, variables, ['serve', '--port', '0', '--host', 'localhost'])
    expect(granary.url).toMatch(/^http:\/\/localhost:\d+$/)
    expect(granary.port).not.toBe(taken.port)
    expect((await granary.call('features.list', {})).status).toBe(200)
    expect(readdirSync(folder)).toContain('granary.db')
    expect(readdirSync(other)).toEqual([])
  })

  test('may say nothing where the environment says it all; what is empty is not set', async () => {
    const folder = join(newFolder(), 'some', 'where')
    const granary = await start(folder, { PORT: '0', HOST: 'localhost', DATABASE_URL: '', LOG_LEVEL: '' }, [])
    expect(granary.url).toMatch(/^http:\/\/localhost:\d+$/)
    expect(readdirSync(folder)).toContain('granary.db')
  })

  test('--help and --version', async () => {
    for (const flag of ['--help', '-h']) {
      const help = await run([flag])
      expect(help.exit).toEqual({ code: 0, signal: null })
      expect(help.stderr).toBe('')
      for (const word of ['Usage: granary', '--port', '--host', '--data-dir', 'GRANARY_DATA_DIR', 'LOG_LEVEL'])
        expect(help.stdout).toContain(word)
    }
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    const version = await run(['--version'])
    expect(version.exit).toEqual({ code: 0, signal: null })
    expect(version.stdout).toBe(`${manifest.version}\n`)
  })
})

describe('the data folder', () => {
  test('serves health, without a key, as soon as it says that it listens', async () => {
    const granary = await start(newFolder())
    const health = await fetch(`${granary.url}/health`)
    expect(health.status).toBe(200)
    expect(await health.json()).toEqual({ status: 'ok' })
    const probe = await fetch(`${granary.url}/health`, { method: 'HEAD' })
    expect(probe.status).toBe(200)
    expect(await probe.text()).toBe('')
  })

  test('belongs to one process: a second one is refused and the first does not notice', async () => {
    const folder = newFolder()
    const first = await start(folder)
    await first.call('customers.get_or_create', { customer_id: 'alice' })
    const second = await run(['--data-dir', folder, '--port', '0'])
    expectOneSentence(second, /in use by another Granary process/)
    expect(second.stderr).toContain(folder)
    expect((await first.call('customers.get_or_create', { customer_id: 'bob' })).status).toBe(200)
    expect((await first.call('customers.get', { customer_id: 'alice' })).status).toBe(200)
  })

  test('opens again after kill -9, with all that was answered', async () => {
    const folder = newFolder()
    const first = await start(folder)
    const { key } = first
    for (const id of ['alice', 'bob', 'carol']) await first.call('customers.get_or_create', { customer_id: id })
    expect(await first.end('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' })
    const second = await start(folder)
    for (const id of ['alice', 'bob', 'carol'])
      expect((await second.call('customers.get', { customer_id: id }, key)).status).toBe(200)
  })

  test('written by a newer version is refused, and left as it is', async () => {
    const folder = newFolder()
    const first = await start(folder)
    const { key } = first
    await first.call('customers.get_or_create', { customer_id: 'alice' })
    await first.end('SIGTERM')
    const file = join(folder, 'granary.db')
    const version = setVersion(file, 1000)
    expectOneSentence(await run(['--data-dir', folder, '--port', '0']), /newer Granary.*another data folder/)
    expect(setVersion(file, version)).toBe(1000)
    const second = await start(folder)
    expect((await second.call('customers.get', { customer_id: 'alice' }, key)).status).toBe(200)
  })

  test('that is none, or holds something else, is refused in a sentence', async () => {
    const folder = newFolder()
    const file = join(folder, 'file')
    writeFileSync(file, 'not a folder')
    expectOneSentence(await run(['--data-dir', file, '--port', '0']), /file/)
    expect(readFileSync(file, 'utf8')).toBe('not a folder')

    const other = newFolder()
    const text = 'This is a letter and no database. '.repeat(200)
    writeFileSync(join(other, 'granary.db'), text)
    expectOneSentence(await run(['--data-dir', other, '--port', '0']), /not a database/)
    expect(readFileSync(join(other, 'granary.db'), 'utf8')).toBe(text)
  })
})

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  test('lets the request under way finish, takes no new one, and ignores a second signal', async () => {
    const folder = newFolder()
    const granary = await start(folder)
    const { key } = granary
    const body = JSON.stringify({ customer_id: 'alice' })
    const wire = await requestUnderWay(granary, 'customers.get_or_create', body.length)
    wire.send(body.slice(0, 5))
    const since = performance.now()
    granary.signal(signal)
    await granary.until(({ stderr }) => stderr.includes('"stopping'), 'the first signal')
    await expect(fetch(`${granary.url}/health`)).rejects.toThrow()
    granary.signal(signal)
    wire.send(body.slice(5))
    expect(await wire.reply()).toMatchObject({ status: 200, body: { id: 'alice' } })
    expect(await within(SOON, 'the end', granary.exited)).toEqual({ code: 0, signal: null })
    expect(performance.now() - since).toBeLessThan(10_000)
    expect(granary.stderr.match(/"stopping/g)).toHaveLength(1)

    const again = await start(folder)
    expect((await again.call('customers.get', { customer_id: 'alice' }, key)).status).toBe(200)
  })

  test('ends at once when nothing is under way, whatever connections are open', async () => {
    const granary = await start(newFolder())
    const idle = await requestUnderWay(granary, 'features.list', 2)
    idle.send('{}')
    expect((await idle.reply()).headers['connection']).toBe('keep-alive')
    granary.signal(signal)
    expect(await within(AT_ONCE, 'the end', granary.exited)).toEqual({ code: 0, signal: null })
    await within(SOON, 'the close', idle.closed)
  })

  test('ends as soon as the last request under way is answered', async () => {
    const granary = await start(newFolder())
    const wire = await requestUnderWay(granary, 'features.list', 2)
    granary.signal(signal)
    await granary.until(({ stderr }) => stderr.includes('"stopping'), 'the signal')
    wire.send('{}')
    expect((await wire.reply()).status).toBe(200)
    expect(await within(AT_ONCE, 'the end', granary.exited)).toEqual({ code: 0, signal: null })
  })

  test('is not held up by a connection on which nothing was ever sent', async () => {
    const granary = await start(newFolder())
    const silent = await Wire.open(granary.url)
    // Accepted in order: when a later connection has been served, the server knows the earlier one.
    await granary.call('features.list', {})
    granary.signal(signal)
    expect(await within(AT_ONCE, 'the end', granary.exited)).toEqual({ code: 0, signal: null })
    await within(SOON, 'the close', silent.closed)
  })

  test('is obeyed from the ready line on', async () => {
    const folder = newFolder()
    for (let i = 0; i < 5; i++) {
      const granary = await start(folder)
      expect(await granary.end(signal)).toEqual({ code: 0, signal: null })
    }
  })
})

test('a request whose body never comes does not keep the server from ending', { timeout: 40_000 }, async () => {
  const granary = await start(newFolder())
  const stuck = await requestUnderWay(granary, 'features.list', 2)
  granary.signal('SIGTERM')
  expect(await within(SOON, 'the end', granary.exited)).toEqual({ code: 0, signal: null })
  await within(SOON, 'the close', stuck.closed)
})

/** Exit code 1 and one line on stderr that a person understands. */
function expectOneSentence({ exit, stdout, stderr }: Granary & { exit: unknown }, message: RegExp): void {
  expect(stderr).toMatch(message)
  expect(stderr).toMatch(/^granary: [^\n]+\n$/)
  expect(stderr).not.toMatch(/\bat .+:\d+/)
  expect(exit).toEqual({ code: 1, signal: null })
  expect(stdout).toBe('')
}

/** A request that the server is known to have begun, because it has asked for the body. */
async function requestUnderWay(granary: Granary, operation: string, length: number): Promise<Wire> {
  const wire = await Wire.open(granary.url)
  const headers = { authorization: `Bearer ${granary.key}`, 'content-length': length, expect: '100-continue' }
  wire.send(head(`/v1/${operation}`, headers))
  expect((await wire.reply()).status).toBe(100)
  return wire
}

function commandIn({ stdout }: Granary): string {
  const command = /^ *(curl .*)$/m.exec(stdout)?.[1]
  if (command === undefined) throw new Error(`no command was shown in: ${stdout}`)
  return command
}

async function shell(command: string, variables: Record<string, string> = {}): Promise<unknown> {
  const env = { PATH: process.env['PATH'], ...variables }
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { env, timeout: SOON })
  return JSON.parse(stdout)
}

function setVersion(file: string, version: number): number {
  const db = new DatabaseSync(file)
  const before = Number(db.prepare('pragma user_version').get()?.['user_version'])
  db.exec(`pragma user_version = ${version}`)
  db.close()
  return before
}

async function takenPort(): Promise<AsyncDisposable & { port: number }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a port was asked for')
  return {
    port: address.port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

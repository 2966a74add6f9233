import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { serveHttp } from '../src/http/server.ts'
import { openWorld, SANDBOX_KEY } from './world.ts'

const run = promisify(execFile)
const ROOT = new URL('..', import.meta.url).pathname

/** The fenced blocks of a section of README, in order. */
function blocks(section: string): { language: string; text: string }[] {
  const tour = readFileSync(join(ROOT, 'README.md'), 'utf8').split(`## ${section}\n`)[1]?.split('\n## ')[0] ?? ''
  return [...tour.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language = '', text = '']) => ({ language, text }))
}

/** Times and ids are of the day; everything else must be as it is written. */
function steady(text: string): string {
  return text.replaceAll(/\b1[78]\d{11}\b/g, 'TIME').replaceAll(/(?:cus_ent|evt)_[0-9a-z]{26}/g, 'ID')
}

test('the README tour does what it says', async () => {
  const world = await openWorld({ store: 'sqlite', at: Date.now() })
  const server = await serveHttp(world.handle, '127.0.0.1', 0)
  const folder = mkdtempSync(join(ROOT, 'node_modules', '.tour-'))
  const env = { ...process.env, GRANARY_SECRET_KEY: SANDBOX_KEY }
  const here = (text: string) => text.replaceAll('http://127.0.0.1:4747', server.url)
  try {
    let printed = ''
    let compared = 0
    for (const { language, text } of blocks('Five minutes')) {
      if (language === 'sh' && text.includes('curl')) printed = (await run('sh', ['-c', here(text)], { env })).stdout
      if (language === 'js') {
        const script = join(folder, 'tour.mjs')
        writeFileSync(script, here(text))
        printed = (await run(process.execPath, [script], { env })).stdout
      }
      if (language !== 'json' && language !== 'text') continue
      expect(steady(printed).trim()).toBe(steady(text).trim())
      compared += 1
    }
    expect(compared).toBe(10)
  } finally {
    rmSync(folder, { recursive: true })
    await server.stop(1000)
    await world.close()
  }
})

test('the example of use inside of another program does what it says', async () => {
  const [script, printed, ...more] = blocks('In your own tests')
  expect([script?.language, printed?.language, more]).toEqual(['js', 'text', []])
  // Beside what was built, where a script finds the package under its own name.
  const folder = mkdtempSync(join(ROOT, 'dist', '.tour-'))
  try {
    writeFileSync(join(folder, 'example.mjs'), script?.text ?? '')
    const { stdout } = await run(process.execPath, [join(folder, 'example.mjs')])
    expect(stdout).toBe(printed?.text)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

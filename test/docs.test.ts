import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const run = promisify(execFile)
const ROOT = new URL('..', import.meta.url).pathname

interface Example {
  readonly heading: string
  readonly script: string
  readonly printed: string
}

/** The examples of a page, each after what all of them begin with, with the output that is shown under them. */
function read(page: string): Example[] {
  const text = readFileSync(join(ROOT, 'docs', page), 'utf8')
  const [introduction = '', ...sections] = text.split('\n## ')
  const [preamble, ...more] = blocks(introduction)
  expect([preamble?.language, more], 'the introduction has one block').toEqual(['js', []])
  return sections.flatMap((section) => {
    const [heading = ''] = section.split('\n')
    const found = blocks(section)
    const languages = found.map(({ language }) => language).join(' ')
    expect(languages, `"${heading}" shows the output under each example`).toMatch(/^(js text( js text)*)?$/)
    return found.flatMap(({ language, text: script }, i) =>
      language === 'js'
        ? [
            {
              heading: `${page}: ${heading}`,
              script: `${preamble?.text}\n${script}`,
              printed: found[i + 1]?.text ?? '',
            },
          ]
        : [],
    )
  })
}

function blocks(section: string): { language: string; text: string }[] {
  return [...section.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language = '', text = '']) => ({ language, text }))
}

const examples = ['balances.md', 'plans.md', 'agents.md', 'ai-credits.md', 'events.md'].flatMap(read)

// Beside what was built, where a script finds the package under its own name.
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(ROOT, 'dist', '.docs-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

test.each(examples.map((example, i) => [example.heading, i, example] as const))(
  '%s (example %i) prints what the page shows',
  async (_heading, i, { script, printed }) => {
    const file = join(folder, `example-${i}.mjs`)
    writeFileSync(file, `${script}\nawait granary.close()\n`)
    const { stdout } = await run(process.execPath, [file])
    expect(stdout).toBe(printed)
  },
)

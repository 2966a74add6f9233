import { readFileSync } from 'node:fs'

/** The first cells of the table under a heading of docs/compatibility.md. */
export function titlesUnder(heading: string): string[] {
  const text = readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8')
  const [, section = ''] = text.split(`## ${heading}\n`)
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '))
  return rows.slice(2).map((row) => row.split(' | ')[0]?.slice(2) ?? '')
}

import { readFileSync } from 'node:fs'

/** One request to the reference server and what it answered. */
export interface Step {
  readonly step: number
  readonly scenario: string
  readonly note: string
  /** When the request was sent, Unix milliseconds. */
  readonly at: number
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** A text where it was not JSON. */
  readonly body: unknown
  readonly status: number
  readonly response: unknown
}

/** The recorded steps in their order, scenario by scenario. */
export function readTranscripts(): ReadonlyMap<string, readonly Step[]> {
  const lines = readFileSync(new URL('transcripts.jsonl', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
  return Map.groupBy(
    lines.map((line) => JSON.parse(line) as Step),
    ({ scenario }) => scenario,
  )
}

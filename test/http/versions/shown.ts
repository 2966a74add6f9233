import { expect } from 'vitest'
import { writeJson } from '../../../src/http/json.ts'
import type { Body, Shape, Version } from '../../../src/http/versions/version.ts'
import { downgradeResponse } from '../../../src/http/versions/versions.ts'
import type { WireObject } from '../../../src/http/wire/wire.ts'

/** An answer as each version shows it, as JSON. Versions between which nothing changed stand together. */
export interface Shown {
  readonly '2.4': object
  readonly '2.2': object
  readonly '2.0': object
  readonly '1.2': object
}

const SAME_AS: Readonly<Record<Version, keyof Shown>> = {
  '1.2': '1.2',
  beta: '1.2',
  '2.0': '2.0',
  '2.1': '2.2',
  '2.2': '2.2',
  '2.3': '2.4',
  '2.4': '2.4',
}
const VERSIONS = Object.keys(SAME_AS) as Version[]

export function shown(version: Version, shape: Shape, answer: WireObject, body: Body = {}): unknown {
  return JSON.parse(writeJson(downgradeResponse(version, shape, answer, body)))
}

/** That every version shows the answer as written, and that the answer itself is left alone. */
export function expectShown(shape: Shape, answer: WireObject, expected: Shown, body: Body = {}): void {
  for (const version of VERSIONS) {
    expect(shown(version, shape, answer, body), version).toStrictEqual(expected[SAME_AS[version]])
  }
  expect(JSON.parse(writeJson(answer)), 'the answer itself').toStrictEqual(expected['2.4'])
}

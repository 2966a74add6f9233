import { HEADERS_READ, type HttpRequest } from './app.ts'

/** What the head of a plain request says. */
export interface PlainHead {
  /** What follows POST, query included. */
  readonly target: string
  /** Those that the application reads. */
  readonly headers: HttpRequest['headers']
  /** Of the body, in bytes. */
  readonly length: number
}

/** Longer heads are not plain: those of the clients we know have some 300 bytes, and an HTTP server may stop at 16 KiB. */
export const LONGEST_HEAD = 4096

const REQUEST_LINE = /^POST (\/[\w.~%/:@!$&'()*+,;=?-]*) HTTP\/1\.1\r\n/
/** Each class ends where the next begins, so a line that does not match costs its length and no more. */
const FIELDS = /^(?:[\w!#$%&'*+.^`|~-]+:[\t -~]*\r\n)+$/
const LENGTH = /^(?:0|[1-9]\d{0,7})$/

/** What decides where a request ends or who answers it. With one of these a request is not plain, whatever the value says. */
const CHANGING = new Set([
  ...['transfer-encoding', 'expect', 'upgrade', 'content-encoding', 'trailer', 'te', 'proxy-connection'],
  'http2-settings',
])
/** What says how a request is to be read, and what the application reads. None of them may come twice. */
const FRAMING = new Set(['host', 'content-length', 'connection'])
const READ = new Set<string>(HEADERS_READ)

/**
 * Reads the head of a request that could not be any plainer. Strict on purpose: whatever could be read in two ways is null
 * here and left to a complete HTTP parser, so the two can never disagree about where a request ends.
 * @param text its bytes as Latin-1, each line with its end, without the empty line.
 */
export function readPlainHead(text: string): PlainHead | null {
  const line = REQUEST_LINE.exec(text)
  if (line === null) return null
  const [{ length: fieldsAt }, target = ''] = line
  if (!FIELDS.test(text.slice(fieldsAt))) return null
  const framing: Texts = {}
  const headers: Texts = {}
  for (let at = fieldsAt; at < text.length; ) {
    const colon = text.indexOf(':', at)
    const end = text.indexOf('\r\n', colon)
    const name = text.slice(at, colon).toLowerCase()
    at = end + 2
    if (CHANGING.has(name)) return null
    const texts = READ.has(name) ? headers : FRAMING.has(name) ? framing : null
    if (texts === null) continue
    if (texts[name] !== undefined) return null
    texts[name] = text.slice(colon + 1, end).trim()
  }
  const { host, connection = 'keep-alive', 'content-length': length = '' } = framing
  if (host === undefined || !LENGTH.test(length) || connection.toLowerCase() !== 'keep-alive') return null
  return { target, headers, length: Number(length) }
}

type Texts = Record<string, string | undefined>

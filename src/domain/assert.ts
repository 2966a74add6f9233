/** Thrown when the program itself is wrong; never for a caller's mistake (that is a Refusal) nor for a failing world (a Fault). */
class Bug extends Error {
  override name = 'Bug'
}

/** States what must hold here. A failure is a bug: it becomes a 500 and is logged with the operation's input. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Bug(message)
}

/** Closes a switch over a union: the compiler refuses it while a case is missing. */
export function assertNever(value: never): never {
  throw new Bug(`unreachable: ${JSON.stringify(value)}`)
}

/** What ends the work of a tab that leads no more. It never leaves the client. */

/** Another tab took over: what this one was about to write is old. */
export class Deposed extends Error {
  override readonly name = "Deposed";
}

/** Who typed just now in the rooms on screen: forgotten after six seconds, and never more than a screen needs. */

const TYPING_LASTS_MS = 6000;
const MOST_TYPISTS = 50;

export class Typists {
  readonly #rooms = new Map<string, Map<string, number>>();

  /** `changed` is told the room when somebody begins or stops. */
  constructor(readonly changed: (roomId: string) => void) {}

  /** Somebody typed; of too many, those who typed longest ago are forgotten. */
  note(roomId: string, userId: string): void {
    const people = this.#rooms.get(roomId) ?? new Map<string, number>();
    const isNew = !people.delete(userId);
    people.set(userId, performance.now());
    for (const each of people.keys()) {
      if (people.size <= MOST_TYPISTS) break;
      people.delete(each);
    }
    this.#rooms.set(roomId, people);
    setTimeout(() => this.#forgetOld(roomId), TYPING_LASTS_MS);
    if (isNew) this.changed(roomId);
  }

  /** Keep only some of those who typed in a room: the others may not post there any more. */
  retain(roomId: string, mayPost: ReadonlySet<string>): void {
    for (const each of this.#rooms.get(roomId)?.keys() ?? []) {
      if (!mayPost.has(each)) this.stop(roomId, each);
    }
  }

  /** Somebody stopped: what they typed has come. */
  stop(roomId: string, userId: string): void {
    if (this.#rooms.get(roomId)?.delete(userId)) this.changed(roomId);
  }

  /** Who typed within the last six seconds, the one who typed last at the end. */
  people(roomId: string): readonly string[] {
    const since = performance.now() - TYPING_LASTS_MS;
    return [...(this.#rooms.get(roomId) ?? [])].filter(([, at]) => at > since).map(([each]) =>
      each
    );
  }

  #forgetOld(roomId: string): void {
    const people = this.#rooms.get(roomId);
    const since = performance.now() - TYPING_LASTS_MS;
    for (const [each, at] of people ?? []) if (at <= since) this.stop(roomId, each);
    if (people?.size === 0) this.#rooms.delete(roomId);
  }
}

/** How far each stream is said to have come, until the copy is there. The own stream is called null. */
import type { Heads } from "./steps.ts";
import type { Position } from "./positions.ts";

/** How far the copy goes: the own stream, and each room. */
export interface Here {
  readonly user: number | null;
  readonly rooms: ReadonlyMap<string, Position>;
}

export class Targets {
  readonly #told = new Map<string | null, number>();
  readonly #expected = new Map<string | null, number>();
  readonly #unfinished = new Set<string | null>();
  readonly #above = new Map<string | null, { have: number; since: number }>();

  /** Note that a stream has come this far. */
  tell(stream: string | null, to: number): void {
    this.#told.set(stream, Math.max(to, this.#told.get(stream) ?? 0));
  }

  /** Note that the server is this far, and that a step will probably tell so. */
  expect(stream: string | null, to: number): void {
    this.#expected.set(stream, Math.max(to, this.#expected.get(stream) ?? 0));
  }

  /** Forget what was told: it is of another history. */
  clear(): void {
    this.#told.clear();
    this.#expected.clear();
  }

  /** The highest number that is known of each stream: here, told or expected. */
  known(here: Here): Map<string | null, number> {
    const of = (stream: string | null, have: number | null) =>
      Math.max(have ?? 0, this.#told.get(stream) ?? 0, this.#expected.get(stream) ?? 0);
    const known = new Map<string | null, number>([[null, of(null, here.user)]]);
    for (const [roomId, { rev }] of here.rooms) known.set(roomId, of(roomId, rev));
    return known;
  }

  /** Note whether the server has more of these streams than it answered with. */
  noteAnswer(streams: readonly (string | null)[], hasMore: boolean): void {
    for (const each of streams) {
      if (hasMore) this.#unfinished.add(each);
      else this.#unfinished.delete(each);
    }
  }

  /** The streams that are not where they were told to be, or not counted; the own one first. */
  behind(here: Here): (string | null)[] {
    const behind: (string | null)[] = [];
    const known = new Set<string | null>([null, ...here.rooms.keys()]);
    for (const stream of known) {
      const position = stream === null ? null : here.rooms.get(stream);
      const have = stream === null ? here.user : (position?.rev ?? null);
      if ((this.#told.get(stream) ?? 0) <= (have ?? 0)) this.#told.delete(stream);
      if ((this.#expected.get(stream) ?? 0) <= (have ?? 0)) this.#expected.delete(stream);
      const isWanted = this.#told.has(stream) || this.#unfinished.has(stream) ||
        position?.is_counted === false;
      if (have === null || isWanted) behind.push(stream);
    }
    for (const each of this.#told.keys()) if (!known.has(each)) this.#told.delete(each);
    for (const each of this.#expected.keys()) if (!known.has(each)) this.#expected.delete(each);
    for (const each of this.#unfinished) if (!known.has(each)) this.#unfinished.delete(each);
    return behind;
  }

  /** Take the heads as told; returns those that nothing else had told of. */
  compare(heads: Heads, here: Here): Map<string | null, number> {
    const news = new Map<string | null, number>();
    for (const [stream, head, have] of paired(heads, here)) {
      if (have !== null && have < head && (this.#told.get(stream) ?? 0) < head) {
        news.set(stream, head);
      }
      if (have === null || have < head) this.tell(stream, head);
    }
    return news;
  }

  /**
   * The streams of which the copy has been ahead of the server for `most` milliseconds, and how far.
   *
   * For a moment that is an old snapshot, for longer a restore.
   */
  doubtful(heads: Heads, here: Here, now: number, most: number): [string | null, number][] {
    const doubtful: [string | null, number][] = [];
    for (const [stream, head, have] of paired(heads, here)) {
      if (have === null || have <= head) {
        this.#above.delete(stream);
        continue;
      }
      const above = this.#above.get(stream);
      if (above === undefined || above.have !== have) {
        this.#above.set(stream, { have, since: now });
      } else if (now - above.since >= most) {
        this.#above.delete(stream);
        doubtful.push([stream, have]);
      }
    }
    return doubtful;
  }
}

/** Each stream of the copy that the heads name, with its head and where the copy is. */
function* paired(heads: Heads, here: Here): Iterable<[string | null, number, number | null]> {
  yield [null, heads.user.rev, here.user];
  for (const [roomId, { rev }] of here.rooms) {
    const head = heads.rooms.get(roomId);
    if (head !== undefined) yield [roomId, head.rev, rev];
  }
}

/**
 * How much is asked for at once: less after a failure, and more again after each success.
 *
 * A pull that fails is repeated smaller: fewer rows, smaller windows, fewer rooms, at last one room at a time. A
 * room that fails alone while the server answers without it is deferred: it is tried again now and then, by
 * itself, and holds up no other.
 */
import type { ParleyError } from "./errors.ts";
import { Backoff, type Rng } from "./timing.ts";

const ROOMS_MOST = 1000;
const ROWS_MOST = 5000;
const HALVINGS_MOST = 12;
/** Rooms are halved this often for each time that rows are, so that one bad room is soon alone. */
const ROOMS_FALL = 4;
const DEFERRED_LEAST_MS = 1000;
const DEFERRED_MOST_MS = 300_000;

/** A share of what is asked for at best. */
export class BatchSize {
  constructor(public halvings = 0) {}

  /** What is left of a size, at least 1. */
  of(most: number): number {
    return Math.max(1, most >> this.halvings);
  }

  /** How many rooms one pull may name. */
  get rooms(): number {
    return Math.max(1, Math.floor(ROOMS_MOST / 2 ** (this.halvings * ROOMS_FALL)));
  }

  /** About how many rows one answer may bring. */
  get rows(): number {
    return this.of(ROWS_MOST);
  }

  shrink(): void {
    this.halvings = Math.min(this.halvings + 1, HALVINGS_MOST);
  }

  grow(): void {
    this.halvings = Math.max(this.halvings - 1, 0);
  }
}

/** A room that failed alone: how much is asked of it, when it is due, and what went wrong. */
interface Deferred {
  readonly size: BatchSize;
  readonly wait: Backoff;
  error: ParleyError | null;
  due: number;
}

/** Which rooms are asked for together, and how much of them. Times are in milliseconds. */
export class Batches {
  readonly #all = new BatchSize();
  readonly #deferred = new Map<string, Deferred>();

  constructor(
    readonly rng: Rng,
    readonly roomsMost: number,
  ) {}

  /** Why a room is not here, if one is set aside. */
  get error(): ParleyError | null {
    for (const each of this.#deferred.values()) if (each.error !== null) return each.error;
    return null;
  }

  /** When the next room that is set aside is to be tried; null when there is none. */
  get due(): number | null {
    return this.#deferred.size === 0
      ? null
      : Math.min(...[...this.#deferred.values()].map((each) => each.due));
  }

  /** Tell whether a stream may be asked for; the own one always may. */
  isDue(stream: string | null, now: number): boolean {
    const deferred = stream === null ? undefined : this.#deferred.get(stream);
    return deferred === undefined || deferred.due <= now;
  }

  /** Forget what is not behind any more, or gone. */
  retain(behind: readonly (string | null)[]): void {
    for (const each of this.#deferred.keys()) {
      if (!behind.includes(each)) this.#deferred.delete(each);
    }
  }

  /** Let the rooms that are deferred be tried at once. */
  tryAll(): void {
    for (const each of this.#deferred.values()) each.due = 0;
  }

  /** The rooms of the next pull, and how much of them: deferred ones come last and alone. */
  choose(rooms: readonly string[]): [string[], BatchSize] {
    const sound = rooms.filter((each) => !this.#deferred.has(each));
    const [first] = rooms;
    const deferred = first === undefined ? undefined : this.#deferred.get(first);
    if (sound.length > 0 || first === undefined || deferred === undefined) {
      return [sound.slice(0, Math.min(this.#all.rooms, this.roomsMost)), this.#all];
    }
    return [[first], deferred.size];
  }

  /** A pull of these rooms came and was applied. */
  succeed(rooms: readonly string[], size: BatchSize): void {
    size.grow();
    const deferred = rooms[0] === undefined ? undefined : this.#deferred.get(rooms[0]);
    if (deferred !== undefined && deferred.size === size) {
      deferred.error = null;
      deferred.due = 0;
      deferred.wait.reset();
    }
  }

  /** A pull failed. Tells whether the fault may be that of one room. */
  fail(rooms: readonly string[], size: BatchSize): boolean {
    const isAlone = rooms.length === 1 && (size.rooms === 1 || size !== this.#all);
    size.shrink();
    return isAlone;
  }

  /** Try a room again later, by itself. */
  defer(roomId: string, error: ParleyError, now: number): void {
    const deferred = this.#deferred.get(roomId) ?? {
      size: new BatchSize(this.#all.halvings),
      wait: new Backoff(DEFERRED_LEAST_MS, DEFERRED_MOST_MS, this.rng),
      error,
      due: 0,
    };
    deferred.error = error;
    deferred.due = now + deferred.wait.next();
    this.#deferred.set(roomId, deferred);
  }
}

/** The feed of changes: a queue for each follower, small however long nobody takes from it. */
import { change } from "./change.ts";
import type { Change } from "./types.ts";

/** How many changes and rows may wait for one follower. */
const MOST_WAITING = 10_000;

export class Feed {
  readonly #listeners = new Set<(changes: readonly Change[]) => void>();
  readonly #followers = new Set<Follower>();

  /** Hand out changes; without any, only tell listeners that something is different. */
  emit(changes: readonly Change[]): void {
    for (const follower of this.#followers) for (const each of changes) follower.put(each);
    for (const listener of [...this.#listeners]) listener(changes);
  }

  /** Let every follower end when its changes are taken. */
  end(): void {
    for (const follower of this.#followers) follower.end();
    this.#followers.clear();
    this.emit([]);
  }

  /** Call a function with what is handed out; returns how to stop that. */
  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The changes that are handed out from now on. */
  changes(): AsyncIterableIterator<Change> {
    const follower = new Follower();
    this.#followers.add(follower);
    const leave = async (): Promise<IteratorResult<Change>> => {
      this.#followers.delete(follower);
      follower.end();
      return { done: true, value: undefined };
    };
    return {
      next: () => follower.take(),
      return: leave,
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}

/**
 * The changes that somebody has not taken yet.
 *
 * When too much waits, it becomes one change per room and table, and one of what is the account's own, without rows and
 * fresh: read the room again.
 */
class Follower {
  #waiting: Change[] = [];
  #size = 0;
  #isOver = false;
  #takers: ((result: IteratorResult<Change>) => void)[] = [];

  put(coming: Change): void {
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker({ done: false, value: coming });
      return;
    }
    this.#waiting.push(coming);
    this.#size += sizeOf(coming);
    if (this.#size > MOST_WAITING) {
      this.#waiting = coalesced(this.#waiting);
      // (What is left cannot be made smaller: it is the number of rooms and tables.)
      this.#size = 0;
    }
  }

  end(): void {
    this.#isOver = true;
    for (const taker of this.#takers.splice(0)) taker({ done: true, value: undefined });
  }

  take(): Promise<IteratorResult<Change>> {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      this.#size = Math.max(this.#size - sizeOf(next), 0);
      return Promise.resolve({ done: false, value: next });
    }
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#takers.push(resolve));
  }
}

function sizeOf({ rows, table }: Change): number {
  const keys = table?.keys.length ?? 0;
  return Object.values(rows).reduce((sum, some) => sum + some.length, 1 + keys);
}

/** One change per room and table, in the order of its newest, and the newest fault. */
function coalesced(changes: readonly Change[]): Change[] {
  const newest = new Map<string | null, Change>();
  let fault: string | null = null;
  for (const { room_id, is_gone, table, ...each } of changes) {
    fault = each.fault ?? fault;
    if (table !== null) {
      newest.delete(table.name);
      newest.set(table.name, change(null, { table: { ...table, keys: [], is_fresh: true } }));
      continue;
    }
    newest.delete(room_id);
    newest.set(room_id, change(room_id, { is_gone, is_fresh: !is_gone }));
  }
  if (fault !== null) newest.set(null, change(null, { is_fresh: true, fault }));
  return [...newest.values()];
}

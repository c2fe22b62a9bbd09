/**
 * Making room on a full disk: the oldest messages of each room leave the copy.
 *
 * The messages and the note of where a room begins now belong into one transaction. A disk with no room for the
 * note still takes deletions: then messages go first, with `whole`, and both are written down afterwards. A copy
 * without `whole` may lack messages that it names, and whoever leads next fetches its rooms anew.
 */
import { change } from "./change.ts";
import type { Draft } from "./draft.ts";
import { ParleyError } from "./errors.ts";
import { settleOlder } from "./older.ts";
import { ABOUT_MESSAGE } from "./kinds.ts";
import type { Store } from "./store.ts";
import { under } from "./storage/storage.ts";
import type { RoomRecord } from "./storage/tables.ts";
import type { Change } from "./types.ts";

/** Shorter and shorter windows, in messages; the first that frees something is taken. */
const WINDOWS = [200, 20];

/** Shorten what is kept of every room; returns the rooms that are different now. */
export async function prune(store: Store): Promise<Change[]> {
  const isWhole = (await store.storage.read((tx) => tx.get("whole", 1))) !== undefined;
  for (const window of isWhole ? WINDOWS : WINDOWS.slice(-1)) {
    const shortened = await shorten(store, window);
    if (shortened.length > 0) return shortened;
  }
  return [];
}

/** Tell whether the disk is full. */
export function isFull(error: unknown): boolean {
  const cause = error instanceof ParleyError ? error.cause : null;
  return cause instanceof DOMException && cause.name === "QuotaExceededError";
}

async function shorten(store: Store, window: number): Promise<Change[]> {
  const work = async (draft: Draft) => {
    const changes: Change[] = [];
    for (const [room, first_seq] of await longerThan(draft, window)) {
      await clearBefore(draft, room, first_seq);
      await draft.change(room.room_id, { first_seq, older_counted: false });
      await settleOlder(draft, room.room_id);
      draft.recount(room.room_id);
      changes.push(change(room.room_id, { is_fresh: true }));
    }
    await draft.tx.put("whole", { only: 1 });
    return changes;
  };
  try {
    return await store.write(work);
  } catch (error) {
    if (!isFull(error)) throw error;
    await store.write(async (draft) => {
      await draft.tx.remove("whole", 1);
      for (const [room, first_seq] of await longerThan(draft, window)) {
        await clearBefore(draft, room, first_seq);
      }
    });
    return store.write(work);
  }
}

/** The rooms of which more is kept, and where they will begin. */
async function longerThan(draft: Draft, window: number): Promise<[RoomRecord, number][]> {
  return (await draft.rooms())
    .map((room): [RoomRecord, number] => [room, room.last_seq - window + 1])
    .filter(([room, first_seq]) => room.is_here && first_seq > room.first_seq);
}

async function clearBefore(draft: Draft, room: RoomRecord, first_seq: number): Promise<void> {
  for (const name of ABOUT_MESSAGE) {
    await draft.tx.clear(name, under([room.room_id], undefined, first_seq));
  }
}

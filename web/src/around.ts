/** What the views of rooms and messages need besides their rows. */
import { Overlay } from "./overlay.ts";
import type { Reader } from "./storage/storage.ts";
import type { RoomRecord } from "./storage/tables.ts";
import type { OutboxItem } from "./types.ts";

/** Who looks, what they did that is not confirmed, and whom they have blocked. */
export interface Around {
  readonly me: string;
  readonly items: readonly OutboxItem[];
  readonly blocked: ReadonlySet<string>;
}

/** The ids of the people whom this account has blocked. */
export async function readBlocked(reader: Reader): Promise<string[]> {
  return (await reader.list("blocks"))
    .filter(({ row }) => row !== null && (row["removed_at"] ?? null) === null)
    .map((each) => each.blocked_id);
}

/** Read it. */
export async function readAround(reader: Reader, me: string): Promise<Around> {
  return { me, items: await reader.list("outbox"), blocked: new Set(await readBlocked(reader)) };
}

/** What is laid over the messages of a room. */
export function overlayOf({ items, me }: Around, roomId: string): Overlay {
  return new Overlay(items.filter((item) => item.room_id === roomId), me);
}

/** A message of a group by somebody whom this account has blocked is folded. */
export function isFolded(room: RoomRecord, senderId: string, { blocked }: Around): boolean {
  return room.row?.["kind"] === "group" && blocked.has(senderId);
}

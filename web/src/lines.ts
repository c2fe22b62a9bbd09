/** The lines of the start screen. */
import { type Around, isFolded, overlayOf, readAround } from "./around.ts";
import { isOnItsWay, MOST_UNREAD } from "./draft.ts";
import { numberOf, textOf } from "./rows.ts";
import type { Reader, Storage } from "./storage/storage.ts";
import type { RoomRecord } from "./storage/tables.ts";
import type { Change, LastMessage, Room } from "./types.ts";
import { messageOf, preferencesOf, roomRowOf } from "./views.ts";

/**
 * All lines, in memory: a read fetches the rooms that have changed since the one before.
 *
 * A line that is the same is the same object, so that whoever shows it need not compare it.
 */
export class Lines {
  readonly #records = new Map<string, RoomRecord>();
  /** The rooms to read again; null is all of them. */
  #stale: Set<string> | null = null;
  #views = new WeakMap<RoomRecord, Room>();
  #blocked = "";
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    readonly storage: Storage,
    readonly me: string,
  ) {}

  /** Take what changed in the copy; null where that is not known. */
  hear(changes: readonly Change[] | null): void {
    if (changes === null) this.#stale = null;
    for (const { room_id, rows, is_fresh } of changes ?? []) {
      if (room_id !== null) this.#stale?.add(room_id);
      else if (is_fresh) this.#stale = null;
      // What the own stream says of a room is part of its line.
      for (const row of room_id === null ? Object.values(rows).flat() : []) {
        if (typeof row["room_id"] === "string") this.#stale?.add(row["room_id"]);
      }
    }
  }

  /** A page of the start screen: pinned first, then by the newest message. */
  read(offset: number, pageSize: number): Promise<Room[]> {
    // One after the other: each goes on from what the one before has read.
    const mine = this.#turn.then(() => this.#read(offset, pageSize));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #read(offset: number, pageSize: number): Promise<Room[]> {
    const stale = this.#stale;
    this.#stale = new Set();
    let around: Around;
    try {
      around = await this.storage.read(async (tx) => {
        await this.#refresh(tx, stale);
        return readAround(tx, this.me);
      });
    } catch (error) {
      this.#stale = null;
      throw error;
    }
    const blocked = [...around.blocked].join();
    if (blocked !== this.#blocked) this.#views = new WeakMap();
    this.#blocked = blocked;
    const busy = new Set(around.items.map((item) => item.room_id));
    return [...this.#records.values()]
      .sort(
        (a, b) =>
          Number(isPinned(b)) - Number(isPinned(a)) ||
          order(b.active_at, a.active_at) ||
          order(a.room_id, b.room_id),
      )
      .slice(offset, offset + pageSize)
      .map((record) =>
        busy.has(record.room_id) ? roomOf(record, around) : this.#viewOf(record, around)
      );
  }

  async #refresh(tx: Reader, stale: ReadonlySet<string> | null): Promise<void> {
    if (stale === null) {
      const all = await tx.list("rooms");
      this.#records.clear();
      for (const record of all) if (record.is_here) this.#records.set(record.room_id, record);
      return;
    }
    await Promise.all([...stale].map(async (roomId) => {
      const record = await tx.get("rooms", roomId);
      if (record?.is_here) this.#records.set(roomId, record);
      else this.#records.delete(roomId);
    }));
  }

  #viewOf(record: RoomRecord, around: Around): Room {
    const view = this.#views.get(record) ?? roomOf(record, around);
    this.#views.set(record, view);
    return view;
  }
}

/** One room; null when the copy has none. */
export async function readRoom(reader: Reader, me: string, roomId: string): Promise<Room | null> {
  const room = await reader.get("rooms", roomId);
  return room?.is_here ? roomOf(room, await readAround(reader, me)) : null;
}

function roomOf(room: RoomRecord, around: Around): Room {
  const { me, items } = around;
  const row = roomRowOf(room.row);
  const isRead = items.some(
    (item) =>
      item.room_id === room.room_id &&
      item.kind === "read" &&
      isOnItsWay(item) &&
      (item.seq ?? 0) >= room.last_seq,
  );
  // What is unread before the copy counts while the mark is before it, too.
  const isOlderUnread = room.read_seq < room.first_seq - 1;
  return {
    id: room.room_id,
    row,
    name: row?.name ?? null,
    last_message: lastOf(room, around),
    unread: Math.min(MOST_UNREAD, room.unread + (isOlderUnread ? room.older_unread : 0)),
    mentions: Math.min(MOST_UNREAD, room.mentions + (isOlderUnread ? room.older_mentions : 0)),
    marked_unread: room.preferences?.["marked_unread"] === true && !isRead,
    preferences: preferencesOf(room.preferences),
    other_id: row?.kind === "direct" ? (row.low_user === me ? row.high_user : row.low_user) : null,
    active_at: room.active_at,
  };
}

function lastOf(room: RoomRecord, around: Around): LastMessage | null {
  const overlay = overlayOf(around, room.room_id);
  const waiting = overlay.unnumbered().at(-1);
  if (waiting !== undefined) return waiting;
  if (room.last === null) return null;
  const { last } = room;
  const rev = numberOf(last, "rev");
  const record = {
    room_id: room.room_id,
    seq: room.last_seq,
    rev,
    sender_id: textOf(last, "sender_id"),
    at: 0,
    words: [],
    row: last,
  };
  const message = overlay.on(messageOf(record));
  return { ...message, is_folded: isFolded(room, message.sender_id, around) };
}

function isPinned(room: RoomRecord): boolean {
  return room.preferences?.["pinned"] === true;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * What one transaction changes: rooms and the account are read once, changed in memory, and written at its end.
 *
 * Counts of unread messages and the newest message of a room are part of its record, so that the start screen
 * reads nothing else; whatever they depend on asks for `recount`.
 */
import { calls, countsAsUnread } from "./kinds.ts";
import { numberOf, type Row } from "./rows.ts";
import { under, type Writer } from "./storage/storage.ts";
import type {
  Account,
  Kept,
  NotificationRecord,
  Records,
  RoomRecord,
  Table,
} from "./storage/tables.ts";
import type { OutboxItem } from "./types.ts";

export const MOST_UNREAD = 100;
const COUNTED_AT_ONCE = 200;

export class Draft {
  account: Account;
  readonly #before: Account;
  readonly #rooms = new Map<string, RoomRecord | null>();
  readonly #changed = new Set<string>();
  readonly #uncounted = new Map<string, readonly Row[] | null>();
  #outbox: OutboxItem[] | null = null;
  #notifications: NotificationRecord[] | null = null;

  constructor(
    readonly tx: Writer,
    account: Account,
  ) {
    this.account = this.#before = account;
  }

  get me(): string {
    return this.account.user_id;
  }

  /** What is known of a room; null for nothing. */
  async room(roomId: string): Promise<RoomRecord | null> {
    const known = this.#rooms.get(roomId);
    if (known !== undefined) return known;
    const room = (await this.tx.get("rooms", roomId)) ?? null;
    this.#rooms.set(roomId, room);
    return room;
  }

  /** All rooms, as they are now. */
  async rooms(): Promise<RoomRecord[]> {
    for (const room of await this.tx.list("rooms")) {
      if (!this.#rooms.has(room.room_id)) this.#rooms.set(room.room_id, room);
    }
    return [...this.#rooms.values()].filter((each) => each !== null);
  }

  /** Change a room, or note one that is new. */
  async change(roomId: string, changes: Partial<RoomRecord>): Promise<RoomRecord> {
    const room = { ...((await this.room(roomId)) ?? unknownRoom(roomId)), ...changes };
    this.#rooms.set(roomId, room);
    this.#changed.add(roomId);
    return room;
  }

  /** Count what is not read in a room before the transaction ends; `messages` are all of its messages, if known. */
  recount(roomId: string, messages: readonly Row[] | null = null): void {
    this.#uncounted.set(roomId, messages);
  }

  /** The actions of the outbox, in order. */
  async outbox(): Promise<readonly OutboxItem[]> {
    this.#outbox ??= await this.tx.list("outbox");
    return this.#outbox;
  }

  /** Write an action down, or what became of it. */
  async putItem(item: OutboxItem): Promise<void> {
    const others = (await this.outbox()).filter((each) => each.id !== item.id);
    this.#outbox = [...others, item].sort((a, b) => a.id - b.id);
    await this.tx.put("outbox", item);
    if (item.kind === "read") this.recount(item.room_id);
  }

  /** Forget actions. */
  async removeItems(isOver: (item: OutboxItem) => boolean): Promise<void> {
    for (const item of (await this.outbox()).filter(isOver)) {
      await this.tx.remove("outbox", item.id);
      if (item.kind === "read") this.recount(item.room_id);
    }
    this.#outbox = (await this.outbox()).filter((item) => !isOver(item));
  }

  /** The notifications that are not over. */
  async notifications(): Promise<readonly NotificationRecord[]> {
    this.#notifications ??= await this.tx.list("notifications");
    return this.#notifications;
  }

  /** Forget notifications about a room: mentions, replies and invites end, what an app tells stays. */
  async endNotifications(
    roomId: string,
    isOver: (notification: NotificationRecord, row: Row) => boolean,
  ): Promise<void> {
    for (const each of await this.notifications()) {
      const row = each.row;
      if (row?.["room_id"] === roomId && canEnd(row) && isOver(each, row)) {
        await this.tx.remove("notifications", each.seq);
        this.#notifications = (await this.notifications()).filter((other) => other !== each);
      }
    }
  }

  /** Read notifications again: they were written meanwhile. */
  forgetNotifications(): void {
    this.#notifications = null;
  }

  /** Write a row; one that no storage can keep leaves its key and why. */
  async put<T extends Table>(
    table: T,
    record: Records[T] & Pick<Kept, "row" | "fault">,
  ): Promise<void> {
    try {
      await this.tx.put(table, record);
    } catch (error) {
      if (!isUnkeepable(error)) throw error;
      await this.tx.put(table, { ...record, row: null, fault: String(error) });
    }
  }

  /** Write what was changed; returns the rooms, null for one of which nothing is left. */
  async finish(): Promise<ReadonlyMap<string, RoomRecord | null>> {
    const done = new Map<string, RoomRecord | null>();
    for (const roomId of new Set([...this.#changed, ...this.#uncounted.keys()])) {
      let room = await this.room(roomId);
      if (room === null) continue;
      if (this.#uncounted.has(roomId) && room.is_here) room = await this.#counted(room);
      const isKept = room.is_here || room.membership || room.mark || room.preferences;
      if (isKept) await this.tx.put("rooms", room);
      else await this.tx.remove("rooms", roomId);
      done.set(roomId, isKept ? room : null);
    }
    if (this.account !== this.#before) await this.tx.put("account", this.account);
    return done;
  }

  /** A room with what others said that this person has not read, or has not told the server to have read. */
  async #counted(room: RoomRecord): Promise<RoomRecord> {
    const self = await this.tx.get("members", [room.room_id, this.me]);
    const marks = (await this.outbox()).filter(
      (item) => item.room_id === room.room_id && item.kind === "read" && isOnItsWay(item),
    );
    const read_seq = Math.max(
      numberOf(room.membership, "joined_seq"),
      numberOf(self?.row ?? null, "joined_seq"),
      numberOf(room.mark, "read_seq"),
      numberOf(room.preferences, "cleared_seq"),
      ...marks.map((item) => item.seq ?? 0),
    );
    let unread = 0;
    let mentions = 0;
    let from = Math.max(room.first_seq, read_seq + 1);
    const known = this.#uncounted.get(room.room_id)?.filter((row) => numberOf(row, "seq") >= from);
    while (from <= room.last_seq && mentions < MOST_UNREAD && unread < MOST_UNREAD) {
      const to = known === undefined ? from + COUNTED_AT_ONCE : room.last_seq + 1;
      const span = under([room.room_id], from, to);
      const rows = known ?? (await this.tx.list("messages", span)).map((each) => each.row);
      for (const row of rows) {
        if (row === null || !countsAsUnread(row) || row["sender_id"] === this.me) continue;
        unread += 1;
        if (calls(row, this.me)) mentions += 1;
      }
      from = to;
    }
    return { ...room, unread, mentions, read_seq };
  }
}

/** Tell whether an action was not refused, and its row has not come yet. */
export function isOnItsWay(item: OutboxItem): boolean {
  return item.state === "pending" || item.state === "sent";
}

/** Tell whether a notification ends with what it is about. */
export function canEnd(row: Row): boolean {
  return row["kind"] === "mention" || row["kind"] === "reply" || row["kind"] === "invite";
}

function unknownRoom(room_id: string): RoomRecord {
  return {
    room_id,
    is_here: false,
    ...emptyStream,
    row: null,
    membership: null,
    mark: null,
    preferences: null,
    last: null,
  };
}

/** What is known of the stream of a room before anything came. */
export const emptyStream = {
  rev: null,
  first_seq: 1,
  last_seq: 0,
  active_at: "",
  older_unread: 0,
  older_mentions: 0,
  older_counted: false,
  unread: 0,
  mentions: 0,
  read_seq: 0,
} as const;

function isUnkeepable(error: unknown): boolean {
  return (
    error instanceof RangeError ||
    (error instanceof DOMException && error.name === "DataCloneError")
  );
}

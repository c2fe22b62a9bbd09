/** The tables of a copy, their keys and their records. */
import type { Json, Row } from "../rows.ts";
import type { OutboxItem } from "../types.ts";
import type { Key } from "./storage.ts";

/** What the copy says about itself. There is one. */
export interface Account {
  readonly only: 1;
  readonly user_id: string;
  /** The name of this browser, made up once: what is registered for push and named in receipts. */
  readonly device_id: string;
  /** Which models the rows were kept for; others fetch them anew. */
  readonly shape: number;
  /** Who may write rows: the leader that took this number. */
  readonly term: number;
  readonly timeline: string | null;
  /** How far the own stream has been applied; null for nothing. */
  readonly rev: number | null;
  /** The snapshot of the last answer: profiles that changed since then come with the next one. */
  readonly seen: string | null;
  readonly notifications_read_seq: number;
  /** A room began anew above messages that notifications are about: the own stream is fetched again. */
  readonly has_doubts: boolean;
  /** Profiles may show more than they may, or less: they are asked for anew. */
  readonly has_profile_doubts: boolean;
  /** The id of the newest action. */
  readonly last_item_id: number;
}

/** It is there while each room has all messages of its range; see `prune.ts` for when it is not. */
export interface Whole {
  readonly only: 1;
}

/** A room, with what the own stream says of it. */
export interface RoomRecord {
  readonly room_id: string;
  /** This person is in it, so that its stream is kept. */
  readonly is_here: boolean;
  /** How far its stream has been applied; null for nothing. */
  readonly rev: number | null;
  /** The messages from here to `last_seq` are here, without a gap. */
  readonly first_seq: number;
  readonly last_seq: number;
  readonly active_at: string;
  /** What is not read before `first_seq`, as the server counted it; `older_counted` says whether it is so still. */
  readonly older_unread: number;
  readonly older_mentions: number;
  readonly older_counted: boolean;
  readonly row: Row | null;
  readonly membership: Row | null;
  readonly mark: Row | null;
  readonly preferences: Row | null;
  /** The row of the newest message here. */
  readonly last: Row | null;
  /** What is not read from `first_seq` on, up to 100, and above which seq that is. */
  readonly unread: number;
  readonly mentions: number;
  readonly read_seq: number;
}

/** A row with its number. `row` is null, and `fault` says why, where it cannot be kept. */
export interface Kept {
  readonly rev: number;
  readonly row: Row | null;
  readonly fault?: string;
}

export interface MemberRecord extends Kept {
  readonly room_id: string;
  readonly user_id: string;
}

export interface MessageRecord extends Kept {
  readonly room_id: string;
  readonly seq: number;
  readonly sender_id: string;
  /** When it was sent, in microseconds since 1970; 0 is unknown. */
  readonly at: number;
  /** The words it is found by, each with `at`. */
  readonly words: readonly (readonly [string, number])[];
}

export interface ReactionRecord extends Kept {
  readonly room_id: string;
  readonly seq: number;
  readonly user_id: string;
  readonly emoji: string;
}

export interface PinRecord extends Kept {
  readonly room_id: string;
  readonly seq: number;
}

export interface ReceiptRecord extends Kept {
  readonly room_id: string;
  readonly up_to_seq: number;
  readonly user_id: string;
  readonly kind: string;
}

export interface NotificationRecord extends Kept {
  readonly seq: number;
}

export interface BlockRecord extends Kept {
  readonly blocked_id: string;
}

export interface ProfileRecord {
  readonly user_id: string;
  readonly row: Row;
}

/** A file that waits to be uploaded; the send of the same client_id waits until it is done. */
export interface FileRecord {
  readonly path: string;
  readonly client_id: string;
  readonly mime_type: string;
  readonly blob: Blob;
  readonly is_done: boolean;
}

/** A table of the app's own, as far as it is known here. */
export interface TableRecord {
  readonly name: string;
  /** The columns that rows have entries for, and the one by which they grow old. */
  readonly indexes: readonly string[];
  readonly newest: string | null;
  /** Which rows of it are wanted, as JSON. */
  readonly subset: string;
  readonly timeline: string | null;
  /** How often rows of an owner left because this account did; what was asked for before is too old then. */
  readonly drops: number;
  readonly owner: "tenant" | "user" | null;
  /** The columns of the primary key. */
  readonly key: readonly string[];
  /** The last answer was the end of it. */
  readonly is_whole: boolean;
  /** What is in the way of this table; null when nothing is. */
  readonly fault: string | null;
}

/** How far the rows of one owner go. */
export interface TableOwnerRecord {
  readonly table: string;
  readonly owner_id: string;
  readonly timeline: string;
  /** What the server wants to be told next time. */
  readonly cursor: Row;
  /** While they come for the first time: how many came, and how many there are about. */
  readonly fetched: number | null;
  readonly about: number | null;
}

/** A row of a table of the app's own. */
export interface TableRowRecord {
  readonly table: string;
  /** What the server calls it. */
  readonly tag: string;
  readonly owner_id: string;
  /** The values of the key. */
  readonly key: readonly Json[];
  /** What it is found by; `table_rows.ts` says which there are. */
  readonly entries: readonly Key[];
  readonly row: Row | null;
  readonly fault?: string;
}

export interface Records {
  account: Account;
  whole: Whole;
  rooms: RoomRecord;
  members: MemberRecord;
  messages: MessageRecord;
  reactions: ReactionRecord;
  pins: PinRecord;
  receipts: ReceiptRecord;
  notifications: NotificationRecord;
  blocks: BlockRecord;
  profiles: ProfileRecord;
  outbox: OutboxItem;
  files: FileRecord;
  tables: TableRecord;
  table_owners: TableOwnerRecord;
  table_rows: TableRowRecord;
}

export type Table = keyof Records;

/** The columns that make the key of each table. */
export const KEYS = {
  account: ["only"],
  whole: ["only"],
  rooms: ["room_id"],
  members: ["room_id", "user_id"],
  messages: ["room_id", "seq"],
  reactions: ["room_id", "seq", "user_id", "emoji"],
  pins: ["room_id", "seq"],
  receipts: ["room_id", "up_to_seq", "user_id", "kind"],
  notifications: ["seq"],
  blocks: ["blocked_id"],
  profiles: ["user_id"],
  outbox: ["id"],
  files: ["path"],
  tables: ["name"],
  table_owners: ["table", "owner_id"],
  table_rows: ["table", "tag"],
} as const satisfies { readonly [T in Table]: readonly (keyof Records[T] & string)[] };

export const TABLES = Object.keys(KEYS) as Table[];

/**
 * What an app meets: the rows it shows, and what changes in them. `parley.ts` is the client itself.
 *
 * Everything that comes from the database keeps the names that it has there (`room_id`, `edited_at`), so one
 * word stands for one thing in SQL, Python and here. Times are text as the server prints them (RFC 3339,
 * microseconds); ids are uuids as text.
 */
import type { PreferencesRow, RoomRow } from "./models.ts";
import type { Json, Row, Rows } from "./rows.ts";
import type { TableChange } from "./table_types.ts";

export type * from "./models.ts";
export type * from "./parley.ts";
export type * from "./table_types.ts";

/** What stands behind a message: waiting, said, seen by everybody it waits for, refused, or given up. */
export type MessageState = "pending" | "sent" | "delivered" | "read" | "failed" | "discarded";

/**
 * A message as it should be shown: the columns of `messages`, edits and all.
 *
 * What only the server gives is null in an own message that it has not numbered yet. Others' messages are
 * `sent`. `reason` is the slug of a refusal, `item_id` the action in the outbox to retry or dismiss.
 */
export interface Message {
  readonly room_id: string;
  /** The place in the room. */
  readonly seq: number | null;
  readonly id: string | null;
  readonly sender_id: string;
  readonly sender_label: string | null;
  /** What the sender's device calls it. */
  readonly client_id: string | null;
  readonly kind: "text" | "system";
  /** As typed: put it on a page as text, never as HTML. */
  readonly body: string;
  readonly reply_to: number | null;
  readonly thread_root: number | null;
  readonly mentions: readonly string[];
  readonly mention_all: boolean;
  readonly attachments: readonly Json[];
  readonly metadata: { readonly [key: string]: Json };
  readonly edited_at: string | null;
  /** When it was deleted: show a placeholder without a text. */
  readonly deleted_at: string | null;
  /** The server's clock; until it is sent, the clock of this device. */
  readonly created_at: string;
  readonly rev: number | null;
  readonly state: MessageState;
  readonly reason: string;
  readonly item_id: number | null;
  /** Who stands by which emoji. */
  readonly reactions: { readonly [emoji: string]: readonly string[] };
  readonly is_pinned: boolean;
  /** It is in a group, and this account has blocked its sender: show a line that unfolds it. */
  readonly is_folded: boolean;
  /** Somebody sent something that this version cannot read: there is a place and no content. */
  readonly is_unreadable: boolean;
}

/** The newest message of a room on the start screen: without reactions, pin and ticks. */
export type LastMessage = Omit<Message, "reactions" | "is_pinned">;

/**
 * A line of the start screen.
 *
 * `row` is null until it is fetched. `unread` and `mentions` count to 100, also what is older than the copy,
 * since this person came in.
 */
export interface Room {
  readonly id: string;
  readonly row: RoomRow | null;
  /** The name of a group; null for a direct room. */
  readonly name: string | null;
  readonly last_message: LastMessage | null;
  readonly unread: number;
  readonly mentions: number;
  /** This person wants to come back to it, and has not read it up to its end since. */
  readonly marked_unread: boolean;
  readonly preferences: PreferencesRow | null;
  /** The other person of a direct room. */
  readonly other_id: string | null;
  /** The time of the newest message, as text; empty when there is none. */
  readonly active_at: string;
}

/** What can be done without a network. */
export type ActionKind = "send" | "edit" | "delete" | "react" | "unreact" | "read" | "delivered";

/** The arguments of an action besides room and message. Only those of its kind are there. */
export interface Said {
  readonly body?: string;
  readonly reply_to?: number;
  readonly mentions?: readonly string[];
  readonly mention_all?: boolean;
  readonly attachments?: readonly Json[];
  readonly metadata?: { readonly [key: string]: Json };
  readonly expected_rev?: number;
  readonly emoji?: string;
}

/**
 * One action of the outbox. `client_id` or `seq` names the message it makes or is about.
 *
 * `state` is pending until the server answered, sent until its row is in the copy, failed with the slug of
 * the refusal as `reason`, or discarded because the room or the message it was about is gone.
 */
export interface OutboxItem {
  readonly id: number;
  readonly room_id: string;
  readonly kind: ActionKind;
  readonly client_id: string | null;
  readonly seq: number | null;
  readonly said: Said;
  readonly state: "pending" | "sent" | "failed" | "discarded";
  readonly reason: string;
  readonly rev: number | null;
  readonly row: Row | null;
  readonly created_at: string;
}

/** How far a file of an own message got. */
export interface Progress {
  readonly client_id: string;
  readonly path: string;
  /** Bytes that are on their way; all of them when storage has the file. */
  readonly sent: number;
  /** Bytes in all. */
  readonly size: number;
}

/**
 * Something the copy did not show before. `room_id` is null for what is the account's own.
 *
 * `is_gone` tells that the room left the copy. `is_fresh` tells to read all of it again: rows replaced all
 * there was, or more changed than whoever follows has taken. `rows` are the new rows as they came, by kind; they
 * may have been there before, so replace what you show and do not count. `people` are those whose profile
 * changed, `fault` is what got in the way of the copy, told once.
 */
export interface Change {
  readonly room_id: string | null;
  readonly rows: Rows;
  readonly is_gone: boolean;
  readonly is_fresh: boolean;
  readonly dropped_tenants: readonly string[];
  /** This account may be in other tenants than before. */
  readonly places_changed: boolean;
  readonly people: readonly string[];
  readonly fault: string | null;
  readonly upload: Progress | null;
  /** What changed in one of the app's own tables; null in every other change. */
  readonly table: TableChange | null;
}

/** How the copy stands. */
export interface Status {
  /**
   * `starting` until the copy can be read; `signed_out` when nobody is signed in; `closed` after `close`.
   * `live`: changes arrive by themselves. `polling`: Realtime is out of reach, so heads are compared every 5
   * seconds. `offline`: the server did not answer.
   */
  readonly state: "starting" | "signed_out" | "offline" | "polling" | "live" | "closed";
  /** Whose copy this is; null until somebody signed in. */
  readonly me: string | null;
  /** This tab talks to the server, for all tabs of this account. */
  readonly is_leader: boolean;
  /** A room or the own stream is still to be fetched. */
  readonly is_behind: boolean;
  /** What is in the way of the copy, such as a full disk; null when nothing is. */
  readonly fault: string | null;
}

/** How a copy of a room and the server's differ: the number of the room, its messages, and a sum over them. */
export interface Difference {
  readonly room_id: string;
  readonly here: Checksum;
  readonly there: Checksum;
}

/** Messages of a room counted, and summed up as `room_checksum` does, when it was at the number `rev`. */
export interface Checksum {
  readonly rev: number;
  readonly count: number;
  readonly sum: number;
}

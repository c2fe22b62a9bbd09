/** Rows of the copy as an app shows them. Other people wrote them: what cannot be read is shown as such. */
import { isId, isNumber, isObject, isText, type Json, type Row } from "./rows.ts";
import type { MessageRecord } from "./storage/tables.ts";
import type {
  MemberRow,
  Message,
  Notification,
  PreferencesRow,
  ProfileRow,
  RoomRow,
} from "./types.ts";

/** The sender of a message of which not even that can be read. */
const NOBODY = "00000000-0000-0000-0000-000000000000";

/** What a message is before anything is known of it besides its row. */
export const PLAIN = {
  state: "sent",
  reason: "",
  item_id: null,
  reactions: {},
  is_pinned: false,
  is_folded: false,
  is_unreadable: false,
} as const;

type Test = (value: unknown) => boolean;
const maybe = (test: Test): Test => (value) => value === null || test(value);
const isIds: Test = (value) => Array.isArray(value) && value.every(isId);
const isFlag: Test = (value) => typeof value === "boolean";
const isTime: Test = (value) => typeof value === "string" && Number.isFinite(Date.parse(value));

const MESSAGE: { readonly [column: string]: Test } = {
  room_id: isId,
  seq: isNumber,
  id: isId,
  sender_id: isId,
  sender_label: maybe(isText),
  client_id: maybe(isId),
  kind: (value) => value === "text" || value === "system",
  body: isText,
  reply_to: maybe(isNumber),
  thread_root: maybe(isNumber),
  mentions: isIds,
  mention_all: isFlag,
  attachments: Array.isArray,
  metadata: isObject,
  edited_at: maybe(isTime),
  deleted_at: maybe(isTime),
  created_at: isTime,
  rev: isNumber,
};
const ROOM = {
  id: isId,
  kind: isText,
  topic: isText,
  is_large: isFlag,
  is_closed: isFlag,
  is_public: isFlag,
  low_user: maybe(isId),
  high_user: maybe(isId),
  name: maybe(isText),
  archived_at: maybe(isTime),
  metadata: isObject,
};
const PREFERENCES = {
  room_id: isId,
  notify: isText,
  archived: isFlag,
  pinned: isFlag,
  marked_unread: isFlag,
  snoozed_until: maybe(isTime),
};
const MEMBER = { user_id: isId, role: isText, label: maybe(isText), muted_until: maybe(isTime) };
const PROFILE = { user_id: isId, display_name: isText, is_bot: isFlag, closed_at: maybe(isTime) };
const NOTIFICATION = {
  seq: isNumber,
  kind: isText,
  room_id: maybe(isId),
  message_seq: maybe(isNumber),
  actor_id: maybe(isId),
  created_at: isTime,
};

/** A row as a message, if only as one that cannot be read. */
export function messageOf(record: MessageRecord): Message {
  const { row } = record;
  if (row !== null && fits(MESSAGE, row)) {
    return ({ ...columnsOf(MESSAGE, row), ...PLAIN } as unknown) as Message;
  }
  const at = new Date(Math.floor(record.at / 1000)).toISOString();
  return {
    ...PLAIN,
    ...NO_COLUMNS,
    room_id: record.room_id,
    seq: record.seq,
    sender_id: isId(record.sender_id) ? record.sender_id : NOBODY,
    created_at: at,
    rev: record.rev,
    is_unreadable: true,
  };
}

/** The columns of a message that nothing is known of. */
export const NO_COLUMNS = {
  seq: null,
  id: null,
  sender_label: null,
  client_id: null,
  kind: "text",
  body: "",
  reply_to: null,
  thread_root: null,
  mentions: [],
  mention_all: false,
  attachments: [] as readonly Json[],
  metadata: {} as { readonly [key: string]: Json },
  edited_at: null,
  deleted_at: null,
  rev: null,
} as const;

/** A row as a room; null when there is none, or none that this version reads. */
export function roomRowOf(row: Row | null): RoomRow | null {
  return row !== null && fits(ROOM, row) ? (row as unknown as RoomRow) : null;
}

/** A row as preferences; null when there are none, or none that this version reads. */
export function preferencesOf(row: Row | null): PreferencesRow | null {
  return row !== null && fits(PREFERENCES, row) ? (row as unknown as PreferencesRow) : null;
}

/** A row as a member; null when it is none that this version reads. */
export function memberOf(row: Row | null): MemberRow | null {
  return row !== null && fits(MEMBER, row) ? (row as unknown as MemberRow) : null;
}

/** A row as a profile; null when it is none that this version reads. */
export function profileOf(row: Row | null): ProfileRow | null {
  return row !== null && fits(PROFILE, row) ? (row as unknown as ProfileRow) : null;
}

/** A row as a notification; null when it is none that this version reads. */
export function notificationOf(row: Row | null, readSeq: number): Notification | null {
  if (row === null || !fits(NOTIFICATION, row)) return null;
  return {
    data: null,
    ...columnsOf(NOTIFICATION, row),
    ...dataOf(row),
    is_read: (row["seq"] as number) <= readSeq,
  } as Notification;
}

function dataOf(row: Row): { readonly data?: Json } {
  return row["data"] === undefined ? {} : { data: row["data"] as Json };
}

function fits(tests: { readonly [column: string]: Test }, row: Row): boolean {
  return Object.entries(tests).every(([column, test]) => test(row[column]));
}

function columnsOf(tests: { readonly [column: string]: Test }, row: Row): Row {
  return Object.fromEntries(Object.keys(tests).map((column) => [column, row[column]]));
}

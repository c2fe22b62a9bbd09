/** Rows as the records in which the copy keeps them. */
import type { ABOUT_ROOM } from "./kinds.ts";
import { microsecondsOf, type Row, textOf } from "./rows.ts";
import type { Key } from "./storage/storage.ts";
import { type Kept, KEYS, type MessageRecord, type Records } from "./storage/tables.ts";
import { lexemesOf } from "./words.ts";

export type RoomTable = (typeof ABOUT_ROOM)[number];

/** A row on its way into a table of a room. */
interface Coming {
  readonly key: readonly Key[];
  readonly rev: number;
  readonly row: Row;
}

/** Rows that were checked, with their keys; of several with one key the newest. */
export function newestOf(table: RoomTable, rows: readonly Row[]): Coming[] {
  const coming = new Map<string, Coming>();
  for (const row of rows) {
    const key = KEYS[table].map((column) => row[column] as Key);
    const rev = row["rev"] as number;
    const name = key.join(" ");
    const there = coming.get(name);
    if (there === undefined || there.rev <= rev) coming.set(name, { key, rev, row });
  }
  return [...coming.values()];
}

/** The record of a row that is no message. */
export function recordOf<T extends RoomTable>(
  table: T,
  { key, rev, row }: Coming,
): Records[T] & Kept {
  const parts = KEYS[table].map((column, place) => [column, key[place]]);
  return { ...Object.fromEntries(parts), rev, row } as Records[T] & Kept;
}

/** The record of a message, with the words it is found by: none where the room is opaque. */
export function messageRecord(row: Row, isOpaque = false): MessageRecord {
  const at = microsecondsOf(row["created_at"]);
  const words = row["kind"] === "text" && !isOpaque ? new Set(lexemesOf(textOf(row, "body"))) : [];
  return {
    room_id: row["room_id"] as string,
    seq: row["seq"] as number,
    rev: row["rev"] as number,
    sender_id: textOf(row, "sender_id"),
    at,
    words: [...words].map((word) => [word, at] as const),
    row,
  };
}

/** The kinds of rows in a step, what names each of them, and what of them the copy relies on. */
import { isId, isNumber, isObject, isText, refused, type Row, type Rows } from "./rows.ts";

/** A kind of rows: the columns of its key, the column of its number, and others that decide what is here. */
export interface Kind {
  readonly key: readonly string[];
  readonly number: string;
  /** The column that names a message, if these rows are about one. */
  readonly about?: string;
  readonly needed?: readonly string[];
}

export const ROOM_KINDS = {
  rooms: { key: ["id"], number: "changed_rev", needed: ["last_seq", "floor_seq"] },
  members: { key: ["room_id", "user_id"], number: "rev" },
  messages: { key: ["room_id", "seq"], number: "rev", about: "seq" },
  reactions: { key: ["room_id", "seq", "user_id", "emoji"], number: "rev", about: "seq" },
  pins: { key: ["room_id", "seq"], number: "rev", about: "seq" },
  receipts: { key: ["room_id", "user_id", "kind", "up_to_seq"], number: "rev", about: "up_to_seq" },
} as const satisfies { readonly [name: string]: Kind };

export const USER_KINDS = {
  memberships: { key: ["room_id"], number: "user_rev", needed: ["left_at"] },
  marks: { key: ["room_id"], number: "rev" },
  preferences: { key: ["room_id"], number: "rev", needed: ["cleared_seq"] },
  notifications: { key: ["seq"], number: "rev" },
  blocks: { key: ["blocked_id"], number: "rev" },
} as const satisfies { readonly [name: string]: Kind };

/** The kinds of a room whose rows have tables of their own. */
export const ABOUT_ROOM = ["members", "messages", "reactions", "pins", "receipts"] as const;
/** Those of them that are about a message. */
export const ABOUT_MESSAGE = ["messages", "reactions", "pins", "receipts"] as const;

/** What a column has to be, by its last word; all others are ids. */
const TESTS: { readonly [word: string]: (value: unknown) => boolean } = {
  seq: isNumber,
  rev: isNumber,
  emoji: isText,
  kind: isText,
  at: (value) => value === null || isText(value),
};

/** Return rows by kind if they are that, of this room, and not numbered above `to`. Throws `answer_refused`. */
export function checkRows(
  kinds: Readonly<Record<string, Kind>>,
  rows: unknown,
  to: number,
  roomId: string | null,
): Rows {
  if (!isObject(rows) || !Object.values(rows).every(Array.isArray)) {
    throw refused("rows are no lists by kind");
  }
  for (const [name, kind] of Object.entries(kinds)) {
    checkKind(name, kind, (rows[name] ?? []) as readonly unknown[], to, roomId);
  }
  return rows as Rows;
}

/** Look at what the copy relies on in rows of a kind. Throws `answer_refused`. */
export function checkKind(
  name: string,
  kind: Kind,
  rows: readonly unknown[],
  to: number,
  roomId: string | null,
): void {
  const columns = new Set([...kind.key, kind.number, ...(kind.needed ?? [])]);
  const tests = [...columns].map(
    (column) => [column, TESTS[column.slice(column.lastIndexOf("_") + 1)] ?? isId] as const,
  );
  for (const row of rows) {
    if (!isObject(row)) throw refused(`there is a row of ${name} that is no object`);
    for (const [column, isRight] of tests) {
      if (!(column in row) || !isRight(row[column])) {
        throw refused(`there is a row of ${name} without a ${column} that can be`);
      }
    }
    if (roomId !== null && row[kind.key[0] as string] !== roomId) {
      throw refused(`there is a row of ${name} that is of another room`);
    }
    if ((row[kind.number] as number) > to) {
      throw refused(`there is a row of ${name} with a number beyond the answer's`);
    }
  }
}

/** Tell whether a message is one that somebody wrote and that stands. */
export function countsAsUnread(row: Row): boolean {
  return row["kind"] === "text" && (row["deleted_at"] ?? null) === null;
}

/** Tell whether a message mentions somebody, by name or as everybody. */
export function calls(row: Row, userId: string): boolean {
  const mentions = row["mentions"];
  return row["mention_all"] === true || (Array.isArray(mentions) && mentions.includes(userId));
}

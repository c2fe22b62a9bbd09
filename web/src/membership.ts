/**
 * Which people are in a room now, and which of them may post, as far as the copy knows.
 *
 * On a live topic anybody may say anything about anybody, so that what is shown is held against this. Of a large
 * room the copy does not hold every member; people it does not know are not shown.
 */
import type { Row } from "./rows.ts";
import type { Reader } from "./storage/storage.ts";

/** Those of some people who are in a room; nobody in a closed direct room. */
export async function members(
  reader: Reader,
  roomId: string,
  userIds: Iterable<string>,
): Promise<Set<string>> {
  const room = (await reader.get("rooms", roomId))?.row ?? null;
  const isOpen = room !== null && room["is_closed"] !== true;
  return new Set((isOpen ? await memberRows(reader, roomId, userIds) : []).map(userOf));
}

/** Those of some people who may post in a room: in an open one, neither readers nor muted. */
export async function posters(
  reader: Reader,
  roomId: string,
  userIds: Iterable<string>,
): Promise<Set<string>> {
  const room = (await reader.get("rooms", roomId))?.row ?? null;
  const isOpen = room !== null && room["is_closed"] !== true &&
    (room["archived_at"] ?? null) === null;
  const rows = isOpen ? await memberRows(reader, roomId, userIds) : [];
  const mayPost = rows.filter((row) =>
    row["role"] !== "reader" && !isAhead(row["muted_until"] ?? null)
  );
  return new Set(mayPost.map(userOf));
}

/** The rows of those of some people who are in a room. */
async function memberRows(
  reader: Reader,
  roomId: string,
  userIds: Iterable<string>,
): Promise<Row[]> {
  const records = await Promise.all(
    [...userIds].map((each) => reader.get("members", [roomId, each])),
  );
  return records
    .map((record) => record?.row ?? null)
    .filter((row) => row !== null)
    .filter((row) => (row["left_at"] ?? null) === null);
}

function userOf(row: Row): string {
  return row["user_id"] as string;
}

/** Tell whether a time is still to come; one that cannot be read counts as such. */
function isAhead(time: unknown): boolean {
  if (time === null) return false;
  const at = typeof time === "string" ? Date.parse(time) : Number.NaN;
  // (The end of 9999 and infinity are without end.)
  return !(at <= Date.now());
}

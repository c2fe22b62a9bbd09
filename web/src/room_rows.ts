/** Writing rows of rooms into the copy, and how far they go, inside a transaction. */
import { change } from "./change.ts";
import type { Draft } from "./draft.ts";
import { doubtNotifications, endWithEdits, endWithMessages, isAtMost, seqOf } from "./endings.ts";
import { ABOUT_MESSAGE, ABOUT_ROOM, calls, countsAsUnread, ROOM_KINDS } from "./kinds.ts";
import { isOlderTouched, settleOlder } from "./older.ts";
import { messageRecord, newestOf, recordOf, type RoomTable } from "./records.ts";
import { numberOf, type Row, type Rows, textOf } from "./rows.ts";
import type { Step } from "./steps.ts";
import { under } from "./storage/storage.ts";
import type { RoomRecord } from "./storage/tables.ts";
import type { Change } from "./types.ts";
import { emptyStream, MOST_UNREAD } from "./draft.ts";

/**
 * Write a step of a room; null when the copy does not know the room.
 *
 * `keepFrom` lowers the range of messages that are kept, while older ones are being fetched.
 */
export async function putRoom(
  draft: Draft,
  step: Step,
  roomId: string,
  keepFrom: number | null,
): Promise<Change | null> {
  const before = await draft.room(roomId);
  if (before === null || !before.is_here) return null;
  const rows = step.rows ?? {};
  const messages = rows["messages"] ?? [];
  const isFresh = step.begin === null;
  const cleared = numberOf(before.preferences, "cleared_seq");
  let { first_seq: first, last_seq: last, active_at } = before;
  if (isFresh) {
    const isEmpty = before.rev === null && before.row === null && before.last_seq === 0;
    if (!isEmpty) await removeRows(draft, roomId);
    last = 0;
    first = messages.length > 0
      ? Math.min(...messages.map(seqOf))
      : Math.max(0, ...(rows["rooms"] ?? []).map((row) => numberOf(row, "last_seq"))) + 1;
    if (cleared > 0 && messages.length === 0) {
      // A room keeps its place on the start screen when its history is cleared.
      for (const row of rows["rooms"] ?? []) {
        if (textOf(row, "active_at") > active_at) active_at = textOf(row, "active_at");
      }
    }
  }
  // A step may bring what this account has cleared, because the others have not.
  first = Math.max(first, cleared + 1);
  const lowest = Math.max(keepFrom === null ? first : Math.min(first, keepFrom), cleared + 1);
  const kept = keptRows(rows, lowest);
  for (const row of kept["rooms"] ?? []) await putRoomRow(draft, roomId, row, isFresh);
  for (const name of ABOUT_ROOM) await putRows(draft, name, kept[name] ?? [], isFresh ? -1 : last);
  await endWithMessages(draft, roomId, rows);
  await endWithEdits(draft, roomId, messages);
  let newest: Row | null = isFresh ? null : before.last;
  const known = last;
  for (const row of messages) {
    if (seqOf(row) < last) continue;
    if (seqOf(row) > last) active_at = textOf(row, "created_at") || active_at;
    [last, newest] = [seqOf(row), row];
  }
  for (const row of rows["rooms"] ?? []) {
    const floor = numberOf(row, "floor_seq");
    if (floor >= first) {
      first = floor + 1;
      await removeBelow(draft, roomId, first);
    }
    if (isFresh || floor > numberOf(before.row, "floor_seq")) {
      await draft.endNotifications(roomId, (_, each) => isAtMost(each["message_seq"], floor));
    }
  }
  if (isFresh) await doubtNotifications(draft, roomId, first);
  const isTouched = isFresh || isOlderTouched(before, first, rows);
  await draft.change(roomId, {
    rev: step.to,
    first_seq: first,
    last_seq: last,
    active_at,
    last: last >= first ? newest : null,
    ...(isTouched ? { older_counted: false } : {}),
  });
  if (isFresh || first !== before.first_seq) await settleOlder(draft, roomId);
  if (isFresh) {
    const all = newestOf("messages", kept["messages"] ?? []);
    draft.recount(roomId, all.map((each) => each.row));
  } else if (!isAppended(rows, known, draft.me)) draft.recount(roomId);
  else await countAppended(draft, roomId, messages);
  await confirm(draft, roomId, step.to, messages);
  return change(roomId, { rows: kept, is_fresh: isFresh });
}

/** Write older messages and what is about them, except over newer rows; the copy begins there now. */
export async function putOlder(
  draft: Draft,
  roomId: string,
  first: number,
  rows: Rows,
): Promise<void> {
  for (const name of ABOUT_MESSAGE) await putRows(draft, name, rows[name] ?? [], Infinity);
  await endWithMessages(draft, roomId, rows);
  await endWithEdits(draft, roomId, rows["messages"] ?? []);
  await removeBelow(draft, roomId, first);
  await draft.change(roomId, { first_seq: first, older_counted: false });
  await settleOlder(draft, roomId);
  draft.recount(roomId);
}

/** The room and everything of it leave the copy. Its actions are discarded; its marks leave with it. */
export async function dropRoom(draft: Draft, roomId: string): Promise<void> {
  await removeRows(draft, roomId);
  if ((await draft.room(roomId)) !== null) {
    await draft.change(roomId, { ...emptyStream, is_here: false, row: null, last: null });
  }
  await draft.removeItems(
    (item) =>
      item.room_id === roomId &&
      (item.state === "sent" || item.kind === "read" || item.kind === "delivered"),
  );
  for (const item of (await draft.outbox()).filter((each) => each.room_id === roomId)) {
    await draft.putItem({ ...item, state: "discarded", reason: "room_not_found", row: null });
  }
}

/** The past of a room leaves the copy: this account has cleared it up to here. */
export async function clearRoom(draft: Draft, roomId: string, cleared: number): Promise<void> {
  await removeBelow(draft, roomId, cleared + 1);
  await draft.endNotifications(roomId, (_, row) => isAtMost(row["message_seq"], cleared));
  const room = await draft.room(roomId);
  if (room === null || !room.is_here) return;
  const first_seq = Math.max(room.first_seq, cleared + 1);
  const last = room.last_seq >= first_seq ? room.last : null;
  await draft.change(roomId, { first_seq, last, older_counted: false });
  await settleOlder(draft, roomId);
  draft.recount(roomId);
}

function keptRows(rows: Rows, lowest: number): Rows {
  const kept: Record<string, readonly Row[]> = {};
  for (const [name, kind] of Object.entries(ROOM_KINDS)) {
    const about = "about" in kind ? kind.about : null;
    const some = (rows[name] ?? []).filter(
      (row) => about === null || (row[about] as number) >= lowest,
    );
    if (some.length > 0) kept[name] = some;
  }
  return kept;
}

async function putRoomRow(draft: Draft, roomId: string, row: Row, isFresh: boolean): Promise<void> {
  const kept = (await draft.room(roomId))?.row ?? null;
  if (isFresh || numberOf(row, "changed_rev") >= numberOf(kept, "changed_rev")) {
    await draft.change(roomId, { row });
  }
}

/** Write rows, except over newer ones: messages may be here up to `last`, others where that is not below 0. */
async function putRows(
  draft: Draft,
  name: RoomTable,
  rows: readonly Row[],
  last: number,
): Promise<void> {
  if (rows.length === 0) return;
  const coming = newestOf(name, rows);
  const isOpaque = name === "messages" && await isInOpaqueRoom(draft, rows[0]);
  const mayBeHere = (row: Row) => last >= 0 && (name !== "messages" || seqOf(row) <= last);
  const kept = await Promise.all(
    coming.map(({ key, row }) => mayBeHere(row) ? draft.tx.get(name, key) : undefined),
  );
  for (const [place, each] of coming.entries()) {
    const there = kept[place];
    if (there !== undefined && there.rev > each.rev) continue;
    const isMessage = name === "messages";
    await draft.put(name, isMessage ? messageRecord(each.row, isOpaque) : recordOf(name, each));
  }
}

/** Tell whether the bodies of a room are ciphertext, which never changes. */
async function isInOpaqueRoom(draft: Draft, message: Row | undefined): Promise<boolean> {
  if (message === undefined) return false;
  return (await draft.room(message["room_id"] as string))?.row?.["is_opaque"] === true;
}

/** Tell whether a step has new messages alone, as far as counts are concerned. */
function isAppended(rows: Rows, last: number, me: string): boolean {
  return (
    (rows["messages"] ?? []).every((row) => seqOf(row) > last) &&
    (rows["rooms"] ?? []).length === 0 &&
    (rows["members"] ?? []).every((row) => row["user_id"] !== me)
  );
}

async function countAppended(
  draft: Draft,
  roomId: string,
  messages: readonly Row[],
): Promise<void> {
  const room = (await draft.room(roomId)) as RoomRecord;
  const counting = messages.filter(
    (row) => countsAsUnread(row) && row["sender_id"] !== draft.me && seqOf(row) > room.read_seq,
  );
  if (counting.length === 0) return;
  const called = counting.filter((row) => calls(row, draft.me));
  await draft.change(roomId, {
    unread: Math.min(MOST_UNREAD, room.unread + counting.length),
    mentions: Math.min(MOST_UNREAD, room.mentions + called.length),
  });
}

/** What the server has stamped needs no place in the outbox, whoever told us first. */
async function confirm(
  draft: Draft,
  roomId: string,
  to: number,
  messages: readonly Row[],
): Promise<void> {
  const mine = new Set(
    messages.filter((row) => row["sender_id"] === draft.me).map((row) => textOf(row, "client_id")),
  );
  await draft.removeItems(
    (item) =>
      item.room_id === roomId &&
      ((item.kind === "send" && item.client_id !== null && mine.has(item.client_id)) ||
        (item.state === "sent" &&
          item.kind !== "read" &&
          item.kind !== "delivered" &&
          item.rev !== null &&
          item.rev <= to)),
  );
}

async function removeRows(draft: Draft, roomId: string): Promise<void> {
  for (const name of ABOUT_ROOM) await draft.tx.clear(name, under([roomId]));
}

async function removeBelow(draft: Draft, roomId: string, first: number): Promise<void> {
  for (const name of ABOUT_MESSAGE) await draft.tx.clear(name, under([roomId], undefined, first));
}

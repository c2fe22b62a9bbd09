/** Writing rows of the own stream (memberships, marks, notifications, blocks) into the copy. */
import { change } from "./change.ts";
import { canEnd, type Draft, emptyStream } from "./draft.ts";
import { calls, USER_KINDS } from "./kinds.ts";
import { unnameProfiles } from "./profile_rows.ts";
import { clearRoom, dropRoom } from "./room_rows.ts";
import { settleOlder } from "./older.ts";
import { isId, isNumber, numberOf, refused, type Row } from "./rows.ts";
import type { Step } from "./steps.ts";
import { dropTenants } from "./table_drops.ts";
import type { Change } from "./types.ts";

/** The parts of a room's record that the own stream writes. */
const PARTS = { memberships: "membership", marks: "mark", preferences: "preferences" } as const;

/** Write a step of the own stream; rooms that were left leave the copy. Throws `answer_refused`. */
export async function putUser(draft: Draft, step: Step): Promise<Change[]> {
  const rows = step.rows ?? {};
  for (const name of Object.keys(USER_KINDS)) {
    if ((rows[name] ?? []).some((row) => (row["user_id"] ?? draft.me) !== draft.me)) {
      throw refused(`there is a row of ${name} that is of somebody else`);
    }
  }
  const known = new Set<string>();
  if (step.begin === null) {
    for (const room of await draft.rooms()) {
      if (room.is_here) known.add(room.room_id);
      await draft.change(room.room_id, { membership: null, mark: null, preferences: null });
    }
    await draft.tx.clear("notifications");
    await draft.tx.clear("blocks");
    draft.forgetNotifications();
  }
  const cleared = await putParts(draft, rows, known);
  for (const row of rows["blocks"] ?? []) {
    const record = { blocked_id: row["blocked_id"] as string, rev: row["rev"] as number, row };
    const there = await draft.tx.get("blocks", record.blocked_id);
    if (there === undefined || there.rev <= record.rev) await draft.put("blocks", record);
  }
  for (const roomId of cleared) {
    await clearRoom(
      draft,
      roomId,
      numberOf((await draft.room(roomId))?.preferences ?? null, "cleared_seq"),
    );
  }
  for (const row of rows["marks"] ?? []) await settleOlder(draft, row["room_id"] as string);
  const gone = new Set(step.dropped_rooms);
  for (const row of rows["memberships"] ?? []) {
    const roomId = row["room_id"] as string;
    if (row["left_at"] !== null) gone.add(roomId);
    else if (!(await draft.room(roomId))?.is_here) {
      await draft.change(roomId, { ...emptyStream, is_here: true });
    }
  }
  for (const roomId of gone) {
    if ((await draft.room(roomId))?.is_here) known.add(roomId);
    await dropRoom(draft, roomId);
  }
  await endWithMemberships(draft, rows["memberships"] ?? []);
  for (const row of rows["notifications"] ?? []) await putNotification(draft, row);
  const readSeq = step.notifications_read_seq ?? 0;
  draft.account = {
    ...draft.account,
    rev: step.to,
    notifications_read_seq: step.begin === null
      ? readSeq
      : Math.max(readSeq, draft.account.notifications_read_seq),
  };
  await draft.removeItems(
    (item) =>
      item.state === "sent" &&
      (item.kind === "read" || item.kind === "delivered") &&
      item.rev !== null &&
      item.rev <= step.to,
  );
  if (step.dropped_tenants.length > 0) {
    await unnameProfiles(draft);
    await dropTenants(draft.tx, step.dropped_tenants);
  }
  return [
    ...[...gone].filter((each) => known.has(each)).map((each) => change(each, { is_gone: true })),
    ...cleared.filter((each) => !gone.has(each)).map((each) => change(each, { is_fresh: true })),
    change(null, {
      rows,
      is_fresh: step.begin === null,
      dropped_tenants: step.dropped_tenants,
      places_changed: step.tells_of_places,
    }),
  ];
}

/** Drop rooms that this account is not in, once all its memberships are here. */
export async function dropRoomsLeft(draft: Draft): Promise<Change[]> {
  const left = (await draft.rooms()).filter((room) => room.is_here && room.membership === null);
  for (const room of left) await dropRoom(draft, room.room_id);
  return left.map((room) => change(room.room_id, { is_gone: true }));
}

/**
 * Ask for the own stream again if notifications may be over that nothing here can tell.
 *
 * `isOwnFresh` says that it just came, whole, from the same snapshot as the rooms.
 */
export async function settleDoubts(draft: Draft, isOwnFresh: boolean): Promise<void> {
  if (!draft.account.has_doubts) return;
  if (isOwnFresh) {
    draft.account = { ...draft.account, has_doubts: false };
  } else if ((await draft.rooms()).every((room) => !room.is_here || room.rev !== null)) {
    draft.account = { ...draft.account, rev: null, has_doubts: false };
  }
}

/** Write memberships, marks and preferences; returns the rooms here whose history was cleared. */
async function putParts(
  draft: Draft,
  rows: Readonly<Record<string, readonly Row[]>>,
  known: ReadonlySet<string>,
): Promise<string[]> {
  const cleared: string[] = [];
  for (const [name, part] of Object.entries(PARTS)) {
    const number = USER_KINDS[name as keyof typeof PARTS].number;
    for (const row of rows[name] ?? []) {
      const roomId = row["room_id"] as string;
      const room = await draft.room(roomId);
      const there = room?.[part] ?? null;
      if (there !== null && numberOf(there, number) > (row[number] as number)) continue;
      if (part === "mark" && numberOf(there, "read_seq") !== numberOf(row, "read_seq")) {
        await draft.change(roomId, { older_counted: false });
      }
      const isCleared =
        numberOf(row, "cleared_seq") > numberOf(room?.preferences ?? null, "cleared_seq");
      if (part === "preferences" && isCleared && (room?.is_here || known.has(roomId))) {
        cleared.push(roomId);
      }
      await draft.change(roomId, { [part]: row });
      draft.recount(roomId);
    }
  }
  return cleared;
}

/** Notifications about a room end when its person leaves it, and do not come back with them. */
async function endWithMemberships(draft: Draft, memberships: readonly Row[]): Promise<void> {
  for (const row of memberships) {
    const below = (row["user_rev"] as number) + (row["left_at"] === null ? 0 : 1);
    await draft.endNotifications(row["room_id"] as string, (each) => each.rev < below);
  }
}

/** Write a notification unless it is over; of several about a mention in one message the newest stands. */
async function putNotification(draft: Draft, row: Row): Promise<void> {
  const seq = row["seq"] as number;
  const record = { seq, rev: row["rev"] as number, row };
  const there = await draft.tx.get("notifications", seq);
  if (there !== undefined && there.rev > record.rev) return;
  const roomId = row["room_id"];
  if (row["kind"] === "mention" && isId(roomId) && isNumber(row["message_seq"])) {
    await draft.endNotifications(
      roomId,
      (each, other) =>
        other["kind"] === "mention" &&
        other["message_seq"] === row["message_seq"] &&
        each.seq < seq,
    );
  }
  if (await isOver(draft, record)) await draft.tx.remove("notifications", seq);
  else await draft.put("notifications", record);
  draft.forgetNotifications();
}

/**
 * Tell whether a notification arrives after what ended it.
 *
 * A room that is being fetched anew does not count: what is here of it may be of a history that a restore
 * undid, and its rows end their notifications when they come.
 */
async function isOver(draft: Draft, { rev, row }: { rev: number; row: Row }): Promise<boolean> {
  if (!canEnd(row)) return false;
  const roomId = row["room_id"];
  const room = isId(roomId) ? await draft.room(roomId) : null;
  const membership = room?.membership ?? null;
  if (room === null || membership === null || membership["left_at"] !== null) return true;
  if (numberOf(membership, "user_rev") > rev) return true;
  const messageSeq = row["message_seq"];
  if (!isNumber(messageSeq)) return false;
  if (messageSeq <= numberOf(room.preferences, "cleared_seq")) return true;
  if (!room.is_here || room.rev === null) return false;
  if (messageSeq <= numberOf(room.row, "floor_seq")) return true;
  const message = (await draft.tx.get("messages", [room.room_id, messageSeq]))?.row ?? null;
  if (message === null) return false;
  if ((message["deleted_at"] ?? null) !== null) return true;
  return (
    row["kind"] === "mention" &&
    numberOf(message, "rev") >= numberOf(row, "message_rev") &&
    isNumber(row["message_rev"]) &&
    !calls(message, draft.me)
  );
}

/**
 * What this account did and the server has not stamped yet, in the order it was done.
 *
 * An action is written down before anybody sees it, by whichever tab it was done in, and is on the disk when
 * that is done: it outlives the tab, the browser and a loss of power. The leader brings it to the server.
 */
import { Draft, isOnItsWay } from "./draft.ts";
import { normalEmoji } from "./emoji.ts";
import { ParleyError } from "./errors.ts";
import { isNumber, isText } from "./rows.ts";
import type { Storage } from "./storage/storage.ts";
import type { FileRecord } from "./storage/tables.ts";
import { newAccount } from "./account_rows.ts";
import type { Store } from "./store.ts";
import type { ActionKind, Change, OutboxItem, Said } from "./types.ts";

const DEEPEST = 100;

/** An action as it is done. */
export interface Action {
  readonly kind: ActionKind;
  readonly room_id: string;
  readonly client_id?: string | null;
  readonly seq?: number | null;
  readonly said?: Said;
}

/** Run work on the copy in any tab: it writes no rows, only what was done here. */
export function written<R>(
  storage: Storage,
  me: string,
  work: (draft: Draft) => Promise<R>,
): Promise<R> {
  return storage.write(async (tx) => {
    const draft = new Draft(tx, (await tx.get("account", 1)) ?? newAccount(me));
    const result = await work(draft);
    await draft.finish();
    return result;
  }, true);
}

/** Write an action down, with its file. A mark moves the one that waits already. Throws `room_not_found`. */
export async function addAction(
  draft: Draft,
  action: Action,
  file: FileRecord | null = null,
): Promise<OutboxItem> {
  const { room_id, kind } = action;
  if (!(await draft.room(room_id))?.is_here) {
    throw new ParleyError(
      "room_not_found",
      `There is no room ${room_id} that you can see.`,
      "Check its id.",
    );
  }
  const waiting = (await draft.outbox()).find(
    (item) =>
      isMark(item.kind) && item.kind === kind && item.room_id === room_id &&
      item.state === "pending",
  );
  if (waiting !== undefined) {
    const moved = { ...waiting, seq: Math.max(waiting.seq ?? 0, action.seq ?? 0) };
    await draft.putItem(moved);
    return moved;
  }
  const id =
    Math.max(draft.account.last_item_id, ...(await draft.outbox()).map((each) => each.id)) + 1;
  draft.account = { ...draft.account, last_item_id: id };
  const item: OutboxItem = {
    id,
    room_id,
    kind,
    client_id: action.client_id ?? null,
    seq: action.seq ?? null,
    said: action.said ?? {},
    state: "pending",
    reason: "",
    rev: null,
    row: null,
    // The clock of this device: for showing only, never for ordering.
    created_at: new Date().toISOString(),
  };
  await draft.putItem(item);
  if (file !== null) await draft.tx.put("files", file);
  return item;
}

/** Let a failed action try again, at its old place; its files too. */
export async function retryAction(draft: Draft, itemId: number): Promise<void> {
  const item = (await draft.outbox()).find((each) => each.id === itemId);
  if (item?.state !== "failed") return;
  for (const file of await draft.tx.list("files")) {
    if (file.client_id === item.client_id) await draft.tx.put("files", { ...file, is_done: false });
  }
  await draft.putItem({ ...item, state: "pending", reason: "" });
}

/** Forget an action that failed or was discarded. */
export async function dismissAction(draft: Draft, itemId: number): Promise<void> {
  await draft.removeItems(
    (item) => item.id === itemId && (item.state === "failed" || item.state === "discarded"),
  );
  await tidyFiles(draft);
}

/** Forget files whose send is in the room by now, or was dismissed. */
export async function tidyFiles(draft: Draft): Promise<void> {
  const needed = new Set(
    (await draft.outbox())
      .filter((item) =>
        item.kind === "send" && (item.state === "pending" || item.state === "failed")
      )
      .map((item) => item.client_id),
  );
  for (const file of await draft.tx.list("files")) {
    if (!needed.has(file.client_id)) await draft.tx.remove("files", file.path);
  }
}

/** The seq of the message an action is about; null while it has none. */
export async function targetOf(draft: Draft, item: OutboxItem): Promise<number | null> {
  if (item.seq !== null || item.client_id === null) return item.seq;
  const send = (await draft.outbox()).find(
    (each) => each.kind === "send" && each.client_id === item.client_id,
  );
  const seq = send?.row?.["seq"];
  if (isNumber(seq)) return seq;
  const room = await draft.room(item.room_id);
  if (room === null) return null;
  const messages = await draft.tx.list("messages", {
    from: [item.room_id],
    to: [item.room_id, []],
  });
  const own = messages.find(
    ({ row, sender_id }) => sender_id === draft.me && row?.["client_id"] === item.client_id,
  );
  return own?.seq ?? null;
}

/** Note the server's answer; the action leaves when the row with this number is in the copy. */
export async function acceptAction(
  draft: Draft,
  item: OutboxItem,
  rev: number | null,
  row: OutboxItem["row"],
): Promise<void> {
  const now = (await draft.outbox()).find((each) => each.id === item.id);
  // A mark that moved on meanwhile is not what was sent.
  if (now === undefined || now.state !== "pending" || now.seq !== item.seq) return;
  const reached = isMark(item.kind)
    ? draft.account.rev
    : ((await draft.room(item.room_id))?.rev ?? null);
  if (rev === null || rev <= (reached ?? 0)) await draft.removeItems((each) => each.id === item.id);
  else await draft.putItem({ ...now, state: "sent", rev, row: item.kind === "send" ? row : null });
}

/** Note a refusal; what was meant for a message that now never comes is discarded. */
export async function rejectAction(draft: Draft, item: OutboxItem, slug: string): Promise<void> {
  if (isMark(item.kind)) {
    await draft.removeItems((each) => each.id === item.id);
    return;
  }
  for (const each of await draft.outbox()) {
    if (each.id === item.id && each.state === "pending") {
      await draft.putItem({ ...each, state: "failed", reason: slug });
    } else if (
      item.kind === "send" &&
      each.client_id === item.client_id &&
      each.kind !== "send" &&
      each.state === "pending"
    ) {
      await draft.putItem({ ...each, state: "discarded", reason: slug });
    }
  }
}

/** Up to where this account has acknowledged a room, or is about to. */
export async function deliveredSeq(draft: Draft, roomId: string): Promise<number> {
  const mark = (await draft.room(roomId))?.mark?.["delivered_seq"];
  const waiting = (await draft.outbox()).filter(
    (item) => item.room_id === roomId && isMark(item.kind) && isOnItsWay(item),
  );
  return Math.max(isNumber(mark) ? mark : 0, ...waiting.map((item) => item.seq ?? 0));
}

/** Mark messages of others that arrived as delivered; `wake` is called when there is such a mark to send. */
export async function acknowledge(
  store: Store,
  changes: readonly Change[],
  wake: () => void,
): Promise<void> {
  for (const { room_id, rows } of changes) {
    const seqs = (rows["messages"] ?? [])
      .filter((row) => row["sender_id"] !== store.me)
      .map((row) => row["seq"] as number);
    if (room_id === null || seqs.length === 0) continue;
    const seq = seqs.reduce((a, b) => Math.max(a, b));
    await store.write(async (draft) => {
      if (!(await draft.room(room_id))?.is_here || seq <= (await deliveredSeq(draft, room_id))) {
        return;
      }
      await addAction(draft, { kind: "delivered", room_id, seq });
    });
    wake();
  }
}

/** Read received and read marks: there is one of each per room that waits. */
export function isMark(kind: ActionKind): boolean {
  return kind === "read" || kind === "delivered";
}

/** The arguments of an action without what is not given. Throws `invalid_input` for what cannot be sent. */
export function saidWith(said: { readonly [name in keyof Said]?: Said[name] | undefined }): Said {
  const given = Object.entries(said).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) checkJson(name, value, 0);
  const kept = structuredClone(Object.fromEntries(given)) as {
    -readonly [name in keyof Said]: Said[name];
  };
  if (kept.emoji !== undefined) kept.emoji = normalEmoji(kept.emoji);
  return kept;
}

function checkJson(name: string, value: unknown, depth: number): void {
  const isPlain = value === null ||
    typeof value === "boolean" ||
    (typeof value === "number" && Number.isFinite(value)) ||
    isText(value);
  if (isPlain) return;
  if (depth < DEEPEST && Array.isArray(value)) {
    for (const each of value) checkJson(name, each, depth + 1);
  } else if (depth < DEEPEST && typeof value === "object" && value !== null) {
    for (const [key, each] of Object.entries(value)) {
      checkJson(name, key, depth + 1);
      checkJson(name, each, depth + 1);
    }
  } else {
    throw new ParleyError(
      "invalid_input",
      `${name} cannot be sent.`,
      "Send whole characters, finite numbers, and lists and objects of these that are nested a few levels deep.",
    );
  }
}

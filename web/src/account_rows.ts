/** What a copy says about itself, and what becomes of it and the outbox in another history. */
import { Draft, emptyStream } from "./draft.ts";
import { peopleIn, putProfiles } from "./profile_rows.ts";
import type { Row } from "./rows.ts";
import type { Answer } from "./steps.ts";
import type { Account } from "./storage/tables.ts";
import type { Change } from "./types.ts";

/** Rises when rows that were kept before lack something; they are fetched anew. */
export const SHAPE = 1;

/** Nothing was fetched yet. */
export const unfetched = {
  timeline: null,
  rev: null,
  seen: null,
  has_doubts: false,
  has_profile_doubts: false,
} as const;

/** What a copy says about itself before anything came. */
export function newAccount(user_id: string): Account {
  return {
    only: 1,
    user_id,
    device_id: crypto.randomUUID(),
    shape: SHAPE,
    term: 0,
    ...unfetched,
    notifications_read_seq: 0,
    last_item_id: 0,
  };
}

/** Delete all rows and how far they go; the account, its rooms and the outbox stay. */
export async function emptyRows(draft: Draft): Promise<void> {
  for (const room of await draft.rooms()) {
    await draft.tx.put("rooms", { ...room, ...emptyStream, row: null, last: null });
  }
  for (
    const table of [
      "members",
      "messages",
      "reactions",
      "pins",
      "receipts",
      "notifications",
      "blocks",
      "profiles",
    ] as const
  ) {
    await draft.tx.clear(table);
  }
}

/** The answer was given in a history that a restore undid. A send or a mark can go again. */
export async function sendAgain(draft: Draft): Promise<void> {
  for (const item of await draft.outbox()) {
    if (item.state === "sent" && ["send", "read", "delivered"].includes(item.kind)) {
      await draft.putItem({ ...item, state: "pending", rev: null, row: null });
    }
  }
}

/** Of people who changed, those are kept who are here, or whom the answer's rows name. */
export async function putSeen(draft: Draft, answer: Answer): Promise<Change[]> {
  const named = peopleIn([answer.user, ...answer.rooms].map((step) => step?.rows ?? {}));
  const wanted: Row[] = [];
  for (const row of answer.profiles) {
    const userId = row["user_id"] as string;
    if (named.has(userId) || (await draft.tx.get("profiles", userId)) !== undefined) {
      wanted.push(row);
    }
  }
  const changes = await putProfiles(draft, wanted);
  draft.account = { ...draft.account, seen: answer.seen };
  return changes;
}

/** What was done to messages before a restore is undone; what waits may be about another message now. */
export async function discardUndone(draft: Draft): Promise<void> {
  await draft.removeItems((item) => item.state === "sent");
  const items = await draft.outbox();
  const sends = new Set(
    items.filter((each) => each.kind === "send" && each.state === "pending").map((each) =>
      each.client_id
    ),
  );
  for (const item of items) {
    const isAbout = !["send", "read", "delivered"].includes(item.kind);
    if (
      isAbout && item.state === "pending" &&
      !(item.client_id !== null && sends.has(item.client_id))
    ) {
      await draft.putItem({ ...item, state: "discarded", reason: "restored" });
    }
  }
}

/** Writing profiles into the copy, inside a transaction. */
import { change } from "./change.ts";
import type { Draft } from "./draft.ts";
import { isId, type Row, type Rows } from "./rows.ts";
import type { Change } from "./types.ts";

/** The columns that name somebody whose profile is needed to show a row. */
const PEOPLE = ["user_id", "sender_id", "actor_id", "blocked_id"];
/** What is told of somebody without a shared tenant. */
const SHOWN_TO_ALL = new Set(["user_id", "display_name", "is_bot", "closed_at"]);

/** The people in rows. */
export function peopleIn(steps: Iterable<Rows>): Set<string> {
  const people = new Set<string>();
  for (const rows of steps) {
    for (const row of Object.values(rows).flat()) {
      for (const column of PEOPLE) {
        const value = row[column];
        if (isId(value)) people.add(value);
      }
    }
  }
  return people;
}

/**
 * Write profiles, and tell whose there were before and are different now.
 *
 * Where it is that of this account, the others are in doubt: it may be in other tenants now.
 */
export async function putProfiles(draft: Draft, profiles: Iterable<Row>): Promise<Change[]> {
  const people: string[] = [];
  for (const row of profiles) {
    const user_id = row["user_id"] as string;
    const there = await draft.tx.get("profiles", user_id);
    if (there !== undefined && JSON.stringify(there.row) !== JSON.stringify(row)) {
      people.push(user_id);
      if (user_id === draft.me) draft.account = { ...draft.account, has_profile_doubts: true };
    }
    await draft.tx.put("profiles", { user_id, row });
  }
  return people.length > 0 ? [change(null, { people })] : [];
}

/** Write the answer about people; of those whom it leaves out, keep what everybody is told. */
export async function settleProfiles(
  draft: Draft,
  asked: readonly string[],
  profiles: readonly Row[],
): Promise<Change[]> {
  const rows = new Map(profiles.map((row) => [row["user_id"] as string, row]));
  for (const userId of asked) {
    const there = rows.has(userId) ? undefined : await draft.tx.get("profiles", userId);
    if (there === undefined) continue;
    const columns = Object.entries(there.row).map(([name, value]) => [
      name,
      SHOWN_TO_ALL.has(name) ? value : null,
    ]);
    rows.set(userId, Object.fromEntries(columns) as Row);
  }
  return putProfiles(draft, rows.values());
}

/** Forget people whom nothing in the copy names. */
export async function unnameProfiles(draft: Draft): Promise<void> {
  const named = new Set([draft.me]);
  for (const room of await draft.rooms()) {
    for (
      const { sender_id } of await draft.tx.list("messages", {
        from: [room.room_id],
        to: [room.room_id, []],
      })
    ) {
      named.add(sender_id);
    }
  }
  for (const table of ["members", "reactions", "receipts"] as const) {
    for (const { user_id } of await draft.tx.list(table)) named.add(user_id);
  }
  for (const { row } of await draft.notifications()) {
    const actor = row?.["actor_id"];
    if (isId(actor)) named.add(actor);
  }
  for (const { user_id } of await draft.tx.list("profiles")) {
    if (!named.has(user_id)) await draft.tx.remove("profiles", user_id);
  }
}

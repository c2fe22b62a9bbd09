/** Bringing actions to the server, and what it answers, read without trusting its form. */
import type { Remote } from "./remote.ts";
import { isNumber, isObject, refused, type Row } from "./rows.ts";
import { list, member } from "./steps.ts";
import type { OutboxItem } from "./types.ts";

/** What became of one item of a batch; `after` is in seconds. */
export interface Outcome {
  readonly client_id: unknown;
  readonly outcome: "sent" | "duplicate" | "rejected" | "later";
  readonly message: Row | null;
  readonly reason: string;
  readonly after: number;
}

/** Send messages; returns an outcome for each. */
export async function sendAll(
  remote: Remote,
  batch: readonly OutboxItem[],
): Promise<readonly Outcome[]> {
  const items = batch.map(({ room_id, client_id, said }) => ({
    body: "",
    ...said,
    room_id,
    client_id,
  }));
  const answer = await remote.call("send_messages", { items });
  const outcomes = list(answer, "outcomes").map(readOutcome);
  const isTheirs = batch.every((item, place) => outcomes[place]?.client_id === item.client_id);
  if (outcomes.length !== batch.length || !isTheirs) {
    throw refused("the outcomes are not those of what was sent");
  }
  for (const [place, item] of batch.entries()) checkAbout(item, outcomes[place]?.message ?? null);
  return outcomes;
}

/** Call the function of an action about one message. */
export async function callFor(
  remote: Remote,
  { kind, room_id, said }: OutboxItem,
  seq: number,
): Promise<Row | null> {
  const { body, emoji, expected_rev, mentions, metadata } = said;
  const about = { room_id, seq };
  const calls = {
    edit: ["edit_message", {
      ...about,
      body,
      expected_rev: expected_rev ?? null,
      mentions: mentions ?? null,
      metadata: metadata ?? null,
    }],
    delete: ["delete_message", about],
    react: ["add_reaction", { ...about, emoji }],
    unreact: ["remove_reaction", { ...about, emoji }],
    read: ["mark_read", about],
  } as const;
  const [name, parameters] = calls[kind as keyof typeof calls];
  const row = await remote.call(name, parameters);
  if (row !== null && !isObject(row)) throw refused("it is no row");
  return row;
}

/** Read one outcome. Throws `answer_refused`. */
function readOutcome(value: unknown): Outcome {
  const outcome = member(value, "outcome");
  const { client_id, message, reason, after } = value as Row;
  if (
    outcome !== "sent" && outcome !== "duplicate" && outcome !== "rejected" && outcome !== "later"
  ) {
    throw refused("there is an outcome of no known kind");
  }
  return {
    client_id,
    outcome,
    message: isObject(message) && isNumber(message["seq"]) ? message : null,
    reason: typeof reason === "string" ? reason : "api_error",
    after: isNumber(after) ? after : 0,
  };
}

/** See whether a row can be what an action made. Throws `answer_refused`. */
export function checkAbout(item: OutboxItem, row: Row | null): void {
  if (row === null) return;
  if (row["room_id"] !== item.room_id || !isNumber(row["rev"])) {
    throw refused("it is about another room, or has no number that can be");
  }
  if (item.kind === "send" && row["client_id"] !== item.client_id) {
    throw refused("it is about another message");
  }
}

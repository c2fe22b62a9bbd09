// The two calls into the database, through the API of the project and as its service role.

import { call } from "../_parley/project.ts";

export type Outcome = "sent" | "retry" | "dead" | "failed";

/** A row of claim_pushes. */
export interface Push {
  kind: "message" | "clear" | "receipt";
  user_id: string;
  room_id: string | null;
  device_id: string;
  seq: number | null;
  platform: "ios" | "android" | "web";
  push_provider: "expo" | "fcm" | "web";
  push_token: string;
  token_id: string;
  title: string | null;
  body: string | null;
  unread: number | null;
  badge: number | null;
  message_id: string | null;
  sender_id: string | null;
  room_ids: string[] | null;
  is_background: boolean | null;
  ticket: string | null;
}

/** The outcome of a push; `after` is how many seconds the provider asks to wait. */
export interface Result {
  outcome: Outcome;
  after?: number;
  ticket?: string;
}

/** Leases what is due for two minutes. */
export async function claimPushes(batchSize: number): Promise<Push[]> {
  return (await call("claim_pushes", { batch_size: batchSize })) as Push[];
}

/** Reports the outcomes of claimed pushes. */
export async function completePushes(results: [Push, Result][]): Promise<void> {
  await call("complete_pushes", {
    results: results.map(([push, result]) => ({
      kind: push.kind,
      user_id: push.user_id,
      room_id: push.room_id,
      device_id: push.device_id,
      seq: push.seq,
      token_id: push.token_id,
      ticket: push.ticket,
      ...result,
    })),
  });
}

// The work of one call: claim, send, complete, until nothing is due or the call has run long enough.

import { receiptsOfExpo, sendToExpo } from "./expo.ts";
import { sendToFcm } from "./fcm.ts";
import { claimPushes, completePushes, type Push, type Result } from "./project.ts";
import { sendToWeb } from "./web_push.ts";

const BATCH = 100;
const AT_ONCE = 10;
const MOST_PUSHES = 500;
const MOST_MS = 60_000;

/** What a call did; `more` is true when it stopped before everything was sent. */
export interface Summary {
  claimed: number;
  sent: number;
  retry: number;
  dead: number;
  failed: number;
  more: boolean;
}

type Send = (pushes: Push[]) => Promise<Result[]>;

const sendEach = (send: (push: Push) => Promise<Result>): Send => (pushes) =>
  Promise.all(pushes.map(send));

/** Groups pushes into requests: up to a hundred in one for Expo, one each for the others. */
function jobs(pushes: Push[]): [Push[], Send][] {
  const of = (kinds: string[], provider: string) =>
    pushes.filter((push) => kinds.includes(push.kind) && push.push_provider === provider);
  const cut = (all: Push[], size: number, send: Send): [Push[], Send][] =>
    Array.from(
      { length: Math.ceil(all.length / size) },
      (_, place) => [all.slice(place * size, (place + 1) * size), send],
    );
  return [
    ...cut(of(["message", "clear"], "expo"), BATCH, sendToExpo),
    ...cut(of(["receipt"], "expo"), BATCH, receiptsOfExpo),
    ...cut(of(["message", "clear"], "fcm"), 1, sendEach(sendToFcm)),
    ...cut(of(["message", "clear"], "web"), 1, sendEach(sendToWeb)),
  ];
}

/** Sends what was claimed, a few requests at a time. */
async function deliver(pushes: Push[]): Promise<[Push, Result][]> {
  const left = jobs(pushes);
  const results: [Push, Result][] = [];
  const sender = async () => {
    for (let job = left.shift(); job !== undefined; job = left.shift()) {
      const [batch, send] = job;
      let outcomes: Result[];
      try {
        outcomes = await send(batch);
      } catch (error) {
        // For example a setting that is malformed. The other providers must still get their pushes.
        console.error(`${batch[0].push_provider}:`, error);
        outcomes = batch.map(() => ({ outcome: "retry" }));
      }
      batch.forEach((push, place) => results.push([push, outcomes[place]]));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sender));
  return results;
}

/** Starts another call of this function, and does not wait until it ends. */
async function goOn(): Promise<void> {
  try {
    await fetch(`${Deno.env.get("SUPABASE_URL")}/functions/v1/send-chat-push`, {
      method: "POST",
      headers: { "x-push-secret": Deno.env.get("PUSH_SECRET")! },
      signal: AbortSignal.timeout(1_000),
    });
  } catch {
    // Either the call is running, or the next sweep, within a minute, sends the rest.
  }
}

/** Sends everything that is due, or as much as one call should. */
export async function sendAll(): Promise<Summary> {
  const summary: Summary = { claimed: 0, sent: 0, retry: 0, dead: 0, failed: 0, more: false };
  const end = Date.now() + MOST_MS;
  // Messages that are sent right after each other become one push, so the first waits for the others.
  await new Promise((resolve) =>
    setTimeout(resolve, Number(Deno.env.get("PUSH_WAIT_MS") ?? 1_000))
  );
  while (true) {
    const pushes = await claimPushes(BATCH);
    if (pushes.length === 0) return summary;
    const results = await deliver(pushes);
    await completePushes(results);
    summary.claimed += pushes.length;
    for (const [, result] of results) summary[result.outcome] += 1;
    if (summary.claimed >= MOST_PUSHES || Date.now() > end) {
      summary.more = true;
      await goOn();
      return summary;
    }
  }
}

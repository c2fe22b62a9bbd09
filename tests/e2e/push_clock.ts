// Runs the worker of send-chat-push on a clock that each claim moves on by seven seconds, with a
// database that always has one push more, and prints what it did.

import { sendAll } from "../../supabase/functions/send-chat-push/worker.ts";

let now = 0;
let pokes = 0;
Date.now = () => now;
globalThis.fetch = (input) => {
  const path = new URL(String(input)).pathname;
  if (path.endsWith("/claim_pushes")) {
    now += 7_000;
    return Promise.resolve(
      Response.json([{ kind: "message", push_provider: "expo", push_token: "t", room_id: "r" }]),
    );
  }
  if (path.endsWith("/send-chat-push")) pokes += 1;
  return Promise.resolve(Response.json({ data: [{ status: "ok", id: "ticket" }] }));
};
console.log(JSON.stringify({ summary: await sendAll(), now, pokes }));

// Sends files to a room in every form that supabase-js takes, and prints what another member read.
import { createClient } from "@supabase/supabase-js";
import { randomUUID } from "node:crypto";
import WebSocket from "ws";

const [url, key, annToken, bobToken, room] = process.argv.slice(2);
const as = (token) =>
  createClient(url, key, {
    db: { schema: "chat" },
    accessToken: async () => token,
    realtime: { transport: WebSocket },
  });
const [ann, bob] = [as(annToken), as(bobToken)];
const words = "olá";
const forms = {
  blob: new Blob([words], { type: "image/png" }),
  file: new File([words], "a name.png", { type: "image/png" }),
  bytes: new TextEncoder().encode(words),
};
const said = {};
for (const [name, body] of Object.entries(forms)) {
  const path = `${room}/${randomUUID()}/${name}.png`;
  const bucket = ann.storage.from("chat-attachments");
  const stored = await bucket.upload(path, body, { contentType: "image/png" });
  const over = await bucket.upload(path, body, { contentType: "image/png", upsert: true });
  const sent = await ann.rpc("send_message", {
    room_id: room,
    body: "",
    client_id: randomUUID(),
    attachments: [{ path, name, mime_type: "image/png", size: 4, width: 1, height: 1 }],
  });
  const read = await bob.storage.from("chat-attachments").download(path);
  said[name] = {
    stored: stored.error?.message ?? null,
    over: over.error !== null,
    sent: sent.error?.message ?? null,
    read: read.error?.message ?? (await read.data.text()),
  };
}
process.stdout.write(JSON.stringify(said));

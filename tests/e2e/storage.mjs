// Stores the same text in every form that supabase-js takes, and prints what it reads back.
import { createClient } from "@supabase/supabase-js";
import WebSocket from "ws";

const [url, key, bucket] = process.argv.slice(2);
const { storage } = createClient(url, key, {
  auth: { persistSession: false },
  realtime: { transport: WebSocket },
});
await storage.createBucket(bucket);
const words = "olá";
const form = new FormData();
form.append("", new Blob([words], { type: "text/x-form" }));
const bodies = {
  string: words,
  buffer: Buffer.from(words),
  blob: new Blob([words], { type: "text/x-blob" }),
  file: new File([words], "a name.txt", { type: "text/x-file" }),
  form,
  empty: new Blob([]),
  large: new Blob(["x".repeat(3_000_000)]),
};
const said = {};
for (const [name, body] of Object.entries(bodies)) {
  const objects = storage.from(bucket);
  const stored = await objects.upload(`a folder/${name}.txt`, body, {
    contentType: "text/plain",
    cacheControl: "60",
    metadata: { by: "ann" },
  });
  const again = await objects.upload(`a folder/${name}.txt`, body);
  const over = await objects.update(`a folder/${name}.txt`, body);
  const { data, error } = await objects.download(`a folder/${name}.txt`);
  said[name] = {
    stored: stored.error?.message ?? null,
    again: again.error?.message ?? null,
    over: over.error?.message ?? null,
    back: error?.message ?? (data.size > 100 ? data.size : await data.text()),
    type: data?.type,
  };
}
process.stdout.write(JSON.stringify(said));

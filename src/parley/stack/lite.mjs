// Loaded into the process of lite before lite itself, from the folder with supabase/config.toml.

import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";

// lite streams stored files with FileHandle.readableWebStream(), which yields ArrayBuffers on Node 20 and 22, and the
// HTTP server in front of it writes nothing but Uint8Arrays, so that every download would arrive empty. A byte stream
// yields Uint8Arrays.
const handle = await open("supabase/config.toml");
const prototype = Object.getPrototypeOf(handle);
await handle.close();

const readableWebStream = prototype.readableWebStream;
prototype.readableWebStream = function (options) {
  return readableWebStream.call(this, { ...options, type: "bytes" });
};

// lite prints its secret key when it starts, and its whole configuration when it refuses it. Neither belongs in a log.
const secret = /^(?:jwt_secret|secret_key) = "(.+)"$|^url = "\w+:\/\/\w+:(.+)@/gm;
const config = readFileSync("supabase/config.toml", "utf8");
const secrets = [...config.matchAll(secret)].map((match) => match[1] ?? match[2]);

for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream);
  stream.write = (chunk, ...rest) =>
    write(secrets.reduce((text, word) => text.replaceAll(word, "***"), String(chunk)), ...rest);
}

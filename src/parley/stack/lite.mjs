// Loaded into the process of lite before lite itself, from the folder with supabase/config.toml.

import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { register } from "node:module";

// lite streams stored files with FileHandle.readableWebStream(), which yields ArrayBuffers on Node
// 20 and 22, and the HTTP server in front of it writes nothing but Uint8Arrays, so that every
// download would arrive empty. A byte stream yields Uint8Arrays.
const handle = await open("supabase/config.toml");
const prototype = Object.getPrototypeOf(handle);
await handle.close();

const readableWebStream = prototype.readableWebStream;
prototype.readableWebStream = function (options) {
  return readableWebStream.call(this, { ...options, type: "bytes" });
};

// lite prints its secret key when it starts, and its whole configuration when it refuses it.
// Neither belongs in a log.
const secret = /^(?:jwt_secret|secret_key) = "(.+)"$|^url = "\w+:\/\/\w+:(.+)@/gm;
const config = readFileSync("supabase/config.toml", "utf8");
const secrets = [...config.matchAll(secret)].map((match) => match[1] ?? match[2]);

for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream);
  stream.write = (chunk, ...rest) =>
    write(secrets.reduce((text, word) => text.replaceAll(word, "***"), String(chunk)), ...rest);
}

// lite hands JSON to the driver as text, and tells the driver to make JSON of it once more: every
// json parameter would arrive as a JSON string.
const hooks = `
  const pattern = /serialize:(\\w+)=>JSON\\.stringify\\(\\1\\)/g;
  const once = 'serialize:$1=>typeof $1==="string"?$1:JSON.stringify($1)';
  export async function load(url, context, next) {
    const loaded = await next(url, context);
    if (!url.endsWith("/dist/db/postgres/PostgresConnection.js")) return loaded;
    return { ...loaded, source: String(loaded.source).replaceAll(pattern, once) };
  }
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

// Loaded into the process of lite before lite itself. lite streams stored files with
// FileHandle.readableWebStream(), which yields ArrayBuffers on Node 20 and 22, and the HTTP server in front of it
// writes nothing but Uint8Arrays, so that every download would arrive empty. A byte stream yields Uint8Arrays.

import { open } from "node:fs/promises";

const handle = await open(new URL(import.meta.url));
const prototype = Object.getPrototypeOf(handle);
await handle.close();

const readableWebStream = prototype.readableWebStream;
prototype.readableWebStream = function (options) {
  return readableWebStream.call(this, { ...options, type: "bytes" });
};

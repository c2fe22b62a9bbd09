// Reads frames from standard input, one per line ("binary:" and hex for binary frames), with the
// serializer of realtime-js. Prints their number, and fails at the first frame that it cannot read.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(import.meta.url);
const { default: Serializer } = require(
  "../../node_modules/@supabase/realtime-js/dist/main/lib/serializer.js",
);
const serializer = new Serializer();
const input = await text(process.stdin);
const lines = input === "" ? [] : input.split("\n");
for (const line of lines) {
  const frame = line.startsWith("binary:")
    ? Uint8Array.from(Buffer.from(line.slice(7), "hex")).buffer
    : line;
  serializer.decode(frame, ({ topic, event, payload }) => {
    if (typeof topic !== "string" || typeof event !== "string" || typeof payload !== "object") {
      throw new Error(`realtime-js cannot use this frame: ${line.slice(0, 300)}`);
    }
    if (event === "phx_reply" && typeof payload.status !== "string") {
      throw new Error(`a reply without a status: ${line.slice(0, 300)}`);
    }
  });
}
console.log(lines.length);

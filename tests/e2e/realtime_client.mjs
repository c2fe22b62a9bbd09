// Drives one supabase-js client from standard input and prints what it hears. Each line of input is
// {"id", "do", ...} and is answered with {"id", "result"} or {"id", "error"}. A printed line without
// an id is an event that the client heard: {"heard", "topic", ...}.
import { createClient } from "@supabase/supabase-js";
import readline from "node:readline";
import WebSocket from "ws";

const [url, key, vsn] = process.argv.slice(2);
let token = null;
const supabase = createClient(url, key, {
  accessToken: async () => token,
  realtime: { transport: WebSocket, vsn, timeout: 5000 },
});
const channels = new Map();
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const plain = (value) =>
  value instanceof ArrayBuffer ? { hex: Buffer.from(value).toString("hex") } : value;
const given = (value) =>
  value?.hex === undefined ? value : Uint8Array.from(Buffer.from(value.hex, "hex")).buffer;

const actions = {
  async join({ topic, config, tables }) {
    const channel = supabase.channel(topic, { config });
    channels.set(topic, channel);
    channel.on("broadcast", { event: "*" }, ({ event, payload, meta }) =>
      tell({ heard: "broadcast", topic, event, payload: plain(payload), meta }),
    );
    channel.on("system", {}, ({ extension, status, message }) =>
      tell({ heard: "system", topic, extension, status, message }),
    );
    if (config.presence?.enabled) {
      channel.on("presence", { event: "sync" }, () =>
        tell({ heard: "sync", topic, state: channel.presenceState() }),
      );
    }
    for (const table of tables) {
      channel.on("postgres_changes", table, (change) => tell({ heard: "change", topic, change }));
    }
    let isFirst = true;
    return new Promise((resolve) => {
      channel.subscribe((status, error) => {
        tell({ heard: "status", topic, status, message: error?.message });
        if (isFirst) resolve({ status, message: error?.message });
        isFirst = false;
      });
    });
  },
  send: ({ topic, event, payload }) =>
    channels.get(topic).send({ type: "broadcast", event, payload: given(payload) }),
  sendHttp: ({ topic, event, payload }) => channels.get(topic).httpSend(event, given(payload)),
  // On a channel that was not joined, `send` uses the batch endpoint.
  sendUnjoined: ({ topic, event, payload, config }) =>
    supabase.channel(topic, { config }).send({ type: "broadcast", event, payload }),
  track: ({ topic, payload }) => channels.get(topic).track(payload),
  untrack: ({ topic }) => channels.get(topic).untrack(),
  leave: ({ topic }) => channels.get(topic).unsubscribe(),
  setAuth: (parameters) => {
    token = parameters.token;
    return supabase.realtime.setAuth();
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { id, do: action, ...parameters } = JSON.parse(line);
  Promise.resolve()
    .then(() => actions[action](parameters))
    .then(
      (result) => tell({ id, result: result ?? null }),
      (error) => tell({ id, error: error.message }),
    );
}
process.exit(0);

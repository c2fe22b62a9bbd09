// Drives one supabase-js client, which signs in with a password, from standard input. Its lines have the
// form of those of realtime_client.mjs: {"id", "do", ...} in, {"id", "result"} or {"id", "error"} out,
// and {"heard", "topic", ...} for each event that it hears.
import { createClient } from "@supabase/supabase-js";
import readline from "node:readline";
import WebSocket from "ws";

const [url, key, vsn] = process.argv.slice(2);
const supabase = createClient(url, key, {
  auth: { persistSession: false },
  db: { schema: "chat" },
  realtime: { transport: WebSocket, vsn, timeout: 5000 },
});
const channels = new Map();
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const actions = {
  async signIn({ email, password }) {
    const { data, error } = await supabase.auth.signInWithPassword({ email, password });
    if (error) throw error;
    return data.user.id;
  },
  async call({ name, parameters }) {
    const { data, error, status } = await supabase.rpc(name, parameters);
    return { data, error, status };
  },
  async callAs({ key, user, name, parameters }) {
    const server = createClient(url, key, {
      auth: { persistSession: false },
      db: { schema: "chat" },
      global: { headers: { "x-parley-user": user } },
      realtime: { transport: WebSocket },
    });
    const { data, error, status } = await server.rpc(name, parameters);
    return { data, error, status };
  },
  async read({ table, room }) {
    const { data, error, status } = await supabase.from(table).select().eq("room_id", room);
    return { data, error, status };
  },
  join({ topic, config }) {
    const channel = supabase.channel(topic, { config: { ...config, private: true } });
    channels.set(topic, channel);
    channel.on("broadcast", { event: "*" }, ({ event, payload }) =>
      tell({ heard: "broadcast", topic, event, payload }),
    );
    if (config.presence?.enabled) {
      channel.on("presence", { event: "sync" }, () =>
        tell({ heard: "sync", topic, state: channel.presenceState() }),
      );
    }
    return new Promise((resolve) => {
      channel.subscribe((status, error) => resolve({ status, message: error?.message }));
    });
  },
  send: ({ topic, event, payload }) =>
    channels.get(topic).send({ type: "broadcast", event, payload }),
  track: ({ topic, payload }) => channels.get(topic).track(payload),
  leave: ({ topic }) => supabase.removeChannel(channels.get(topic)),
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

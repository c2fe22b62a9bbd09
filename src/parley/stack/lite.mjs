// Loaded into the process of lite before lite itself, from the folder with supabase/config.toml.

import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import http from "node:http";
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

// Under /_system, lite shows its configuration and its tables to anybody, the database password
// included, and has no setting against it. The front door does not forward such requests, and this
// refuses them from everybody else on the machine.
const served = ["/rest/v1", "/auth/v1", "/storage/v1"];
const host = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i;

function isServed({ url, headers }) {
  // The URL is made as lite makes it, because that resolves dot segments.
  const whole = `http://${headers.host}${url}`;
  if (!url.startsWith("/") || !host.test(headers.host) || !URL.canParse(whole)) return false;
  const { pathname } = new URL(whole);
  return served.some((prefix) => pathname === prefix || pathname.startsWith(`${prefix}/`));
}

const { emit } = http.Server.prototype;
http.Server.prototype.emit = function (event, request, response) {
  if (event !== "request" || isServed(request)) return emit.apply(this, arguments);
  response.writeHead(404, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ message: "Nothing is served at this path." }));
  return true;
};

// lite prints its secret key when it starts, and its whole configuration when that is wrong. Secrets
// do not belong in a log, so they are replaced in everything that it prints.
const secret = /^(?:jwt_secret|secret_key) = "(.+)"$|^url = "\w+:\/\/\w+:(.+)@/gm;
const config = readFileSync("supabase/config.toml", "utf8");
const secrets = [...config.matchAll(secret)].map((match) => match[1] ?? match[2]);

for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream);
  stream.write = (chunk, ...rest) =>
    write(secrets.reduce((text, word) => text.replaceAll(word, "***"), String(chunk)), ...rest);
}

// lite looks tables up by name alone, and mixes up tables of the same name in different schemas: with
// public.messages beside chat.messages, select=*,messages(*) asked one for columns of the other. So
// while a request is answered, lite is not shown the tables of other schemas that have the name of a
// table in the schema of the request.
const profile = new AsyncLocalStorage();
const emitServed = http.Server.prototype.emit;
http.Server.prototype.emit = function (event, ...rest) {
  if (event !== "request" || !rest[0].url.startsWith("/rest/v1/")) {
    return emitServed.call(this, event, ...rest);
  }
  const { method, headers } = rest[0];
  const reads = method === "GET" || method === "HEAD";
  const schema = headers[reads ? "accept-profile" : "content-profile"] ?? "public";
  return profile.run(schema, () => emitServed.call(this, event, ...rest));
};

const hidden = new WeakMap();

function withoutNamesakes(known) {
  const schema = profile.getStore();
  if (schema === undefined) return known;
  if (!hidden.has(known)) hidden.set(known, new Map());
  const bySchema = hidden.get(known);
  if (!bySchema.has(schema)) {
    const own = new Set(
      [...known.tables, ...known.views].filter((each) => each.schema === schema)
        .map((each) => each.name),
    );
    const isNamesake = (of, table) => (of || "public") !== schema && own.has(table);
    const entries = Object.entries(known).map(([kind, list]) => {
      if (!Array.isArray(list) || kind === "functions" || kind === "custom_types") {
        return [kind, list];
      }
      return [kind, list.filter((each) => {
        const [, refSchema] = each.fk_def?.match(/REFERENCES "?(\w+)"?\./) ?? [];
        return !isNamesake(each.schema, each.table ?? each.name) &&
          !(refSchema && isNamesake(refSchema, each.ref_table));
      })];
    });
    bySchema.set(schema, Object.fromEntries(entries));
  }
  return bySchema.get(schema);
}
globalThis.parleyWithoutNamesakes = withoutNamesakes;

// While lite's module for the connection to Postgres is loaded, four things in it are changed:
//
// It passes JSON to the driver as text, and has the driver serialize it once more, so every json
// parameter would arrive as a JSON string. A text is now passed on as it is.
//
// It reads the schema only once. As in a hosted project, the database notifies the channel pgrst of
// every change of the schema. After a notification the next request reads the schema again. A read
// replica notifies nobody, so what changes there is known after the next start.
//
// It gets the schema without tables of the same name, as explained above.
//
// Its first requests repeat its grants, and fail when they do so at the same time. One does it now,
// and the others wait.
//
// The process ends as soon as Postgres has ended the connection that listens, and the supervisor
// starts it again. The driver does not get over a crash of Postgres: it waits up to 20 seconds
// before it connects again, never answers some of the requests that were under way, and ends the
// process when one of them writes to a closed connection.
const watch = `
  import postgres from "postgres";
  let changes = 0;
  async function listen(url) {
    const connection = postgres(url, {
      max: 1,
      max_lifetime: null,
      onnotice() {},
      onnotify() { changes += 1; },
      onclose() {
        console.error("Postgres ended the connection, so this process ends too.");
        process.exit(1);
      },
    });
    const [{ is_replica }] = await connection.unsafe("select pg_is_in_recovery() as is_replica");
    if (!is_replica) await connection.unsafe("listen pgrst");
  }
  const { introspect, ensureRlsContext } = CLASS.prototype;
  CLASS.prototype.introspect = async function (options) {
    this.listening ??= listen(this.config.url);
    await this.listening;
    if (this.known !== changes) {
      this.known = changes;
      await this.clearSchemaCache();
    }
    const known = await introspect.call(this, options);
    return options?.useCache ? globalThis.parleyWithoutNamesakes(known) : known;
  };
  CLASS.prototype.ensureRlsContext = function () {
    this.granting ??= ensureRlsContext.call(this).finally(() => { this.granting = undefined; });
    return this.granting;
  };
`;
const hooks = `
  const pattern = /serialize:(\\w+)=>JSON\\.stringify\\(\\1\\)/g;
  const once = 'serialize:$1=>typeof $1==="string"?$1:JSON.stringify($1)';
  const watch = ${JSON.stringify(watch)};
  export async function load(url, context, next) {
    const loaded = await next(url, context);
    if (!url.endsWith("/dist/db/postgres/PostgresConnection.js")) return loaded;
    const source = String(loaded.source).replaceAll(pattern, once);
    const [, name] = source.match(/(\\w+) as PostgresConnection/);
    return { ...loaded, source: source + watch.replaceAll("CLASS", name) };
  }
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

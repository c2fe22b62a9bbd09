// Serves every folder below supabase/functions as an Edge Function, as a hosted project does.
//
//   deno run -A functions.ts functions.json
//
// Each function is a Deno process of its own, started by its first request. A change of any file in
// the folder stops them all, so that the next request runs the new code. The front door forwards
// requests with the part of their path after /functions/v1, which is also the path that a hosted
// function sees.

interface Settings {
  folder: string;
  port: number;
  jwtSecret: string;
  environment: Record<string, string>;
  functions: Record<string, FunctionSettings>;
}

interface FunctionSettings {
  enabled?: boolean;
  verify_jwt?: boolean;
  entrypoint?: string;
  import_map?: string;
}

interface Running {
  process: Deno.ChildProcess;
  address: string;
}

const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;
const START_MS = 60_000;
const ANSWER_MS = 150_000;
const POLL_MS = 20;
const SETTLE_MS = 100;
const PASSED_ON =
  /^(PATH|HOME|TMPDIR|LANG|DENO_.+|NPM_CONFIG_.+|npm_config_.+|SSL_CERT_.+|.+_proxy|.+_PROXY)$/;

const settings: Settings = JSON.parse(Deno.readTextFileSync(Deno.args[0]));
const running = new Map<string, Promise<Running>>();

const key = await crypto.subtle.importKey(
  "raw",
  new TextEncoder().encode(settings.jwtSecret),
  { name: "HMAC", hash: "SHA-256" },
  false,
  ["verify"],
);

function refuse(status: number, code: string | number, message: string): Response {
  return Response.json({ code, message }, { status });
}

function decode(part: string): Uint8Array<ArrayBuffer> {
  const text = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (each) => each.charCodeAt(0));
}

/** Tells whether a JWT is signed with the project's secret and has not expired. */
async function isValid(token: string): Promise<boolean> {
  const parts = token.split(".");
  if (parts.length !== 3) return false;
  try {
    const [header, claims] = parts.slice(0, 2).map((part) =>
      JSON.parse(new TextDecoder().decode(decode(part)))
    );
    if (header.alg !== "HS256") return false;
    if (typeof claims.exp !== "number" || claims.exp * 1000 < Date.now()) return false;
    const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
    return await crypto.subtle.verify("HMAC", key, decode(parts[2]), signed);
  } catch {
    return false;
  }
}

/** Returns the refusal of a request that may not call a function, and null if it may. */
async function refusal(request: Request, options: FunctionSettings): Promise<Response | null> {
  if (options.verify_jwt === false || request.method === "OPTIONS") return null;
  const header = request.headers.get("authorization");
  if (header === null) return refuse(401, 401, "Missing authorization header");
  const [scheme, token] = header.split(" ");
  if (scheme.toLowerCase() !== "bearer" || !(await isValid(token ?? ""))) {
    return refuse(401, 401, "Invalid JWT");
  }
  return null;
}

function entrypoint(name: string, options: FunctionSettings): string {
  return options.entrypoint
    ? `${settings.folder}/../${options.entrypoint}`
    : `${settings.folder}/${name}/index.ts`;
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** Copies what a function prints to the log, each line with its name. */
async function log(name: string, stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
  let rest = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) console.log(`[${name}] ${line}`);
  }
  if (rest) console.log(`[${name}] ${rest}`);
}

async function answers(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

async function start(name: string, options: FunctionSettings): Promise<Running> {
  const port = freePort();
  const inherited = Object.entries(Deno.env.toObject()).filter(([each]) => PASSED_ON.test(each));
  const importMap = options.import_map
    ? `${settings.folder}/../${options.import_map}`
    : `${settings.folder}/import_map.json`;
  const config = `${settings.folder}/${name}/deno.json`;
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--no-prompt",
      "--no-lock",
      "--quiet",
      "--node-modules-dir=none",
      ...((await exists(config)) ? [`--config=${config}`] : ["--no-config"]),
      ...((await exists(importMap)) ? [`--import-map=${importMap}`] : []),
      entrypoint(name, options),
    ],
    clearEnv: true,
    env: {
      ...Object.fromEntries(inherited),
      ...settings.environment,
      SB_EXECUTION_ID: crypto.randomUUID(),
      DENO_NO_PACKAGE_JSON: "1",
      DENO_SERVE_ADDRESS: `tcp:127.0.0.1:${port}`,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  log(name, process.stdout);
  log(name, process.stderr);
  let hasEnded = false;
  process.status.then((status) => {
    hasEnded = true;
    console.log(`[${name}] ended with code ${status.code}`);
    running.delete(name);
  });
  for (const deadline = Date.now() + START_MS; !(await answers(port));) {
    if (hasEnded || Date.now() > deadline) {
      if (!hasEnded) process.kill("SIGKILL");
      throw new Error("it did not start");
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return { process, address: `http://127.0.0.1:${port}` };
}

/** Hands a request to the process of its function. */
async function forward(request: Request, name: string, options: FunctionSettings) {
  let starting = running.get(name);
  if (starting === undefined) {
    starting = start(name, options);
    running.set(name, starting);
  }
  let address: string;
  try {
    ({ address } = await starting);
  } catch {
    running.delete(name);
    return refuse(503, "BOOT_ERROR", "Function failed to start (please check logs)");
  }
  const url = new URL(request.url);
  try {
    return await fetch(`${address}${url.pathname}${url.search}`, {
      method: request.method,
      headers: request.headers,
      body: request.body,
      redirect: "manual",
      signal: AbortSignal.any([request.signal, AbortSignal.timeout(ANSWER_MS)]),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "TimeoutError") {
      return refuse(504, "IDLE_TIMEOUT", "Request idle timeout limit (150s) reached");
    }
    return refuse(500, "WORKER_ERROR", "Function exited due to an error (please check logs)");
  }
}

async function handle(request: Request): Promise<Response> {
  const name = new URL(request.url).pathname.split("/")[1] ?? "";
  const options = settings.functions[name] ?? {};
  const isKnown = NAME.test(name) && options.enabled !== false &&
    (await exists(entrypoint(name, options)));
  if (!isKnown) return refuse(404, "NOT_FOUND", "Requested function was not found");
  return (await refusal(request, options)) ?? (await forward(request, name, options));
}

async function restartOnChange(): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const event of Deno.watchFs(settings.folder)) {
    if (event.kind === "access") continue;
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const started = [...running.values()];
      running.clear();
      for (const each of await Promise.allSettled(started)) {
        if (each.status === "fulfilled") {
          try {
            each.value.process.kill("SIGTERM");
          } catch {
            // The process has already ended.
          }
        }
      }
    }, SETTLE_MS);
  }
}

restartOnChange();
Deno.serve({ hostname: "127.0.0.1", port: settings.port, onListen: () => {} }, handle);

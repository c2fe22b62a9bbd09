// The project that a function belongs to, asked with its secret key.

const ANSWER_MS = 20_000;

function secretKey(): string {
  const keys = Deno.env.get("SUPABASE_SECRET_KEYS");
  return keys ? JSON.parse(keys).default : Deno.env.get("SUPABASE_SERVICE_ROLE_KEY")!;
}

/** Asks one of the project's services; returns what it answers. Raises when it refuses. */
export async function ask(method: string, path: string, body: unknown): Promise<unknown> {
  const key = secretKey();
  const answer = await fetch(`${Deno.env.get("SUPABASE_URL")}${path}`, {
    method,
    headers: {
      "apikey": key,
      // A key that is not a JWT goes into `apikey` only.
      ...(key.startsWith("sb_") ? {} : { authorization: `Bearer ${key}` }),
      "content-type": "application/json",
      "content-profile": "chat",
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (!answer.ok) {
    throw new Error(`${path}: ${answer.status} ${(await answer.text()).slice(0, 200)}`);
  }
  return await answer.json();
}

/** Calls a function of `chat`. */
export async function call(name: string, parameters: unknown): Promise<unknown> {
  return await ask("POST", `/rest/v1/rpc/${name}`, parameters);
}

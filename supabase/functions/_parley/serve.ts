// Serves a worker that anybody may wake who knows its secret.

import { isSecret } from "./secret.ts";

declare const EdgeRuntime: { waitUntil(work: Promise<unknown>): void } | undefined;

/**
 * Does the work for every request with the secret, and answers with its summary.
 *
 * `name` is in the variable of the secret, `PUSH_SECRET`, and in its header, `x-push-secret`.
 */
export function serveWorker(name: string, work: () => Promise<unknown>): void {
  const variable = `${name.toUpperCase()}_SECRET`;
  const header = `x-${name}-secret`;
  Deno.serve(async (request) => {
    const secret = Deno.env.get(variable);
    if (!secret) {
      return Response.json({ message: `${variable} is not set.` }, { status: 503 });
    }
    if (!(await isSecret(request.headers.get(header) ?? "", secret))) {
      return Response.json({ message: `${header} is not ${variable}.` }, { status: 401 });
    }
    const working = work();
    // The work goes on if the caller closes the connection.
    if (typeof EdgeRuntime !== "undefined") EdgeRuntime.waitUntil(working);
    try {
      return Response.json(await working);
    } catch (error) {
      console.error("stopped:", error instanceof Error ? error.message : error);
      return Response.json({ message: "The database did not answer." }, { status: 502 });
    }
  });
}

// One request to a provider: it ends in time, is never redirected, and never raises.

import type { Result } from "./project.ts";

const ANSWER_MS = 10_000;

export interface Answer {
  status: number;
  after?: number;
  body: unknown;
}

function retryAfter(headers: Headers): number | undefined {
  const said = headers.get("retry-after");
  if (said === null) return undefined;
  const seconds = /^\d+$/.test(said) ? Number(said) : (Date.parse(said) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(3600, Math.max(1, Math.ceil(seconds))) : undefined;
}

/** Sends a request; status 0 is no answer at all, and a body that is no JSON is null. */
export async function ask(url: string, request: RequestInit): Promise<Answer> {
  try {
    const answer = await fetch(url, {
      ...request,
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const text = await answer.text();
    let body: unknown = null;
    try {
      body = JSON.parse(text);
    } catch {
      // Providers answer errors with pages, too.
    }
    return { status: answer.status, after: retryAfter(answer.headers), body };
  } catch {
    return { status: 0, body: null };
  }
}

/** Returns the outcome that a status means by itself, and null for a status of success. */
export function byStatus(answer: Answer): Result | null {
  if (answer.status >= 200 && answer.status < 300) return null;
  if (answer.status === 0 || answer.status === 429 || answer.status >= 500) {
    return { outcome: "retry", after: answer.after };
  }
  return { outcome: "failed" };
}

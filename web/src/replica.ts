/**
 * The read replica: asked with GET, for as long as it is quick and has what the client knows of.
 *
 * A replica follows the primary some milliseconds later, or much later. What it answers is taken only if it goes
 * at least as far as every number that this client has or was told; time says nothing about that. Whatever else
 * happens (an error, silence, an answer that is too old), the primary is asked.
 */
import { ParleyError, refusalOf } from "./errors.ts";
import type { Asked } from "./positions.ts";
import { isObject, refused, type Row } from "./rows.ts";
import { type Answer, type Heads, list, member, readAnswer, readHeads } from "./steps.ts";
import { Backoff } from "./timing.ts";

/** How long the replica may be silent, and how long it may take to come as far as it has to. */
export const PATIENCE_MS = 250;
/** How long it is left alone after that, so that not every call waits for it. */
export const REST_MS = 10_000;
const URL_BYTES_MOST = 4096;
const AGAIN_LEAST_MS = 10;
const AGAIN_MOST_MS = 100;

/** The highest number known of each stream; null is the own one. */
export type Least = ReadonlyMap<string | null, number>;

/** The read replica of a project. `fetch` adds the key of the project. */
export class Replica {
  #restsUntil = -Infinity;

  constructor(
    readonly url: string,
    readonly fetch: typeof globalThis.fetch,
  ) {}

  /** Call `pull_changes`; the answer goes at least as far as the numbers in `least`. */
  pull(asked: Asked, cursor: Row, least: Least, authorization: string): Promise<Answer | null> {
    return this.ask("pull_changes", { cursor }, authorization, (value) => {
      const answer = readAnswer(value);
      return reaches(answer, asked, least) ? answer : null;
    });
  }

  /** Call `list_heads`; no head is below `least`, or of another timeline. */
  heads(timeline: string | null, least: Least, authorization: string): Promise<Heads | null> {
    return this.ask("list_heads", {}, authorization, (value) => {
      const heads = readHeads(value);
      return areReached(heads, timeline, least) ? heads : null;
    });
  }

  /** Call `pull_table`, which refuses a cursor with more than the replica has. */
  async pullTable(name: string, cursor: Row, authorization: string): Promise<unknown> {
    const found = await this.ask("pull_table", { name, cursor }, authorization, (value) => {
      const isEmpty = list(member(value, "owners"), "owners").length === 0;
      const isMore = member(value, "more") !== false;
      const isOfOurs = member(value, "timeline") === cursor["timeline"];
      return isOfOurs ? { value, isOnlyMore: isEmpty && isMore } : null;
    });
    // What only the primary tells is left out as more.
    return found === null || found.isOnlyMore ? null : found.value;
  }

  /** Call a function that reads; null where the answer is not accepted, and the primary has to give it. */
  async ask<T>(
    name: string,
    parameters: Row,
    authorization: string,
    accept: (value: unknown) => T | null,
  ): Promise<T | null> {
    const url = `${this.url.replace(/\/$/, "")}/rest/v1/rpc/${name}${queryOf(parameters)}`;
    if (url.length > URL_BYTES_MOST || performance.now() < this.#restsUntil) return null;
    const deadline = performance.now() + PATIENCE_MS;
    const again = new Backoff(AGAIN_LEAST_MS, AGAIN_MOST_MS, Math.random);
    try {
      for (;;) {
        const accepted = await this.#try(url, authorization, deadline, accept);
        if (accepted !== null) return accepted;
        const wait = again.next();
        if (performance.now() + wait > deadline) throw refused("the replica is behind");
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    } catch (error) {
      // What the primary would refuse just the same says nothing about the replica.
      const isAboutTheCall = error instanceof ParleyError && error.status < 500;
      if (!isAboutTheCall) this.#restsUntil = performance.now() + REST_MS;
      return null;
    }
  }

  async #try<T>(
    url: string,
    authorization: string,
    deadline: number,
    accept: (value: unknown) => T | null,
  ): Promise<T | null> {
    try {
      return accept(await this.#get(url, authorization, deadline));
    } catch (error) {
      if (error instanceof ParleyError && error.slug === "replica_behind") return null;
      throw error;
    }
  }

  /** Get an answer that begins before the deadline, and does not stop for `PATIENCE_MS`. */
  async #get(url: string, authorization: string, deadline: number): Promise<unknown> {
    const stop = new AbortController();
    let timer = setTimeout(() => stop.abort(), deadline - performance.now());
    try {
      const headers = { Authorization: authorization, "Accept-Profile": "chat" };
      const answer = await this.fetch(url, { headers, signal: stop.signal });
      const text = await textOf(answer, () => {
        clearTimeout(timer);
        timer = setTimeout(() => stop.abort(), PATIENCE_MS);
      });
      const value: unknown = text === "" ? null : JSON.parse(text);
      if (!answer.ok) throw refusalOf(isObject(value) ? value : {}, answer.status);
      return value;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Read an answer piece by piece; `tell` is called with each. */
async function textOf(answer: Response, tell: () => void): Promise<string> {
  tell();
  const reader = answer.body?.getReader();
  if (reader === undefined) return answer.text();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    tell();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
  }
}

/**
 * Write arguments as a query: objects as JSON, lists as arrays of Postgres.
 *
 * What is null is left out; every function that reads has null as a default there.
 */
export function queryOf(parameters: Row): string {
  const query = Object.entries(parameters).flatMap(([key, value]) =>
    value === null || value === undefined ? [] : [`${key}=${written(textOfArgument(value))}`]
  );
  return query.length === 0 ? "" : `?${query.join("&")}`;
}

function textOfArgument(value: unknown): string {
  if (Array.isArray(value)) {
    return `{${value.map((each) => JSON.stringify(String(each))).join(",")}}`;
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Encode what has a meaning in a URL, and leave what JSON is full of as it is. */
function written(text: string): string {
  return encodeURIComponent(text).replace(/%(2C|3A|7B|7D)/g, decodeURIComponent);
}

/** Tell whether an answer goes as far as it has to, or is a part of one that may. One of another timeline does not. */
function reaches(answer: Answer, asked: Asked, least: Least): boolean {
  const { user } = answer;
  if (user === null || (asked.timeline !== null && asked.timeline !== answer.timeline)) {
    return false;
  }
  if (answer.more) return true;
  const positions = new Map<string | null, number | null>(asked.rooms);
  for (const { room_id, to } of answer.rooms) positions.set(room_id, to);
  for (const room_id of user.dropped_rooms) positions.delete(room_id);
  positions.set(null, user.to);
  return [...positions].every(([stream, have]) => (have ?? 0) >= (least.get(stream) ?? 0));
}

/** Tell whether heads are of this timeline, and none is below a number that is known of its stream. */
function areReached(heads: Heads, timeline: string | null, least: Least): boolean {
  return heads.timeline === timeline && heads.user.rev >= (least.get(null) ?? 0) &&
    [...heads.rooms].every(([roomId, { rev }]) => rev >= (least.get(roomId) ?? 0));
}

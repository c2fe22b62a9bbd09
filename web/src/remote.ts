/** The server: functions and tables of `chat` as the account that supabase-js is signed in as. */
import type { AuthError, Session, SupabaseClient } from "@supabase/supabase-js";
import type { ChatFunctions } from "./api.ts";
import { ParleyError, refusalOf } from "./errors.ts";
import { isObject, refused, type Row } from "./rows.ts";
import { download, upload } from "./files.ts";
import type { Least, Replica } from "./replica.ts";
import { type Answer, type Heads, list, readAnswer, readHeads, readProfiles } from "./steps.ts";
import type { Asked } from "./positions.ts";

const TIMEOUT_MS = 30_000;
const ROOMS_MOST = 1000;
/** As many rooms of a cursor as fit into a URL of 4 KB, each with its first message. */
export const ROOMS_PER_URL = 30;
const ROWS_PER_PAGE = 1000;
/** How many rows about a page of messages may come. */
const MOST_SELECTED = 100_000;
const AUTHORIZATION = "Authorization";
const TRY_AGAIN = "Check the network and the URL, then try again.";

/** Numbers of a column from `from` on, below `below`. */
export interface Span {
  readonly column: string;
  readonly from: number;
  readonly below: number;
}

/** What the client needs of a server. All throw `unreachable`, `sign_in_required` or what was refused. */
export interface Remote {
  /** How many rooms a pull may name. */
  readonly roomsMost: number;
  /** Call a function of `chat`; its answer is as it came. */
  call(name: keyof ChatFunctions, parameters: Row): Promise<unknown>;
  /** The same for a function that only reads; a read replica may answer, and its answer may be old. */
  read(name: keyof ChatFunctions, parameters: Row): Promise<unknown>;
  /**
   * Call `pull_changes` for windows of so many messages and about so many rows.
   *
   * A read replica answers only with at least these numbers.
   */
  pull(
    asked: Asked & { readonly seen: string | null },
    window: number,
    limit: number,
    least: Least,
  ): Promise<Answer>;
  /** Call `list_heads`. With `least`, a read replica of this timeline may answer, with no head below it. */
  heads(timeline: string | null, least: Least | null): Promise<Heads>;
  /** Call `pull_table`. With `mayLag`, a read replica may answer that has all of the cursor. */
  pullTable(name: string, cursor: Row, mayLag: boolean): Promise<unknown>;
  profiles(userIds: readonly string[]): Promise<readonly Row[]>;
  /** Read the numbered rows of a room in the order of some columns; stops when there are more than `most`. */
  select(
    table: string,
    roomId: string,
    span: Span,
    order: readonly string[],
    most: number | null,
  ): Promise<Row[]>;
  /**
   * Put a file into a bucket; one that is there already was uploaded before, since its name is ours.
   *
   * `tell` is called with how many bytes are on their way.
   */
  upload(
    bucket: string,
    path: string,
    file: Blob,
    mimeType: string,
    tell: (sent: number) => void,
  ): Promise<void>;
  /** Fetch a file; with a width in pixels, the image made smaller where the project does that. */
  download(bucket: string, path: string, width: number | null): Promise<Blob>;
}

/** The server of a client of supabase-js, as one account; `readUrl` is that of its read replica. */
export function remoteOf(supabase: SupabaseClient, me: string, readUrl: string | null): Remote {
  const chat = supabase.schema("chat");
  // Apps without a replica do not download what asks one.
  const replica = readUrl === null ? null : import("./replica.ts").then(
    (found) => new found.Replica(readUrl, chat.fetch ?? fetch),
    () => null,
  );

  async function call(name: keyof ChatFunctions, parameters: Row): Promise<unknown> {
    return withSession(supabase, me, async (authorization) => {
      const asking = chat.rpc(name, parameters).setHeader(AUTHORIZATION, authorization);
      return dataOf(await asking.abortSignal(AbortSignal.timeout(TIMEOUT_MS)));
    });
  }

  /** Ask the replica; null where there is none, or the primary has to answer. */
  async function ask<T>(
    work: (replica: Replica, authorization: string) => Promise<T | null>,
  ): Promise<T | null> {
    const found = await replica;
    return found && work(found, authorizationOf(await supabase.auth.getSession(), me));
  }

  return {
    roomsMost: replica === null ? ROOMS_MOST : ROOMS_PER_URL,
    call,
    async read(name, parameters) {
      const found = await ask((it, authorization) =>
        it.ask(name, parameters, authorization, (value) => ({ value }))
      );
      return found === null ? call(name, parameters) : resultOf(found.value);
    },
    async pull(asked, window, limit, least) {
      const { timeline, user, rooms, first, seen } = asked;
      const cursor = {
        timeline,
        user,
        rooms: Object.fromEntries(rooms),
        first: Object.fromEntries(first),
        seen,
        window,
        limit,
      };
      const found = await ask((it, authorization) => it.pull(asked, cursor, least, authorization));
      return found ?? readAnswer(await call("pull_changes", { cursor }));
    },
    async heads(timeline, least) {
      const found = least &&
        await ask((it, authorization) => it.heads(timeline, least, authorization));
      return found ?? readHeads(await call("list_heads", {}));
    },
    async pullTable(name, cursor, mayLag) {
      const found = mayLag &&
        await ask((it, authorization) => it.pullTable(name, cursor, authorization));
      return found || call("pull_table", { name, cursor });
    },
    profiles: async (user_ids) => readProfiles(await call("list_profiles", { user_ids })),
    async select(table, roomId, { column, from, below }, order, most) {
      const rows: Row[] = [];
      while (most === null || rows.length <= most) {
        if (rows.length >= MOST_SELECTED) throw refused(`${table} has no end`);
        // A project caps the rows of one answer as well, and does not say at how many.
        const page = await withSession(supabase, me, async (authorization) => {
          let query = chat
            .from(table)
            .select()
            .eq("room_id", roomId)
            .gte(column, from)
            .lt(column, below)
            .not("rev", "is", null);
          for (const each of order) query = query.order(each);
          const part = query.range(rows.length, rows.length + ROWS_PER_PAGE - 1)
            .setHeader(AUTHORIZATION, authorization);
          return dataOf(await part.abortSignal(AbortSignal.timeout(TIMEOUT_MS)));
        });
        const some = list(page, table);
        if (some.length === 0) break;
        rows.push(...(some as Row[]));
      }
      return rows;
    },
    upload: (bucket, path, file, mimeType, tell) =>
      withSession(
        supabase,
        me,
        (authorization) =>
          upload(supabase.storage.from(bucket), path, file, { mimeType, authorization, tell }),
      ),
    download: (bucket, path, width) =>
      withSession(supabase, me, () => download(supabase.storage.from(bucket), path, width)),
  };
}

/**
 * Ask as this account, once more with a fresh token where the one that was sent is not good any more.
 *
 * supabase-js sends whatever session there is when Auth's lock is free: what waits until somebody has signed out
 * would go out as nobody, and what waits until somebody else has signed in as them.
 */
async function withSession<R>(
  supabase: SupabaseClient,
  me: string,
  ask: (authorization: string) => Promise<R>,
): Promise<R> {
  const authorization = authorizationOf(await supabase.auth.getSession(), me);
  try {
    return await ask(authorization);
  } catch (error) {
    if (!(error instanceof ParleyError) || error.slug !== "sign_in_required") throw error;
    return ask(authorizationOf(await supabase.auth.refreshSession(), me));
  }
}

/**
 * The header of this account's session.
 *
 * Throws `sign_in_required` where this account is not signed in, `unreachable` where Auth cannot tell.
 */
function authorizationOf({ data, error }: AuthAnswer, me: string): string {
  if (data.session?.user.id === me) return `Bearer ${data.session.access_token}`;
  if (data.session === null && error !== null && isRetryable(error)) {
    throw new ParleyError("unreachable", `Auth did not answer: ${error.message}.`, TRY_AGAIN);
  }
  throw new ParleyError("sign_in_required", "This account is not signed in.", "Sign in first.");
}

interface AuthAnswer {
  readonly data: { readonly session: Session | null };
  readonly error: AuthError | null;
}

/** Tell whether Auth gave no answer, so that the session may be good still. */
export function isRetryable(
  error: { readonly name?: string; readonly status?: number | undefined },
): boolean {
  const status = error.status ?? 0;
  return error.name === "AuthRetryableFetchError" || status === 0 || status === 429 ||
    status >= 500;
}

interface RestAnswer {
  readonly data: unknown;
  readonly error: { message?: string; details?: string; hint?: string; code?: string } | null;
  readonly status: number;
}

function dataOf({ data, error, status }: RestAnswer): unknown {
  if (error !== null) {
    if (status === 0) {
      throw new ParleyError("unreachable", `The API did not answer: ${error.message}.`, TRY_AGAIN);
    }
    throw refusalOf(error, status);
  }
  return resultOf(data);
}

function resultOf(data: unknown): unknown {
  // A function that returns no row: PostgREST prints the columns of the row all the same.
  const isNothing = isObject(data) && Object.keys(data).length > 0 &&
    Object.values(data).every((each) => each === null);
  return isNothing ? null : data;
}

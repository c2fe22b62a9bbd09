/** What the copy does not do: calls of functions and reads of tables. All of it rejects with ParleyError. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { ChatFunctions } from "../src/api.ts";
import { ParleyError, type Refusal, refusalOf } from "../src/errors.ts";
import type { Row } from "../src/rows.ts";
import { usePage } from "./page.ts";

interface Answer {
  readonly data: unknown;
  readonly error: Refusal | null;
  readonly status: number;
}

export interface Server {
  /** Call a function of `chat`; resolves to its answer as it came. */
  readonly call: (name: keyof ChatFunctions, parameters: Row) => Promise<unknown>;
  /** Call one that answers with rows. */
  readonly list: (name: keyof ChatFunctions, parameters: Row) => Promise<Row[]>;
  /** Read rows of a table of `chat`: what `chat.from(table).select()…` answers. */
  readonly rows: (asked: PromiseLike<Answer>) => Promise<Row[]>;
  readonly chat: ReturnType<SupabaseClient["schema"]>;
}

const servers = new WeakMap<SupabaseClient, Server>();

/** The server of this page. */
export function useServer(): Server {
  const { supabase } = usePage();
  return serverOf(supabase);
}

/** The server of a client of supabase-js, the same one each time. */
export function serverOf(supabase: SupabaseClient): Server {
  const known = servers.get(supabase);
  if (known !== undefined) return known;
  const chat = supabase.schema("chat");
  const call: Server["call"] = async (name, parameters) => dataOf(await chat.rpc(name, parameters));
  const server: Server = {
    chat,
    call,
    list: async (name, parameters) => (await call(name, parameters)) as Row[],
    rows: async (asked) => dataOf(await asked) as Row[],
  };
  servers.set(supabase, server);
  return server;
}

function dataOf({ data, error, status }: Answer): unknown {
  if (error === null) return data;
  if (status > 0) throw refusalOf(error, status);
  throw new ParleyError("unreachable", "The server did not answer.", "Look at the network.");
}

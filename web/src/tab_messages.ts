/** What tabs of one account say to each other. */
import type { Slug } from "./errors.ts";
import type { Change, Status } from "./types.ts";

/** What only the leader can do. */
export type Call =
  | { readonly name: "sync" | "tables" | "prune" | "verify" | "device" }
  | { readonly name: "wake"; readonly room_id: string; readonly tab: string }
  | { readonly name: "older"; readonly room_id: string; readonly page_size: number }
  | { readonly name: "typing"; readonly room_id: string }
  | { readonly name: "show"; readonly tab: string; readonly rooms: readonly string[] };

/** What the leader tells all tabs. */
export interface News {
  readonly changes?: readonly Change[];
  /** The tab that knows these changes already, because they were made there. */
  readonly made_in?: string;
  readonly status?: Pick<Status, "state" | "is_behind" | "fault">;
  /** The people on the live topic of a room; nobody has looked at it. */
  readonly present?: { readonly room_id: string; readonly people: readonly string[] };
  readonly typing?: { readonly room_id: string; readonly user_id: string };
}

/** Everything that travels between tabs. */
export type Message =
  | { readonly is: "ask"; readonly id: string; readonly call: Call }
  | { readonly is: "heard"; readonly id: string }
  | {
    readonly is: "answer";
    readonly id: string;
    readonly result?: unknown;
    readonly error?: Fault;
  }
  | { readonly is: "news"; readonly news: News }
  | { readonly is: "ping" | "pong" | "leads" | "hidden" }
  | { readonly is: "here"; readonly tab: string }
  | { readonly is: "yield"; readonly tab: string };

/** A `ParleyError` on its way to another tab. */
export interface Fault {
  readonly slug: Slug;
  readonly detail: string;
  readonly hint: string;
}

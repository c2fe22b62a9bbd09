/**
 * Chat with a copy of one's own: reads are local, actions are shown at once, everything converges.
 *
 * ```ts
 * const supabase = createClient(url, key, { realtime: { worker: true } });
 * const parley = createParley({ supabase, name: "my-app" });
 * await parley.ready;
 * const [room] = await parley.rooms();
 * await parley.send(room.id, "On my way"); // returns at once, pending
 * for await (const change of parley.changes()) show(change);
 * ```
 *
 * Whoever is signed in at `supabase` is whose copy this is: each account has one of its own, and signing out
 * deletes it. `worker: true` keeps Realtime's heartbeats going in a tab that is behind others.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { Account } from "./account.ts";
import type { ChatFunctions } from "./api.ts";
import { ParleyError } from "./errors.ts";
import { Feed } from "./feed.ts";
import { readBlocked } from "./around.ts";
import { readRoom } from "./lines.ts";
import { foldedIn, readMembers, readMessages, readNotifications, readPeople } from "./reads.ts";
import { search } from "./search.ts";
import { followSession, Remembered } from "./session.ts";
import { openIndexedDb } from "./storage/indexeddb.ts";
import { openMemory } from "./storage/memory.ts";
import type { OpenStorage } from "./storage/storage.ts";
import { browser, type Surroundings } from "./surroundings.ts";
import { loadTables, tableOf } from "./table_handle.ts";
import type { TableOptions } from "./table_types.ts";
import type { Rng } from "./timing.ts";
import type { Parley } from "./parley.ts";
import type { Status } from "./types.ts";
import { profileOf } from "./views.ts";

/** What `createParley` needs. */
export interface ParleyOptions {
  /** The client of supabase-js, whatever its schema is; whoever is signed in there is whose copy this is. */
  readonly supabase: Pick<
    SupabaseClient,
    "auth" | "channel" | "realtime" | "removeChannel" | "storage"
  >;
  /**
   * The URL of a read replica of the project. It answers pulls as long as it has what this copy knows of, and
   * answers within 250 ms; else the project itself does.
   */
  readonly readUrl?: string;
  /** The name of the app's copies in this browser; each account has one of its own under it. */
  readonly name: string;
  /** Where copies are kept; IndexedDB, or memory where there is none. */
  readonly storage?: OpenStorage;
  /** Tables of the app's own that the copy has too; `table` reads them. */
  readonly tables?: readonly TableOptions[];
  /** The browser around; tests give their own. */
  readonly around?: Surroundings;
  /** Decides how long to wait before something is tried again; tests give their own. */
  readonly rng?: Rng;
}

const RETRY_MS = 1000;

const STARTING: Status = {
  state: "starting",
  me: null,
  is_leader: false,
  is_behind: true,
  fault: null,
};

/** Begin to keep the copy of whoever is signed in. */
export function createParley(options: ParleyOptions): Parley {
  const { name, readUrl = null, around = browser(), rng = Math.random } = options;
  // (Its type says which tables the app knows. Ours are in a schema of their own.)
  const supabase = options.supabase as SupabaseClient;
  const open = options.storage ?? (typeof indexedDB === "undefined" ? openMemory : openIndexedDb);
  const feed = new Feed();
  const remembered = new Remembered(around, `parley:${name}`);
  const tables = { options: options.tables ?? [], load: loadTables };
  // (Not only when it is needed: there may be no network by then.)
  if (tables.options.length > 0) void loadTables().catch(() => undefined);
  let status = STARTING;
  let account: Account | null = null;
  let isClosed = false;
  let beginning: Promise<unknown> = Promise.resolve();
  let turns = 0;
  let trouble: ParleyError | null = null;
  let isReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => (isReady = resolve));

  function stand(changes: Partial<Status>): void {
    const next = { ...status, ...changes };
    if (JSON.stringify(next) === JSON.stringify(status)) return;
    status = next;
    feed.emit([]);
  }

  /** Work as this account from now on. */
  async function become(me: string): Promise<void> {
    if (isClosed || me === account?.me) return;
    const before = account;
    account = null;
    await before?.close();
    stand({ ...STARTING, me });
    const copy = nameOf(name, me);
    const storage = await open(copy);
    remembered.me = me;
    account = new Account({
      supabase,
      readUrl,
      storage,
      me,
      name: copy,
      around,
      feed,
      tables,
      rng,
      stand,
    });
    stand({ state: "offline" });
    account.start();
    isReady();
  }

  /** Work as nobody; the copy is deleted, or hidden until its account is signed in again. */
  async function leave(isForgetting: boolean): Promise<void> {
    if (isClosed) return;
    await stop(isForgetting);
    stand({ ...STARTING, state: "signed_out", is_behind: false });
    isReady();
  }

  async function stop(isForgetting: boolean): Promise<void> {
    const before = account;
    account = null;
    if (!isForgetting) return before?.close();
    if (before !== null) await before.forget();
    else if (remembered.me !== null) await (await open(nameOf(name, remembered.me))).destroy();
    remembered.me = null;
  }

  /** After one another, because each deletes or opens a copy. The newest is tried again when it fails. */
  function queue(work: () => Promise<void>): void {
    const turn = (turns += 1);
    beginning = beginning.then(work).then(
      () => (trouble = null),
      (error: unknown) => {
        trouble = error instanceof ParleyError ? error : null;
        stand({ fault: trouble?.detail ?? String(error) });
        isReady();
        setTimeout(() => {
          if (!isClosed && turn === turns) queue(work);
        }, RETRY_MS);
      },
    );
  }

  const unfollow = followSession(supabase.auth, remembered, {
    become: (me) => queue(() => become(me)),
    leave: (isForgetting) => queue(() => leave(isForgetting)),
  });

  /** The account that works here. Throws `sign_in_required`, `chat_closed`, `store_unusable`. */
  async function here(): Promise<Account> {
    await ready;
    await beginning;
    if (isClosed) {
      throw new ParleyError("chat_closed", "This client was closed.", "Make another one.");
    }
    if (account === null) {
      if (trouble !== null) throw trouble;
      throw new ParleyError("sign_in_required", "Nobody is signed in.", "Sign in first.");
    }
    return account;
  }

  async function end(isForgetting: boolean): Promise<void> {
    if (isClosed) return;
    isClosed = true;
    unfollow();
    await beginning;
    await stop(isForgetting);
    stand({ ...STARTING, state: "closed", is_behind: false });
    isReady();
    feed.end();
  }

  return {
    ready,
    get status() {
      return status;
    },

    rooms: async ({ page_size = Infinity, offset = 0 } = {}) =>
      (await here()).lines.read(offset, page_size),
    async room(room_id) {
      const it = await here();
      return it.read((tx) => readRoom(tx, it.me, room_id));
    },
    async messages(room_id, { before, page_size = 50 } = {}) {
      const it = await here();
      return it.read((tx) => readMessages(tx, it.me, room_id, before ?? null, page_size));
    },
    members: async (room_id) => (await here()).read((tx) => readMembers(tx, room_id)),
    async profile(user_id) {
      const record = await (await here()).read((tx) => tx.get("profiles", user_id));
      return profileOf(record?.row ?? null);
    },
    people: async () => (await here()).read(readPeople),
    notifications: async ({ page_size = 50 } = {}) =>
      (await here()).read((tx) => readNotifications(tx, page_size)),
    blocked: async () => (await here()).read(readBlocked),
    outbox: async () => (await here()).read((tx) => tx.list("outbox")),
    search: async (query, { room_id, page_size = 20, before } = {}) =>
      (await here()).read(async (tx) =>
        foldedIn(tx, await search(tx, query, room_id ?? null, page_size, before ?? null))
      ),

    send: async (room_id, body, more = {}) =>
      (await here()).actions.send(room_id, body, more, null, crypto.randomUUID()),
    attach: async (room_id, file, more = {}) => (await here()).actions.attach(room_id, file, more),
    edit: async (message, body, { mentions, metadata } = {}) =>
      (await here()).actions.act("edit", message, {
        body,
        ...(mentions === undefined ? {} : { mentions }),
        ...(metadata === undefined ? {} : { metadata }),
      }),
    remove: async (message) => (await here()).actions.act("delete", message, {}),
    react: async (message, emoji) => (await here()).actions.act("react", message, { emoji }),
    unreact: async (message, emoji) => (await here()).actions.act("unreact", message, { emoji }),
    markRead: async (room_id, seq) => (await here()).actions.markRead(room_id, seq),
    retry: async (item_id) => (await here()).actions.settle(item_id, false),
    dismiss: async (item_id) => (await here()).actions.settle(item_id, true),

    older: async (room_id, { page_size = 200 } = {}) => (await here()).older(room_id, page_size),
    async sync() {
      const it = await here();
      await it.sync();
      if (tables.options.length > 0) await it.syncTables();
    },
    verify: async () => (await here()).verify(),
    call: async (name, ...[parameters = {}]) =>
      (await here()).call(name, parameters) as Promise<ChatFunctions[typeof name]["Returns"]>,
    read: async (name, ...[parameters = {}]) =>
      (await here()).ask(name, parameters) as Promise<ChatFunctions[typeof name]["Returns"]>,
    markNotificationsRead: async (seq) => (await here()).markNotificationsRead(seq),
    download: async (path, { width } = {}) => (await here()).download(path, width ?? null),
    deviceId: async () => (await here()).deviceId(),
    async settled() {
      const it = await here();
      for (;;) {
        const news = new Promise<void>((resolve) => {
          const stop = feed.subscribe(() => {
            stop();
            resolve();
          });
        });
        if (isClosed || account !== it) return;
        const items = await it.read((tx) => tx.list("outbox"));
        if (items.every((item) => item.state !== "pending")) return;
        await news;
      }
    },

    table: (name) => tableOf(name, tables, feed, here),

    open: (room_id) => account?.screen.open(room_id) ?? (() => undefined),
    typing: (room_id) => account?.screen.typing(room_id),
    typists: (room_id) => account?.screen.typists(room_id) ?? [],
    present: (room_id) => account?.screen.present(room_id) ?? [],
    changes: () => feed.changes(),
    subscribe: (listener) => feed.subscribe(listener),
    close: () => end(false),
    forget: () => end(true),
  };
}

function nameOf(name: string, me: string): string {
  return `parley:${name}:${me}`;
}

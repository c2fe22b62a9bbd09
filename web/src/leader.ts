/**
 * The work of the tab that leads: pulling, sending, uploading and listening, for all tabs.
 *
 * A leader begins with a term of its own and ends for good; a tab that leads again makes another one.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { change } from "./change.ts";
import { compare } from "./checksum.ts";
import { Deposed } from "./deposed.ts";
import { Engine } from "./engine.ts";
import { ParleyError } from "./errors.ts";
import { History } from "./history.ts";
import { Listener } from "./listener.ts";
import { acknowledge, isMark } from "./outbox.ts";
import { posters } from "./membership.ts";
import { isFull, prune } from "./prune.ts";
import type { Remote } from "./remote.ts";
import { Sender } from "./sender.ts";
import { ShownRooms } from "./shown_rooms.ts";
import { Standing } from "./standing.ts";
import { Store } from "./store.ts";
import type { Storage } from "./storage/storage.ts";
import type { Call, News } from "./tab_messages.ts";
import { forgetTables } from "./table_drops.ts";
import type { AppTables } from "./table_handle.ts";
import type { TablePullers } from "./table_pullers.ts";
import { Backoff, type Rng, sleep } from "./timing.ts";
import type { Change, OutboxItem } from "./types.ts";
import { Uploader } from "./uploader.ts";

/** How long the broadcast of an own action may take before it is pulled. */
const GRACE_MS = 500;
const HEADS_OFFLINE_MS = 5000;
const HEADS_LEAST_MS = 60_000;
const HEADS_MOST_MS = 180_000;
const RESTART_LEAST_MS = 500;
const RESTART_MOST_MS = 30_000;

/** What a leader tells the tab it is in. */
export interface Office {
  /** For all tabs. */
  tell(news: News): void;
  /** Another tab may have taken over, or the copy was taken away. */
  doubt(): void;
}

export class Leader {
  readonly store: Store;
  readonly engine: Engine;
  readonly #sender: Sender;
  readonly #uploader: Uploader;
  readonly #history: History;
  readonly #listener: Listener;
  readonly #end = new AbortController();
  readonly #shown = new ShownRooms();
  readonly #standing: Standing;
  #pullers: TablePullers | null = null;

  constructor(
    readonly supabase: SupabaseClient,
    readonly remote: Remote,
    storage: Storage,
    me: string,
    readonly tables: AppTables,
    readonly office: Office,
    readonly rng: Rng,
  ) {
    const { signal } = this.#end;
    const emit = (changes: readonly Change[]) => this.#emit(changes);
    const settled = (item: OutboxItem, rev: number | null) => this.#settled(item, rev);
    this.store = new Store(storage, me);
    this.#listener = new Listener(
      supabase,
      me,
      {
        hear: (payload) => this.engine.hear(payload),
        hearTyping: (room_id, user_id) => void this.#hearTyping(room_id, user_id),
        hearPresent: (room_id, people) => this.#tellPresent(room_id, people),
        hearTables: (names) => this.#pullers?.want(names),
        wantHeads: () => this.engine.wantHeads(),
        changed: () => this.#standing.tell(),
        roomRow: async (roomId) =>
          (await storage.read((tx) => tx.get("rooms", roomId)))?.row ?? null,
      },
      rng,
      signal,
    );
    this.engine = new Engine(
      this.store,
      remote,
      {
        emit,
        heads: (heads, news, mayLag) => {
          this.#listener.takeHeads(heads, news);
          this.#pullers?.want(null, mayLag);
        },
        trouble: (error) => this.#meet(error),
      },
      rng,
      signal,
    );
    this.#sender = new Sender(this.store, remote, settled, rng, signal);
    this.#uploader = new Uploader(
      this.store,
      remote,
      emit,
      settled,
      () => this.#sender.wake(),
      rng,
      signal,
    );
    this.#history = new History(this.store, remote);
    this.#standing = new Standing({
      isLive: () => this.#listener.isLive,
      isBehind: () => this.engine.isBehind,
      tell: (status) => {
        if (!signal.aborted) office.tell({ status });
      },
    });
  }

  /** Something is in the way, or is no more. */
  #meet(error: ParleyError | null): void {
    if (this.#end.signal.aborted) return;
    if (isFull(error)) void this.#prune().catch(() => undefined);
    const { fault, isOver } = this.#standing.meet(error);
    if (fault !== null) this.#emit([change(null, { fault })]);
    if (isOver) this.#sender.wake();
  }

  /** Take a term and begin. Throws `store_unusable`. */
  async begin(): Promise<void> {
    await this.store.begin();
    const names = this.tables.options.map((each) => each.name);
    await this.store.write((draft) => forgetTables(draft.tx, names));
    if (names.length > 0) void this.#keepRunning(() => this.#pullTables());
    void this.#keepRunning(() => this.engine.run());
    void this.#keepRunning(() => this.#sender.run());
    void this.#keepRunning(() => this.#uploader.run());
    void this.#compareNowAndThen();
  }

  /** Stop for good. */
  end(): void {
    this.#end.abort();
  }

  /** Something may have been missed: a frozen tab, a sleep, a lost network. */
  lookAgain(): void {
    this.engine.wantHeads();
    this.#sender.wake();
    this.#uploader.wake();
  }

  /** Do what a tab asks for. */
  async answer(call: Call): Promise<unknown> {
    switch (call.name) {
      case "wake":
        this.office.tell({ changes: [change(call.room_id)], made_in: call.tab });
        this.#sender.wake();
        this.#uploader.wake();
        return null;
      case "sync":
        return this.engine.sync();
      case "tables":
        await (await this.#loadPullers()).sync();
        return null;
      case "verify":
        return compare(this.store, this.remote, this.engine);
      case "device":
        return this.store.account.device_id;
      case "prune":
        return this.#prune();
      case "older": {
        const count = await this.#history.load(call.room_id, call.page_size);
        this.#emit([change(call.room_id)]);
        // What is not read before them is less now.
        this.engine.wantHeads();
        return count;
      }
      case "typing":
        this.#listener.type(call.room_id);
        return null;
      case "show":
        // A tab that has just come does not know how the copy stands.
        if (!this.#shown.has(call.tab)) this.#standing.forget();
        this.#shown.note(call.tab, call.rooms);
        this.#listener.show(this.#shown.rooms());
        this.#standing.tell();
        for (const roomId of call.rooms) this.#tellPresent(roomId, this.#listener.present(roomId));
        return null;
    }
  }

  /** Go on after what nobody thought of: it must not be final for somebody who chats. */
  async #keepRunning(work: () => Promise<void>): Promise<void> {
    const retry = new Backoff(RESTART_LEAST_MS, RESTART_MOST_MS, this.rng);
    while (!this.#end.signal.aborted) {
      try {
        await work();
      } catch (error) {
        if (this.#end.signal.aborted) return;
        if (error instanceof Deposed) {
          this.end();
          this.office.doubt();
          return;
        }
        this.#meet(error instanceof ParleyError ? error : null);
        if (!(error instanceof ParleyError)) console.error("parley begins again later:", error);
        await sleep(retry.next(), this.#end.signal);
      }
    }
  }

  /** A lost last event leaves no gap to notice. */
  async #compareNowAndThen(): Promise<void> {
    while (!this.#end.signal.aborted) {
      const wait = this.#listener.isLive
        ? HEADS_LEAST_MS + this.rng() * (HEADS_MOST_MS - HEADS_LEAST_MS)
        : HEADS_OFFLINE_MS;
      // (Looked at every few seconds, because a socket may be lost meanwhile.)
      for (let slept = 0; slept < wait && !this.#end.signal.aborted; slept += HEADS_OFFLINE_MS) {
        await sleep(Math.min(HEADS_OFFLINE_MS, wait - slept), this.#end.signal);
        this.#standing.tell();
        if (!this.#listener.isLive) break;
      }
      this.#listener.show(this.#shown.rooms());
      this.engine.glance();
    }
  }

  async #pullTables(): Promise<void> {
    await (await this.#loadPullers()).run((work) => this.#keepRunning(work));
  }

  async #loadPullers(): Promise<TablePullers> {
    const { TablePullers } = await this.tables.load();
    const told = {
      emit: (changes: readonly Change[]) => this.#emit(changes),
      tenants: (tenants: readonly string[] | null) => this.#listener.follow(tenants),
      trouble: (error: ParleyError | null) => this.#meet(error),
    };
    const { store, remote, tables, rng } = this;
    const { signal } = this.#end;
    return (this.#pullers ??= new TablePullers(store, remote, tables.options, told, rng, signal));
  }

  #emit(some: readonly Change[]): void {
    if (this.#end.signal.aborted || some.length === 0) return;
    const changes = [...some];
    if (some.some((each) => each.dropped_tenants.length > 0)) {
      // Rows of any table may have left with the tenant.
      for (const { name } of this.tables.options) {
        changes.push(change(null, { table: { name, keys: [], is_fresh: true, fault: null } }));
      }
    }
    // There are rows of other tenants then, and what is on its way may be of one that was left.
    if (some.some((each) => each.places_changed)) this.#pullers?.want(null);
    this.office.tell({ changes });
    this.#standing.tell();
    // What a restore undid waits to be sent again.
    if (changes.some((each) => each.is_fresh)) this.#sender.wake();
    const wake = () => this.#sender.wake();
    void acknowledge(this.store, changes, wake).catch(() => undefined);
  }

  async #hearTyping(room_id: string, user_id: string): Promise<void> {
    const mayPost = await this.store.storage.read((tx) => posters(tx, room_id, [user_id]));
    if (mayPost.has(user_id)) this.office.tell({ typing: { room_id, user_id } });
  }

  #tellPresent(room_id: string, people: readonly string[]): void {
    if (!this.#end.signal.aborted) this.office.tell({ present: { room_id, people } });
  }

  /** The server answered an action; its broadcast is probably on the way already. */
  #settled(item: OutboxItem, rev: number | null): void {
    const stream = isMark(item.kind) ? null : item.room_id;
    if (rev === null) this.engine.wantHeads();
    else {
      this.engine.expect(stream, rev);
      setTimeout(() => this.engine.tell(stream, rev), this.#listener.isLive ? GRACE_MS : 0);
    }
    this.#emit([change(item.room_id)]);
  }

  /** The disk is full: the oldest messages leave the copy, and can be fetched again. */
  async #prune(): Promise<void> {
    const changes = await prune(this.store);
    if (changes.length === 0) return;
    const fault = "There is no room left, so older messages left this device.";
    this.#emit([change(null, { fault }), ...changes]);
  }
}

/** One account in one tab: its copy, its place among the tabs, and what is done in it. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { Actions } from "./actions.ts";
import type { ChatFunctions } from "./api.ts";
import { change } from "./change.ts";
import { ParleyError } from "./errors.ts";
import type { Feed } from "./feed.ts";
import { Leader } from "./leader.ts";
import { Lines } from "./lines.ts";
import { type Remote, remoteOf } from "./remote.ts";
import { Screen } from "./screen.ts";
import type { Row } from "./rows.ts";
import type { Reader, Storage } from "./storage/storage.ts";
import type { Surroundings } from "./surroundings.ts";
import type { AppTables } from "./table_handle.ts";
import type { News } from "./tab_messages.ts";
import { Tabs } from "./tabs.ts";
import { type Rng, throttled } from "./timing.ts";
import type { Change, Difference, Status } from "./types.ts";
import { BUCKET } from "./uploader.ts";

const RETURN_MS = 1000;
/** The functions that change nothing a copy shows. */
const READS =
  /^((list|search|explain|export|read|verify)_.*|pull_(changes|table)|room_checksum|tenant_stats|heartbeat)$/;

/** What an account in a tab is made of. */
export interface AccountParts {
  readonly supabase: SupabaseClient;
  readonly readUrl: string | null;
  readonly storage: Storage;
  readonly me: string;
  /** The name that all tabs of this account share. */
  readonly name: string;
  readonly around: Surroundings;
  readonly feed: Feed;
  readonly tables: AppTables;
  readonly rng: Rng;
  /** How the copy stands now. */
  readonly stand: (status: Partial<Status>) => void;
}

export class Account {
  /** What is done here. */
  readonly actions: Actions;
  /** The start screen. */
  readonly lines: Lines;
  readonly #parts: AccountParts;
  readonly #remote: Remote;
  readonly #tabs: Tabs;
  readonly #screen: Screen;
  readonly #ends: (() => void)[] = [];
  #leader: Leader | null = null;
  #leading: Promise<void> = Promise.resolve();

  constructor(parts: AccountParts) {
    const { name, around, rng, feed } = (this.#parts = parts);
    const role = {
      lead: () => (this.#leading = this.#lead()),
      depose: () => this.#depose(),
      answer: async (call: Parameters<Leader["answer"]>[0]) => {
        await this.#leading;
        return this.#leader === null ? undefined : this.#leader.answer(call);
      },
      hear: (news: News) => this.#hear(news),
      follow: () => {
        // The leader before may have ended before it told what it wrote.
        this.lines.hear(null);
        this.#screen.tell();
      },
    };
    this.#tabs = new Tabs(name, around, role, rng);
    const { storage, me } = parts;
    this.#remote = remoteOf(parts.supabase, me, parts.readUrl);
    this.#screen = new Screen(this.#tabs, storage, me, (roomId) => feed.emit([change(roomId)]));
    this.lines = new Lines(storage, me);
    this.actions = new Actions(storage, me, (changes) => this.#emit(changes), this.#tabs);
    const lookAgain = throttled(() => this.#lookAgain(), RETURN_MS);
    this.#ends.push(around.onReturn(lookAgain), this.#screen.start());
  }

  get me(): string {
    return this.#parts.me;
  }

  /** Begin to work, as the leader or behind one. */
  start(): void {
    this.#tabs.start();
    this.#screen.tell();
  }

  /** Stop; the copy stays. */
  async close(): Promise<void> {
    for (const end of this.#ends) end();
    this.#tabs.close();
    await this.#parts.storage.close();
  }

  /** Stop and delete the copy. */
  async forget(): Promise<void> {
    for (const end of this.#ends) end();
    this.#tabs.close();
    await this.#parts.storage.destroy();
  }

  /** Read the copy. */
  read<R>(work: (reader: Reader) => Promise<R>): Promise<R> {
    return this.#parts.storage.read(work);
  }

  /** Fetch older messages; resolves to how many came. */
  async older(room_id: string, page_size: number): Promise<number> {
    return (await this.#tabs.ask({ name: "older", room_id, page_size })) as number;
  }

  /** Compare heads and pull what is missing. */
  async sync(): Promise<void> {
    await this.#tabs.ask({ name: "sync" });
  }

  /** Pull what is missing of the app's own tables. */
  async syncTables(): Promise<void> {
    await this.#tabs.ask({ name: "tables" });
  }

  /** Compare the copy with the server's checksums. */
  async verify(): Promise<Difference[]> {
    return (await this.#tabs.ask({ name: "verify" })) as Difference[];
  }

  /** Call a function of `chat`; resolves when the copy has what it changed, where the server answers. */
  async call(name: keyof ChatFunctions, parameters: Row): Promise<unknown> {
    const result = await this.#remote.call(name, parameters);
    if (!READS.test(name)) await this.sync().catch(() => undefined);
    return result;
  }

  /** Call a function of `chat` that only reads; a read replica may answer. */
  ask(name: keyof ChatFunctions, parameters: Row): Promise<unknown> {
    return this.#remote.read(name, parameters);
  }

  /** Mark notifications as read, up to the one with this seq or the newest. */
  async markNotificationsRead(seq: number | undefined): Promise<void> {
    const up_to = seq ?? (await this.read((tx) => tx.list("notifications"))).at(-1)?.seq;
    if (up_to !== undefined) await this.call("mark_notifications_read", { up_to });
  }

  /** Fetch a file; one that waits to be sent comes from the copy. */
  async download(path: string, width: number | null): Promise<Blob> {
    const own = await this.read((tx) => tx.get("files", path));
    return own?.blob ?? this.#remote.download(BUCKET, path, width);
  }

  /** The name of this browser. */
  async deviceId(): Promise<string> {
    return (await this.#tabs.ask({ name: "device" })) as string;
  }

  /** Rooms on screen, and who types and is there. */
  get screen(): Screen {
    return this.#screen;
  }

  async #lead(): Promise<void> {
    const { supabase, storage, me, rng, stand, tables } = this.#parts;
    const leader = new Leader(supabase, this.#remote, storage, me, tables, {
      tell: (news) => {
        this.#tabs.tell(news);
        this.#hear(news);
      },
      doubt: () => void this.#tabs.doubt(),
    }, rng);
    this.#leader?.end();
    this.#leader = leader;
    try {
      await leader.begin();
    } catch (error) {
      if (error instanceof ParleyError) stand({ fault: error.detail });
      throw error;
    }
    stand({ is_leader: true });
    this.#screen.tell();
  }

  #depose(): void {
    this.#leader?.end();
    this.#leader = null;
    this.#parts.stand({ is_leader: false });
  }

  /** Take what the leader tells. */
  #hear({ changes, status, typing, present, made_in }: News): void {
    if (status !== undefined) this.#parts.stand(status);
    if (typing !== undefined) this.#screen.hearTyping(typing.room_id, typing.user_id);
    if (present !== undefined) this.#screen.hearPresent(present.room_id, present.people);
    if (changes === undefined || made_in === this.#tabs.id) return;
    this.#screen.hear(changes);
    this.#emit(changes);
  }

  #emit(changes: readonly Change[]): void {
    this.lines.hear(changes);
    this.#parts.feed.emit(changes);
  }

  /** This tab came back, or the network did. */
  #lookAgain(): void {
    this.lines.hear(null);
    if (this.#leader !== null) this.#leader.lookAgain();
    else void this.sync().catch(() => undefined);
  }
}

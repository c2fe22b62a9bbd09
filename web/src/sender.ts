/** Flushing the outbox: per room in order, rooms independent, the network for ever. */
import type { Draft } from "./draft.ts";
import { ParleyError } from "./errors.ts";
import { acceptAction, rejectAction, targetOf, tidyFiles } from "./outbox.ts";
import { callFor, checkAbout, type Outcome, sendAll } from "./outcomes.ts";
import type { Remote } from "./remote.ts";
import { isObject, type Row } from "./rows.ts";
import { list } from "./steps.ts";
import type { Store } from "./store.ts";
import { Backoff, Bell, type Rng, sleep } from "./timing.ts";
import type { OutboxItem } from "./types.ts";

const ITEMS_PER_CALL = 200;
const ROOMS_PER_CALL = 50;
const RETRY_LEAST_MS = 250;
const RETRY_MOST_MS = 30_000;
const LOCAL_RETRY_MS = 1000;
const SLOW_DOWN_MS = 1000;
const NONSENSE_MS = 15_000;
const LONGEST_HOLD_MS = 3_600_000;

/** The actions of a room that go next: at least one. */
type Ready = [OutboxItem, ...OutboxItem[]];

export class Sender {
  readonly #bell = new Bell();
  readonly #notBefore = new Map<string, number>();

  /** `settled` is told every action that was answered, and what its number is. */
  constructor(
    readonly store: Store,
    readonly remote: Remote,
    readonly settled: (item: OutboxItem, rev: number | null) => void,
    readonly rng: Rng,
    readonly signal: AbortSignal,
  ) {}

  /** There is something new in the outbox. */
  wake(): void {
    this.#bell.ring();
  }

  /** Send until the signal. Throws `sign_in_required` on a lost session, Deposed. */
  async run(): Promise<void> {
    const retry = new Backoff(RETRY_LEAST_MS, RETRY_MOST_MS, this.rng);
    while (!this.signal.aborted) {
      let wait: number | null;
      try {
        wait = await this.#flush();
        retry.reset();
      } catch (error) {
        if (!(error instanceof ParleyError) || error.slug === "sign_in_required") throw error;
        if (error.slug.startsWith("store_")) {
          await sleep(LOCAL_RETRY_MS, this.signal);
          continue;
        }
        wait = retry.next();
      }
      await this.#bell.wait(wait, this.signal);
    }
  }

  /** Bring everything that may go now; returns how long until something else may, null when nothing waits. */
  async #flush(): Promise<number | null> {
    while (!this.signal.aborted) {
      const ready = await this.#ready();
      if (ready.length === 0) break;
      const sends = ready.filter(([first]) => first.kind === "send");
      const marks = ready.filter(([first]) => first.kind === "delivered").map(([first]) => first);
      if (sends.length > 0) await this.#send(sends);
      if (marks.length > 0) await this.#markDelivered(marks.slice(0, ROOMS_PER_CALL));
      for (const [first] of ready) {
        if (first.kind !== "send" && first.kind !== "delivered") await this.#do(first);
      }
    }
    const waits = [...this.#notBefore.values()].map((at) => at - performance.now());
    return waits.length > 0 ? Math.max(Math.min(...waits), 0) : null;
  }

  /**
   * Per room the actions that go next: all sends up to another kind, or that one action.
   *
   * A message whose files are still on their way takes its place when they are there, with what is about it.
   */
  async #ready(): Promise<Ready[]> {
    const [items, files] = await this.store.storage.read(
      async (tx) => [await tx.list("outbox"), await tx.list("files")] as const,
    );
    const waiting = new Set(files.filter((file) => !file.is_done).map((file) => file.client_id));
    const pending = new Map<string, OutboxItem[]>();
    for (const item of items) {
      if (item.state !== "pending" || (item.client_id !== null && waiting.has(item.client_id))) {
        continue;
      }
      const others = pending.get(item.room_id);
      if (others === undefined) pending.set(item.room_id, [item]);
      else others.push(item);
    }
    for (const [roomId, at] of this.#notBefore) {
      if (at <= performance.now() || !pending.has(roomId)) this.#notBefore.delete(roomId);
    }
    return [...pending]
      .filter(([roomId]) => !this.#notBefore.has(roomId))
      .map(([, actions]) => {
        const length = actions.findIndex((item) => item.kind !== "send");
        return actions.slice(0, length < 0 ? actions.length : Math.max(length, 1)) as Ready;
      });
  }

  /** One batch: whole rooms while they fit, so that no room overtakes itself. */
  async #send(rooms: readonly (readonly OutboxItem[])[]): Promise<void> {
    const batch: OutboxItem[] = [];
    for (const items of rooms.slice(0, ROOMS_PER_CALL)) {
      batch.push(...items.slice(0, ITEMS_PER_CALL - batch.length));
    }
    await this.#sendBatch(batch);
  }

  async #sendBatch(all: readonly OutboxItem[]): Promise<void> {
    const batch = all.filter((item) => !this.#notBefore.has(item.room_id));
    const [first] = batch;
    if (first === undefined) return;
    let outcomes: readonly Outcome[];
    try {
      outcomes = await sendAll(this.remote, batch);
    } catch (error) {
      if (!(error instanceof ParleyError) || error.slug === "sign_in_required") throw error;
      const isNonsense = error.slug === "answer_refused";
      if (error.isTransient && !isNonsense) throw error;
      // Something in it, or in its answer, cannot even be read; the halves tell what.
      if (batch.length > 1) {
        const middle = batch.length >> 1;
        await this.#sendBatch(batch.slice(0, middle));
        await this.#sendBatch(batch.slice(middle));
      } else if (isNonsense) {
        this.#hold(first.room_id, NONSENSE_MS);
      } else if (error.slug === "slow_down") {
        this.#hold(first.room_id, (error.retry_after ?? 0) * 1000);
      } else {
        await this.#reject(first, error.slug);
      }
      return;
    }
    for (const [place, item] of batch.entries()) {
      const { outcome, message, reason, after } = outcomes[place] as Outcome;
      if (outcome === "later") this.#hold(item.room_id, after * 1000);
      else if (outcome === "rejected" && reason !== "message_deleted") {
        await this.#reject(item, reason);
      } // (What was sent before and purged since leaves nothing to show.)
      else await this.#accept(item, message);
    }
  }

  async #markDelivered(items: readonly OutboxItem[]): Promise<void> {
    const cursors = Object.fromEntries(items.map((item) => [item.room_id, item.seq]));
    let rows: readonly Row[];
    try {
      const device_id = this.store.account.device_id;
      rows = list(
        await this.remote.call("mark_delivered", { cursors, device_id }),
        "marks",
      ) as readonly Row[];
    } catch (error) {
      if (!(error instanceof ParleyError) || error.slug !== "slow_down") throw error;
      for (const item of items) this.#hold(item.room_id, (error.retry_after ?? 0) * 1000);
      return;
    }
    for (const item of items) {
      const row = rows.find((each) => isObject(each) && each["room_id"] === item.room_id) ?? null;
      checkAbout(item, row);
      await this.#accept(item, row);
    }
  }

  /** One action that is not a send. */
  async #do(item: OutboxItem): Promise<void> {
    const seq = await this.store.write((draft) => targetOf(draft, item));
    if (seq === null) return this.#reject(item, "message_not_found");
    let row: Row | null;
    try {
      row = await callFor(this.remote, item, seq);
      checkAbout(item, row);
    } catch (error) {
      if (!(error instanceof ParleyError) || error.slug === "sign_in_required") throw error;
      if (error.slug === "slow_down") {
        return this.#hold(item.room_id, (error.retry_after ?? 0) * 1000);
      }
      // As good as none, and no reason to stop other rooms.
      if (error.slug === "answer_refused") return this.#hold(item.room_id, NONSENSE_MS);
      if (error.isTransient) throw error;
      return this.#reject(item, error.slug);
    }
    await this.#accept(item, row);
  }

  #hold(roomId: string, milliseconds: number): void {
    const wait = Math.min(Math.max(milliseconds || SLOW_DOWN_MS, 0), LONGEST_HOLD_MS);
    this.#notBefore.set(roomId, performance.now() + wait);
  }

  async #accept(item: OutboxItem, row: Row | null): Promise<void> {
    const rev = row === null ? null : (row["rev"] as number);
    await this.#settle(item, rev, (draft) => acceptAction(draft, item, rev, row));
  }

  async #reject(item: OutboxItem, slug: string): Promise<void> {
    await this.#settle(item, null, (draft) => rejectAction(draft, item, slug));
  }

  async #settle(
    item: OutboxItem,
    rev: number | null,
    note: (draft: Draft) => Promise<void>,
  ): Promise<void> {
    await this.store.write(async (draft) => {
      await note(draft);
      if (item.said.attachments !== undefined) await tidyFiles(draft);
    });
    this.settled(item, rev);
  }
}

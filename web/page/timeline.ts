/**
 * The part of a room that is on the screen: from its end, or anywhere in it.
 *
 * It is a span of numbers. What of it the copy has comes from the copy; what is older is fetched, into the copy
 * where it follows what is there, and else for this screen alone. So a message that was found among a hundred
 * thousand is shown after one request, and whoever scrolls from there goes on in both directions.
 */
import { useSyncExternalStore } from "react";
import { queryOf } from "../react/query.ts";
import { share } from "../react/share.ts";
import type { Change, Message, Parley } from "../src/index.ts";
import { ParleyError } from "../src/index.ts";
import { Overlay } from "../src/overlay.ts";
import { throttled } from "../src/timing.ts";
import { useClient } from "./page.ts";
import { PAGE, readRemote } from "./remote_page.ts";
import { Replies, type Thread } from "./replies.ts";
import { type Server, useServer } from "./server.ts";

/** More than these are not kept on the screen; the side that is further away gives way. */
const MOST = 300;
/** How often what the copy does not have is fetched again at most. */
const AGAIN_MS = 3000;
/** What is shown above the first unread message. */
const BEFORE_UNREAD = 10;

export interface Span {
  readonly messages: readonly Message[];
  readonly threads: { readonly [seq: number]: Thread };
  readonly hasOlder: boolean;
  /** It does not reach the end of the room. */
  readonly hasNewer: boolean;
  readonly isLoading: boolean;
}

const EMPTY: Span = {
  messages: [],
  threads: {},
  hasOlder: false,
  hasNewer: false,
  isLoading: true,
};

/** The span of a room, the same one for everybody who asks. */
export function useTimeline(room_id: string): { readonly span: Span; readonly timeline: Timeline } {
  const parley = useClient();
  const server = useServer();
  const timeline = queryOf(
    parley,
    `page timeline ${room_id}`,
    () => new Timeline(parley, server, room_id),
  );
  return { timeline, span: useSyncExternalStore(timeline.subscribe, timeline.snapshot) };
}

export class Timeline {
  readonly #listeners = new Set<() => void>();
  readonly #remote = new Map<number, Message>();
  readonly #replies = new Replies();
  #span = EMPTY;
  /** The lowest number in it; null before the first read. */
  #first: number | null = null;
  /** The highest number in it; null is the end of the room. */
  #last: number | null = null;
  #isAtBeginning = false;
  #stop: (() => void) | null = null;
  #isStale = false;
  #reading: Promise<void> | null = null;
  #moving: Promise<void> = Promise.resolve();
  /** Whoever scrolls asks many times for the same page. */
  #olderPage: Promise<void> | null = null;
  #newerPage: Promise<void> | null = null;

  constructor(
    readonly parley: Parley,
    readonly server: Server,
    readonly room_id: string,
  ) {}

  get isIdle(): boolean {
    return this.#listeners.size === 0;
  }

  readonly snapshot = (): Span => this.#span;

  readonly subscribe = (listener: () => void): () => void => {
    this.#listeners.add(listener);
    this.#stop ??= this.parley.subscribe((changes) => this.#hear(changes));
    void this.#refresh();
    return () => {
      this.#listeners.delete(listener);
      if (!this.isIdle) return;
      this.#stop?.();
      this.#stop = null;
      // What the copy does not have is told to nobody meanwhile.
      if (this.#remote.size === 0) return;
      this.#remote.clear();
      this.#first = this.#last = null;
    };
  };

  /** Show the end of the room. */
  toEnd(): Promise<void> {
    return this.#move(async () => {
      if (this.#last !== null) this.#first = this.#last = null;
      else this.#trim();
    });
  }

  /** Show a message and what is around it. Resolves to whether there is one that this person may see. */
  async jump(seq: number): Promise<boolean> {
    let isFound = true;
    await this.#move(async () => {
      if (this.#shows(seq)) return;
      const local = await this.#local(seq + PAGE / 2, PAGE);
      const page = local.some((message) => message.seq === seq)
        ? local
        : await this.#fetch({ around: seq });
      isFound = page.some((message) => message.seq === seq);
      const [first, last] = [page[0]?.seq, page.at(-1)?.seq];
      if (!isFound || first == null || last == null) return;
      this.#first = first;
      this.#last = last;
      this.#isAtBeginning = false;
      this.#count(first, last);
    });
    return isFound;
  }

  /** Show a page more from before it. */
  older(): Promise<void> {
    return (this.#olderPage ??= this.#older().finally(() => (this.#olderPage = null)));
  }

  #older(): Promise<void> {
    return this.#move(async () => {
      const first = this.#first;
      if (first === null || first <= 1 || this.#isAtBeginning) return;
      let page = await this.#local(first - 1, PAGE);
      if (page.length === 0 && (await this.#isInCopy(first))) {
        await this.parley.older(this.room_id);
        page = await this.#local(first - 1, PAGE);
      } else if (page.length === 0) {
        page = await this.#fetch({ before: first });
        const lowest = page[0]?.seq;
        if (lowest != null) this.#count(lowest, first);
      }
      const lowest = page[0]?.seq;
      if (lowest == null) this.#isAtBeginning = true;
      else this.#first = lowest;
      const kept = this.#last ?? this.#newest();
      if (kept !== null && kept - this.#first! >= MOST) this.#last = this.#first! + MOST - 1;
    });
  }

  /** Show a page more from after it, until it reaches the end of the room. */
  newer(): Promise<void> {
    return (this.#newerPage ??= this.#newer().finally(() => (this.#newerPage = null)));
  }

  #newer(): Promise<void> {
    return this.#move(async () => {
      const last = this.#last;
      if (last === null) return;
      const local = await this.#local(last + PAGE, PAGE);
      const page = local[0]?.seq === last + 1 ? local : await this.#fetch({ after: last });
      const highest = page.at(-1)?.seq ?? null;
      const isEnd = page === local ? page.length < PAGE : highest === null;
      if (page !== local && highest !== null) this.#count(last, highest);
      this.#last = isEnd ? null : highest;
      this.#trim(highest);
    });
  }

  #trim(highest = this.#last ?? this.#newest()): void {
    if (highest === null || this.#first === null || highest - this.#first < MOST) return;
    this.#first = highest - MOST + 1;
    this.#isAtBeginning = false;
  }

  /** One step after the other. */
  #move(work: () => Promise<void>): Promise<void> {
    const moved = this.#moving.then(work).then(() => {
      this.#forgetOthers();
      return this.#refresh();
    });
    this.#moving = moved.catch(() => undefined);
    return moved;
  }

  #shows(seq: number): boolean {
    return this.#span.messages.some((message) => message.seq === seq);
  }

  #newest(): number | null {
    return this.#span.messages.findLast((message) => message.seq !== null)?.seq ?? null;
  }

  /** What the copy has up to a number. */
  #local(upTo: number, page_size: number): Promise<Message[]> {
    return this.parley.messages(this.room_id, { before: upTo + 1, page_size });
  }

  async #isInCopy(seq: number): Promise<boolean> {
    return (await this.#local(seq, 1)).length > 0;
  }

  async #fetch(position: Parameters<typeof readRemote>[2]): Promise<Message[]> {
    const page = await readRemote(this.server, this.room_id, position);
    for (const message of page) this.#remote.set(message.seq ?? 0, message);
    return page;
  }

  /** Count the answers to a span, which may be outside of what was read. */
  #count(first: number, last: number): void {
    const asked = this.#replies.ask(this.server, this.room_id, first, last);
    void asked.then(() => this.#refresh(), offline);
  }

  #forgetOthers(): void {
    const [first, last] = [this.#first ?? 0, this.#last ?? Infinity];
    for (const seq of this.#remote.keys()) {
      if (seq < first || seq > last) this.#remote.delete(seq);
    }
  }

  #hear(changes: readonly Change[]): void {
    const ours = changes.filter(({ room_id }) => room_id === this.room_id || room_id === null);
    if (ours.length === 0) return;
    // Of what is about messages that the copy does not have, a change has no rows.
    const isElsewhere = ours.some(({ rows }) => !("messages" in rows || "members" in rows));
    if (isElsewhere && this.#remote.size > 0) this.#fetchAgain();
    void this.#refresh();
  }

  /** Something changed in what the copy does not have. */
  readonly #fetchAgain = throttled(() => {
    this.#move(async () => {
      for (let seq = this.#first ?? 0; this.#remote.has(seq);) {
        const page = await this.#fetch({ after: seq - 1 });
        if (page.length === 0) break;
        seq = (page.at(-1)?.seq ?? seq) + 1;
      }
    }).catch(offline);
  }, AGAIN_MS);

  #refresh(): Promise<void> {
    this.#isStale = true;
    this.#reading ??= this.#read().finally(() => (this.#reading = null));
    return this.#reading;
  }

  async #read(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      let messages: readonly Message[];
      try {
        messages = this.#last === null ? await this.#readEnd() : await this.#readMiddle(this.#last);
      } catch (error) {
        // The copy cannot be read just now: what is shown stays, and the next change reads again.
        if (!(error instanceof ParleyError)) throw error;
        return;
      }
      this.#replies.learn(messages);
      const next: Span = {
        messages,
        threads: this.#replies.of(messages),
        hasOlder: !this.#isAtBeginning && this.#first !== null && this.#first > 1,
        hasNewer: this.#last !== null,
        isLoading: false,
      };
      const shared = share(this.#span, next);
      if (shared === this.#span) continue;
      this.#span = shared;
      for (const listener of [...this.#listeners]) listener();
    }
  }

  /** From the first number to the end of the room, with what waits to be sent. */
  async #readEnd(): Promise<readonly Message[]> {
    const unread = this.#first === null ? (await this.parley.room(this.room_id))?.unread ?? 0 : 0;
    let size = this.#first === null
      ? Math.max(PAGE, unread + BEFORE_UNREAD)
      : Math.max(this.#span.messages.length, 1);
    for (;;) {
      const page = await this.parley.messages(this.room_id, { page_size: size });
      const lowest = page.find((message) => message.seq !== null)?.seq ?? null;
      this.#first ??= lowest;
      const missing = lowest === null || this.#first === null ? 0 : lowest - this.#first;
      if (missing <= 0 || page.length < size) {
        return [...(await this.#before(lowest)), ...page.filter((each) => this.#isWithin(each))];
      }
      size += missing;
    }
  }

  async #readMiddle(last: number): Promise<readonly Message[]> {
    const local = await this.#local(last, last - (this.#first ?? last) + 1);
    return [...(await this.#before(local[0]?.seq ?? last + 1)), ...local];
  }

  #isWithin({ seq }: Message): boolean {
    return seq === null || seq >= (this.#first ?? 0);
  }

  /** What the copy has not, below a number, with what was done to it here. */
  async #before(below: number | null): Promise<readonly Message[]> {
    const remote = [...this.#remote.values()]
      .filter((each) => (each.seq ?? 0) < (below ?? Infinity) && this.#isWithin(each))
      .sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
    const { me } = this.parley.status;
    if (remote.length === 0 || me === null) return [];
    const items = await this.parley.outbox();
    const overlay = new Overlay(items.filter(({ room_id }) => room_id === this.room_id), me);
    return remote.map((message) => overlay.on(message));
  }
}

/** Without a network there is less to see, and nothing to say about it. */
function offline(error: unknown): void {
  if (!(error instanceof ParleyError)) throw error;
}

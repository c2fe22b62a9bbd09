/**
 * The tabs of one account: one leads, and talks to the server for all of them.
 *
 * The leader holds a Web Lock. The others wait for it, so that a tab that is closed or crashes is replaced at
 * once. A tab that is frozen keeps its lock for ever: a visible tab that gets no answer for two seconds steals
 * it. A leader that is hidden hands over to a tab that is visible. What is asked of the leader and not answered
 * is asked of the next one again, so everything that can be asked may be done twice.
 */
import { ParleyError } from "./errors.ts";
import { LeaderLock } from "./leader_lock.ts";
import { type Rng, sleep } from "./timing.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Call, Message, News } from "./tab_messages.ts";

const SILENT_MS = 2000;
const BEAT_MS = 5000;
const RETRY_MS = 1000;

/** What a tab does when it is asked to. */
export interface Role {
  /** Begin to lead. */
  lead(): Promise<void>;
  /** Stop at once: another tab leads. */
  depose(): void;
  /** Answer a call, as the leader. */
  answer(call: Call): Promise<unknown>;
  /** Take what the leader tells. */
  hear(news: News): void;
  /** Another tab leads now. */
  follow(): void;
}

interface Waiting {
  readonly call: Call;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class Tabs {
  /** The name of this tab. */
  readonly id = crypto.randomUUID();
  readonly #channel: BroadcastChannel | null;
  readonly #waiting = new Map<string, Waiting>();
  readonly #closing = new AbortController();
  readonly #ends: (() => void)[] = [];
  readonly #lock: LeaderLock;
  #silence: ReturnType<typeof setTimeout> | null = null;

  constructor(
    readonly name: string,
    readonly around: Surroundings,
    readonly role: Role,
    readonly rng: Rng,
  ) {
    this.#channel = around.locks === null ? null : around.openChannel(name);
    const reign = { begin: () => this.#begin(), end: () => role.depose() };
    this.#lock = new LeaderLock(name, around.locks, reign, this.#closing.signal);
  }

  /** This tab leads. */
  get isLeader(): boolean {
    return this.#lock.isHeld;
  }

  /** Take a place among the tabs. */
  start(): void {
    if (this.#channel !== null) {
      this.#channel.onmessage = ({ data }) => this.#hear(data as Message);
      this.#ends.push(this.around.onVisibility(() => this.#turn()));
      const beat = setInterval(() => this.#beat(), BEAT_MS);
      this.#ends.push(() => clearInterval(beat));
    }
    this.#lock.wait();
  }

  /** Leave the tabs; another one leads. */
  close(): void {
    this.#closing.abort();
    for (const end of this.#ends) end();
    if (this.#silence !== null) clearTimeout(this.#silence);
    this.#lock.stopWaiting();
    this.#step();
    this.#channel?.close();
    for (const { reject } of this.#waiting.values()) reject(closed());
    this.#waiting.clear();
  }

  /** Have the leader do something. */
  ask(call: Call): Promise<unknown> {
    if (this.#closing.signal.aborted) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      const id = crypto.randomUUID();
      this.#waiting.set(id, { call, resolve, reject });
      this.#pose(id, call);
    });
  }

  /** As the leader, tell all other tabs. */
  tell(news: News): void {
    try {
      this.#post({ is: "news", news });
    } catch {
      // What cannot travel between tabs can be read from the copy.
      const changes = (news.changes ?? []).map((each) => ({
        ...each,
        rows: {},
        is_fresh: !each.is_gone,
      }));
      this.#post({ is: "news", news: { ...news, changes } });
    }
  }

  /** The leader cannot write as such any more: begin anew, unless another tab has taken over. */
  async doubt(): Promise<void> {
    if (!this.isLeader) return;
    this.role.depose();
    await sleep(RETRY_MS * this.rng(), this.#closing.signal);
    if (this.isLeader && !this.#closing.signal.aborted) await this.#begin();
  }

  async #begin(): Promise<void> {
    for (;;) {
      try {
        await this.role.lead();
        if (!this.isLeader) return;
        this.#post({ is: "leads" });
        for (const [id, { call }] of this.#waiting) this.#pose(id, call);
        return;
      } catch {
        // The copy cannot be written just now; that was told, and is tried again.
        await sleep(RETRY_MS, this.#closing.signal);
        if (!this.isLeader) return;
      }
    }
  }

  /** Lead no more. */
  #step(): void {
    if (this.#lock.release()) this.role.depose();
  }

  /** Give a call to the leader: to this tab, or to one that has to say soon that it heard it. */
  #pose(id: string, call: Call): void {
    if (!this.isLeader) {
      this.#post({ is: "ask", id, call });
      this.#expect();
      return;
    }
    void this.role.answer(call).then(
      (result) => this.#settle(id, (waiting) => waiting.resolve(result)),
      (error: unknown) => {
        // A leader that was replaced meanwhile leaves the call to the next one.
        if (error instanceof ParleyError) this.#settle(id, (waiting) => waiting.reject(error));
      },
    );
  }

  #settle(id: string, act: (waiting: Waiting) => void): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting !== undefined) act(waiting);
  }

  /** Somebody has to answer: a visible tab takes over from a leader that does not. */
  #expect(): void {
    this.#silence ??= setTimeout(() => {
      this.#silence = null;
      if (this.around.isVisible()) this.#lock.steal();
    }, SILENT_MS);
  }

  #beat(): void {
    if (this.isLeader || !this.around.isVisible()) return;
    this.#post({ is: "ping" });
    this.#expect();
  }

  /** The tab came to the front, or went. */
  #turn(): void {
    if (this.around.isVisible()) {
      if (!this.isLeader) this.#post({ is: "here", tab: this.id });
      this.#beat();
    } else if (this.isLeader) {
      this.#post({ is: "hidden" });
    }
  }

  #hear(message: Message): void {
    switch (message.is) {
      case "ask":
        if (this.isLeader) this.#answer(message.id, message.call);
        return;
      case "ping":
        if (this.isLeader) this.#post({ is: "pong" });
        return;
      case "here":
        if (this.isLeader && !this.around.isVisible()) {
          this.#post({ is: "yield", tab: message.tab });
          this.#step();
          this.role.follow();
        }
        return;
      case "hidden":
        if (!this.isLeader && this.around.isVisible()) this.#post({ is: "here", tab: this.id });
        return;
      case "yield":
        if (message.tab === this.id) this.#lock.steal();
        return;
    }
    // What follows comes from a leader.
    if (this.#silence !== null) clearTimeout(this.#silence);
    this.#silence = null;
    if (message.is === "news" && !this.isLeader) this.role.hear(message.news);
    if (message.is === "leads" && !this.isLeader) {
      this.role.follow();
      for (const [id, { call }] of this.#waiting) this.#pose(id, call);
    }
    if (message.is === "answer") {
      const { error, result, id } = message;
      this.#settle(
        id,
        ({ resolve, reject }) =>
          error === undefined
            ? resolve(result)
            : reject(new ParleyError(error.slug, error.detail, error.hint)),
      );
    }
  }

  /** Answer another tab. */
  #answer(id: string, call: Call): void {
    this.#post({ is: "heard", id });
    void this.role.answer(call).then(
      (result) => this.#post({ is: "answer", id, result }),
      (error: unknown) => {
        if (!(error instanceof ParleyError)) return;
        const { slug, detail, hint } = error;
        this.#post({ is: "answer", id, error: { slug, detail, hint } });
      },
    );
  }

  #post(message: Message): void {
    if (!this.#closing.signal.aborted) this.#channel?.postMessage(message);
  }
}

function closed(): ParleyError {
  return new ParleyError("chat_closed", "This client was closed.", "Make another one.");
}

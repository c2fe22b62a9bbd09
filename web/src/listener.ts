/**
 * Listening: the right topics of the present epochs, on supabase-js's own socket.
 *
 * The names of topics end with an epoch, and old names fall silent. supabase-js connects again by itself and
 * joins its channels again; a channel whose join was refused, or that the server closed, is made anew here
 * under the epoch that the next heads tell. What was said while we were not in is found by comparing heads.
 */
import type { RealtimeChannel, SupabaseClient } from "@supabase/supabase-js";
import { isId, isNumber, isObject, numberOf, type Row } from "./rows.ts";
import type { Heads } from "./steps.ts";
import { Topics } from "./topics.ts";
import { Backoff, type Rng, throttled } from "./timing.ts";

const REJOIN_LEAST_MS = 1000;
const REJOIN_MOST_MS = 30_000;
const ZOMBIE_MS = 5000;
const SETTLED_MS = 10_000;
const EPOCH_DELAY_MS = 2000;
const CROWD_EPOCH_DELAY_MS = 30_000;
const CROWD = 500;
/** How many people of a live topic are told of, and how often at most. */
const MOST_PEOPLE = 1000;
const PRESENT_MS = 250;

/** What the listener needs and tells. */
export interface Ears {
  /** Every step that arrives. */
  hear(payload: unknown): void;
  /** Somebody says that they type in a room; nobody has looked at it. */
  hearTyping(roomId: string, userId: string): void;
  /** These people are on the live topic of a room now, as they say; nobody has looked at it. */
  hearPresent(roomId: string, people: readonly string[]): void;
  /** These tables of the app's own have changed; null is any of them. */
  hearTables(names: readonly unknown[] | null): void;
  /** Some steps may be lost. */
  wantHeads(): void;
  /** Steps arrive by themselves now, or do not any more. */
  changed(): void;
  /** The row of a room in the copy. */
  roomRow(roomId: string): Promise<Row | null>;
}

interface Joined {
  readonly channel: RealtimeChannel;
  isIn: boolean;
  since: number;
}

export class Listener {
  readonly #topics: Topics;
  readonly #channels = new Map<string, Joined>();
  readonly #heard = new Map<string | null, number>();
  readonly #waits = new Map<string, Backoff>();
  readonly #resting = new Set<string>();
  #rooms: ReadonlySet<string> = new Set();
  #fitting: Promise<void> = Promise.resolve();

  constructor(
    readonly supabase: SupabaseClient,
    readonly me: string,
    readonly ears: Ears,
    readonly rng: Rng,
    readonly signal: AbortSignal,
  ) {
    this.#topics = new Topics(me, (roomId) => ears.roomRow(roomId));
    signal.addEventListener("abort", () => {
      for (const topic of this.#channels.keys()) this.#leave(topic);
    });
  }

  /** Steps of the own topic arrive by themselves now. */
  get isLive(): boolean {
    return this.#channels.get(this.#topics.user)?.isIn === true &&
      this.supabase.realtime.isConnected();
  }

  /** Take the epochs of all streams, and the numbers that only the heads told of. */
  takeHeads(heads: Heads, news: ReadonlyMap<string | null, number>): void {
    this.#topics.takeHeads(heads);
    this.#fit();
    const joined = this.#channels.get(this.#topics.user);
    // Right after joining, heads tell what was missed before.
    if (news.size > 0 && this.isLive && joined && performance.now() - joined.since > SETTLED_MS) {
      setTimeout(() => void this.#suspect(joined, news), ZOMBIE_MS);
    }
  }

  /** The rooms that are on screen. */
  show(rooms: ReadonlySet<string>): void {
    this.#rooms = rooms;
    // A room that came in a step has no epoch yet.
    if ([...rooms].some((roomId) => !this.#topics.has(roomId))) this.ears.wantHeads();
    this.#fit();
  }

  /** The tenants whose tables are in the copy; null without tables of tenants. */
  follow(tenants: readonly string[] | null): void {
    this.#topics.follow(tenants);
    this.#fit();
  }

  /** Tell the others in a room on screen that we type. */
  type(roomId: string): void {
    const joined = this.#channels.get(this.#topics.live(roomId));
    if (joined?.isIn && this.supabase.realtime.isConnected()) {
      const payload = { user_id: this.me };
      void joined.channel.send({ type: "broadcast", event: "typing", payload }).catch(() =>
        undefined
      );
    }
  }

  /** The people on the live topic of a room, in the order of their ids. */
  present(roomId: string): readonly string[] {
    const joined = this.#channels.get(this.#topics.live(roomId));
    if (!joined?.isIn || !this.supabase.realtime.isConnected()) return [];
    const people = Object.keys(joined.channel.presenceState()).filter(isId).slice(0, MOST_PEOPLE);
    return [...new Set([this.me, ...people])].sort();
  }

  /** Join and leave topics as rooms and epochs are now. */
  #fit(): void {
    this.#fitting = this.#fitting.then(async () => {
      const wanted = await this.#topics.wanted(this.#rooms);
      for (const topic of this.#resting) wanted.delete(topic);
      if (this.signal.aborted) return;
      for (const topic of this.#channels.keys()) if (!wanted.has(topic)) this.#leave(topic);
      for (const topic of wanted) if (!this.#channels.has(topic)) await this.#join(topic);
    }).catch(() => {
      // The copy cannot be read just now; the next heads come back to it.
    });
  }

  async #join(topic: string): Promise<void> {
    // The token of the session goes with the join.
    await this.supabase.realtime.setAuth().catch(() => undefined);
    if (this.signal.aborted) return;
    const [kind, roomId] = topic.split(":") as [string, string];
    const isLive = kind === "live";
    const tellPresent = throttled(
      () => this.ears.hearPresent(roomId, this.present(roomId)),
      PRESENT_MS,
    );
    const channel = this.supabase.channel(topic, {
      config: {
        private: true,
        broadcast: { ack: false, self: false },
        ...(isLive ? { presence: { key: this.me } } : {}),
      },
    });
    const joined: Joined = { channel, isIn: false, since: 0 };
    this.#channels.set(topic, joined);
    channel.on(
      "broadcast",
      { event: "*" },
      ({ event, payload }) => this.#hear(topic, event, payload),
    );
    if (isLive) channel.on("presence", { event: "sync" }, tellPresent);
    channel.subscribe((state) => {
      if (this.#channels.get(topic) !== joined) return;
      joined.isIn = state === "SUBSCRIBED";
      if (joined.isIn) {
        joined.since = performance.now();
        this.#waits.get(topic)?.reset();
        if (isLive) void channel.track({ user_id: this.me }).catch(() => undefined);
        // What was said before we were in is found by comparing heads.
        if (kind === "tenant") this.ears.hearTables(null);
        else this.ears.wantHeads();
      } else if (state === "CLOSED" || this.supabase.realtime.isConnected()) {
        this.#rest(topic);
      }
      if (isLive) tellPresent();
      this.ears.changed();
    });
  }

  #leave(topic: string): void {
    const joined = this.#channels.get(topic);
    this.#channels.delete(topic);
    if (joined !== undefined) {
      void this.supabase.removeChannel(joined.channel).catch(() => undefined);
    }
  }

  /** The server does not let us in, or not any more: its name may be old. Try again under what heads tell. */
  #rest(topic: string): void {
    this.#leave(topic);
    this.#resting.add(topic);
    const wait = this.#waits.get(topic) ?? new Backoff(REJOIN_LEAST_MS, REJOIN_MOST_MS, this.rng);
    this.#waits.set(topic, wait);
    setTimeout(() => {
      this.#resting.delete(topic);
      if (this.signal.aborted) return;
      this.ears.wantHeads();
      this.#fit();
    }, wait.next());
  }

  /** A topic that stays silent about what the heads told is joined in name only. */
  async #suspect(joined: Joined, news: ReadonlyMap<string | null, number>): Promise<void> {
    for (const [stream, to] of news) {
      const row = stream === null ? null : await this.ears.roomRow(stream);
      const isHeard = stream === null || (row !== null && row["is_large"] !== true);
      const topic = this.#topics.user;
      if (isHeard && (this.#heard.get(stream) ?? 0) < to && this.#channels.get(topic) === joined) {
        this.#leave(topic);
        this.ears.changed();
        this.#fit();
      }
    }
  }

  #hear(topic: string, event: unknown, payload: unknown): void {
    if (this.signal.aborted || !isObject(payload)) return;
    const [kind, roomId] = topic.split(":");
    if (kind === "live") {
      const userId = payload["user_id"];
      if (event === "typing" && isId(userId) && userId !== this.me) {
        this.ears.hearTyping(roomId as string, userId);
      }
      return;
    }
    if (event === "table_changed" && Array.isArray(payload["tables"])) {
      this.ears.hearTables(payload["tables"]);
    }
    if (kind === "tenant" || (event !== "changed" && event !== "epoch_changed")) return;
    const stream = isId(payload["room_id"]) ? payload["room_id"] : null;
    const to = payload["to"];
    if (isNumber(to)) this.#heard.set(stream, Math.max(to, this.#heard.get(stream) ?? 0));
    if (event === "epoch_changed" && stream !== null) {
      void this.#moveLater(stream, payload);
      return;
    }
    this.ears.hear(payload);
    if (event === "epoch_changed") this.#move(null, payload["epoch"]);
  }

  /** Follow a room to its next epoch: not all at the same moment. */
  async #moveLater(roomId: string, payload: Row): Promise<void> {
    const row = await this.ears.roomRow(roomId);
    const most = numberOf(row, "member_count") > CROWD ? CROWD_EPOCH_DELAY_MS : EPOCH_DELAY_MS;
    setTimeout(() => {
      if (this.signal.aborted) return;
      this.#move(roomId, payload["epoch"]);
      this.ears.hear(payload);
    }, this.rng() * most);
  }

  #move(stream: string | null, epoch: unknown): void {
    if (!isNumber(epoch)) return;
    this.#topics.move(stream, epoch);
    this.#fit();
  }
}

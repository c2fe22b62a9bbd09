/**
 * Keeping the copy in step: apply what joins on, pull the rest, and repeat until told.
 *
 * A broadcast is a pull that arrived early. It is applied only if it begins where the copy ends; otherwise all
 * it says is how far the stream has come, and that is remembered until a pull got there: a step can arrive
 * before a new snapshot of the database sees it.
 */
import { Batches, BatchSize } from "./batches.ts";
import { Deposed } from "./deposed.ts";
import { ParleyError } from "./errors.ts";
import { Profiles } from "./profiles.ts";
import type { Remote } from "./remote.ts";
import { isObject, refused } from "./rows.ts";
import { hereOf, pullOnce, type PullParts, takeHeads, TOLD_MOST_MS } from "./pulls.ts";
import { type Heads, readStep, type Step } from "./steps.ts";
import type { Store } from "./store.ts";
import { Targets } from "./targets.ts";
import { Backoff, Bell, type Rng, sleep, throttled } from "./timing.ts";
import type { Change } from "./types.ts";

const TOLD_LEAST_MS = 10;
const RETRY_LEAST_MS = 250;
const RETRY_MOST_MS = 30_000;
const LOCAL_RETRY_MS = 1000;
/** How often heads are compared, when pulls do not get there, before the server is doubted. */
const MOST_DOUBTS = 3;
/** How often, at most, steps of rooms that are not here make it compare heads. */
const UNKNOWN_ROOMS_MS = 1000;

/** What the engine tells of. */
export interface Told {
  /** What changed, after it was committed. */
  emit(changes: readonly Change[]): void;
  /**
   * The heads, and the numbers of streams that only they told of; `mayLag` where nothing but the time was a reason
   * to compare them.
   */
  heads(heads: Heads, news: ReadonlyMap<string | null, number>, mayLag: boolean): void;
  /** The server answered (null), or what is in the way. */
  trouble(error: ParleyError | null): void;
}

export class Engine {
  readonly #targets = new Targets();
  readonly #parts: PullParts;
  readonly #profiles: Profiles;
  readonly #batches: Batches;
  readonly #bell = new Bell();
  readonly #hearOfUnknownRoom = throttled(() => this.wantHeads(), UNKNOWN_ROOMS_MS);
  #headsWanted = true;
  #headsMayLag = false;
  #namesWanted = true;
  #hearing: Promise<void> = Promise.resolve();
  #pulling: Promise<unknown> = Promise.resolve();

  constructor(
    readonly store: Store,
    readonly remote: Remote,
    readonly told: Told,
    readonly rng: Rng,
    readonly signal: AbortSignal,
  ) {
    this.#parts = { store, remote, targets: this.#targets, emit: (some) => told.emit(some) };
    this.#profiles = new Profiles(store, remote, (changes) => told.emit(changes));
    this.#batches = new Batches(rng, remote.roomsMost);
  }

  /** Take a step from a topic: applied at once if it joins on, else pulled. */
  hear(payload: unknown): void {
    const step = readStep(payload);
    if (step === null || (step.room_id === null && ownerOf(payload) !== this.store.me)) return;
    this.#hearing = this.#hearing.then(() => this.#take(step)).catch((error: unknown) => {
      // Nobody waits for this; pulling meets the same trouble, and gets over it.
      if (!(error instanceof ParleyError) && !(error instanceof Deposed)) {
        console.error("parley pulls instead of applying:", error);
      }
      this.wantHeads();
    });
  }

  async #take(step: Step): Promise<void> {
    if (this.signal.aborted) return;
    const changes = await this.store.applyStep(step);
    if (changes === null) {
      this.tell(step.room_id, step.to);
      return;
    }
    this.told.emit(changes);
    await this.#profiles.note(changes);
    this.#bell.ring();
  }

  /** Resolves when all that was heard so far is applied, or noted. */
  heard(): Promise<void> {
    return this.#hearing;
  }

  /** Note that a stream has come this far; null is the own stream. */
  tell(roomId: string | null, to: number): void {
    if (this.signal.aborted) return;
    const position = roomId === null ? null : this.store.positions.get(roomId);
    if (position === undefined) {
      // Somebody let us in, and the step that says so did not arrive.
      this.#hearOfUnknownRoom();
      return;
    }
    const have = position === null ? this.store.account.rev : position.rev;
    if (have === null || have < to) {
      this.#targets.tell(roomId, to);
      this.#bell.ring();
    }
  }

  /** Note that a stream is this far, without asking for it: its step is on the way. */
  expect(roomId: string | null, to: number): void {
    this.#targets.expect(roomId, to);
  }

  /** Compare heads soon. */
  wantHeads(): void {
    this.#headsWanted = true;
    this.#headsMayLag = false;
    this.#bell.ring();
  }

  /** Compare heads soon, for no reason but the time: a read replica may answer. */
  glance(): void {
    this.#headsMayLag ||= !this.#headsWanted;
    this.#headsWanted = true;
    this.#bell.ring();
  }

  /** A room or the own stream is still to be fetched. */
  get isBehind(): boolean {
    return this.#targets.behind(hereOf(this.store)).length > 0;
  }

  /** Keep in step until the signal. Throws `sign_in_required` on a lost session, Deposed. */
  async run(): Promise<void> {
    const retry = new Backoff(RETRY_LEAST_MS, RETRY_MOST_MS, this.rng);
    while (!this.signal.aborted) {
      try {
        await this.#wakeOrBehind();
        await this.catchUp();
        this.told.trouble(null);
        retry.reset();
      } catch (error) {
        if (!(error instanceof ParleyError) || error.slug === "sign_in_required") throw error;
        this.told.trouble(error);
        const isLocal = error.slug.startsWith("store_");
        await sleep(isLocal ? LOCAL_RETRY_MS : retry.next(), this.signal);
      }
    }
  }

  /** Compare heads now and pull all that is missing. Throws what is in the way, also of one room. */
  async sync(): Promise<void> {
    this.#headsWanted = true;
    this.#headsMayLag = false;
    this.#batches.tryAll();
    await this.catchUp();
    if (this.#batches.error !== null) throw this.#batches.error;
  }

  /** Pull until every stream is where it was told to be. Rooms that cannot be pulled are left for later. */
  catchUp(): Promise<void> {
    const mine = this.#pulling.then(() => this.#catchUp());
    this.#pulling = mine.catch(() => undefined);
    return mine;
  }

  async #catchUp(): Promise<void> {
    const wait = new Backoff(TOLD_LEAST_MS, TOLD_MOST_MS, this.rng);
    let doubts = 0;
    while (!this.signal.aborted) {
      if (this.#headsWanted) await this.#compareHeads(false);
      const behind = this.#behind();
      if (behind.length === 0 && !this.#namesWanted) return this.#profiles.fetch();
      if (await this.#pull(behind)) {
        wait.reset();
      } else if (this.#behind().length > 0) {
        if (wait.isExhausted) {
          // Nothing gets there: whoever told us so was of another history.
          await this.#compareHeads(true);
          doubts += 1;
        }
        if (doubts > MOST_DOUBTS) throw refused("it never brings what the heads tell of");
        await sleep(wait.next(), this.signal);
      }
    }
  }

  async #wakeOrBehind(): Promise<void> {
    const isWanted = this.#headsWanted || this.#namesWanted || this.#profiles.areWanted;
    if (isWanted || this.#behind().length > 0) return;
    const due = this.#batches.due;
    await this.#bell.wait(due === null ? null : Math.max(due - performance.now(), 0), this.signal);
  }

  /** The streams to ask for now: not where they were told to be, or not counted. */
  #behind(): (string | null)[] {
    const behind = this.#targets.behind(hereOf(this.store));
    this.#batches.retain(behind);
    return behind.filter((each) => this.#batches.isDue(each, performance.now()));
  }

  /** Pull once; tells whether anything moved. */
  async #pull(behind: readonly (string | null)[]): Promise<boolean> {
    const [rooms, size] = this.#batches.choose(behind.filter((each) => each !== null));
    let hasMoved: boolean;
    try {
      hasMoved = await this.#ask(rooms, size);
    } catch (error) {
      if (!(error instanceof ParleyError) || error.slug === "sign_in_required") throw error;
      // What is in the way of the copy is no fault of a room.
      if (error.slug.startsWith("store_")) throw error;
      const room = rooms[0];
      if (!this.#batches.fail(rooms, size) || room === undefined) throw error;
      // If the server answers without this room, the others need not wait for it.
      await this.#ask([], new BatchSize());
      this.#batches.defer(room, error, performance.now());
      return true;
    }
    this.#batches.succeed(rooms, size);
    return hasMoved;
  }

  async #ask(roomIds: readonly string[], size: BatchSize): Promise<boolean> {
    const hasMoved = await pullOnce(this.#parts, roomIds, size);
    if (hasMoved === null) this.wantHeads();
    else this.#namesWanted = false;
    return hasMoved ?? false;
  }

  async #compareHeads(isForgetting: boolean): Promise<void> {
    // Whoever wants heads while these are on their way wants newer ones.
    const mayLag = this.#headsMayLag && !isForgetting;
    this.#headsWanted = this.#headsMayLag = false;
    const least = mayLag ? this.#targets.known(hereOf(this.store)) : null;
    let heads: Heads;
    try {
      heads = await this.remote.heads(this.store.account.timeline, least);
    } catch (error) {
      this.#headsWanted = true;
      throw error;
    }
    this.told.trouble(null);
    const news = await takeHeads(this.#parts, heads, isForgetting);
    // What no stream tells of is asked for whenever the streams are compared.
    this.#namesWanted = true;
    this.told.heads(heads, news, mayLag);
  }
}

/** Whose own stream a step is of. */
function ownerOf(payload: unknown): unknown {
  return isObject(payload) ? payload["user_id"] : null;
}

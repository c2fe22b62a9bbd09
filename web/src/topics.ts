/** Which topics an account listens to: names end with an epoch, and old names fall silent. */
import type { Row } from "./rows.ts";
import type { Heads } from "./steps.ts";

/** What concerns more tenants than can be told one by one is told here. */
const ALL_TENANTS = "00000000-0000-0000-0000-000000000000";
/** So many tenants are listened to; what changes in others comes with the heads. */
const MOST_TENANTS = 50;

export class Topics {
  readonly #epochs = new Map<string | null, number>();
  #dashboards: readonly string[] = [];

  /** `roomRow` reads the row of a room in the copy. */
  constructor(
    readonly me: string,
    readonly roomRow: (roomId: string) => Promise<Row | null>,
  ) {}

  /** The topic of the own stream. */
  get user(): string {
    return `user:${this.me}:${this.#epochs.get(null)}`;
  }

  /** The topic on which members of a room speak to each other. */
  live(roomId: string): string {
    return `live:${roomId}:${this.#epochs.get(roomId)}`;
  }

  /** The epoch of a room is known. */
  has(roomId: string): boolean {
    return this.#epochs.has(roomId);
  }

  /** Take the epochs of all streams. */
  takeHeads(heads: Heads): void {
    this.#epochs.clear();
    this.#epochs.set(null, heads.user.epoch);
    for (const [roomId, { epoch }] of heads.rooms) this.#epochs.set(roomId, epoch);
  }

  /** Take the next epoch of a room, or of the own stream. */
  move(stream: string | null, epoch: number): void {
    this.#epochs.set(stream, epoch);
  }

  /** Listen to the dashboards of these tenants; null is none at all. */
  follow(tenants: readonly string[] | null): void {
    const some = tenants === null ? [] : [ALL_TENANTS, ...tenants.slice(0, MOST_TENANTS)];
    this.#dashboards = some.map((each) => `tenant:${each}:dashboard`);
  }

  /** The topics to hold while some rooms are on screen. */
  async wanted(rooms: ReadonlySet<string>): Promise<Set<string>> {
    const wanted = new Set(this.#dashboards);
    if (this.#epochs.has(null)) wanted.add(this.user);
    for (const roomId of rooms) {
      const epoch = this.#epochs.get(roomId);
      if (epoch === undefined) continue;
      const row = await this.roomRow(roomId);
      if (row?.["is_closed"] !== true) wanted.add(this.live(roomId));
      if (row?.["is_large"] === true) wanted.add(`room:${roomId}:${epoch}`);
    }
    return wanted;
  }
}

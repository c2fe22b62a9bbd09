/** The rooms that a tab has on screen, who types in them and who is there. */
import { members, posters } from "./membership.ts";
import type { Storage } from "./storage/storage.ts";
import type { Tabs } from "./tabs.ts";
import type { Change } from "./types.ts";
import { Typists } from "./typists.ts";

const TYPING_EVERY_MS = 3000;
const SHOW_AGAIN_MS = 30_000;

export class Screen {
  readonly #typists: Typists;
  readonly #shown = new Map<string, number>();
  readonly #typedAt = new Map<string, number>();
  /** The people on the live topic of each room, and those of them who are its members. */
  readonly #around = new Map<string, readonly string[]>();
  readonly #present = new Map<string, readonly string[]>();

  /** `changed` is told the room when somebody begins to type there or stops, comes or goes. */
  constructor(
    readonly tabs: Pick<Tabs, "ask" | "id">,
    readonly storage: Storage,
    readonly me: string,
    readonly changed: (roomId: string) => void,
  ) {
    this.#typists = new Typists(changed);
  }

  /** Tell the leader now and then what is on screen; returns how to stop that. */
  start(): () => void {
    const again = setInterval(() => this.tell(), SHOW_AGAIN_MS);
    return () => clearInterval(again);
  }

  /** Show a room until the function that this returns is called. */
  open(roomId: string): () => void {
    this.#shown.set(roomId, (this.#shown.get(roomId) ?? 0) + 1);
    this.tell();
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const count = (this.#shown.get(roomId) ?? 1) - 1;
      if (count > 0) this.#shown.set(roomId, count);
      else this.#hide(roomId);
      this.tell();
    };
  }

  /** Tell an open room that we are typing. */
  typing(room_id: string): void {
    const now = performance.now();
    if (
      !this.#shown.has(room_id) || now - (this.#typedAt.get(room_id) ?? -Infinity) < TYPING_EVERY_MS
    ) return;
    this.#typedAt.set(room_id, now);
    const tell = async () => {
      const mayPost = await this.storage.read((tx) => posters(tx, room_id, [this.me]));
      if (mayPost.has(this.me)) await this.tabs.ask({ name: "typing", room_id });
    };
    // Whatever is in the way just now is nothing that somebody who types can help.
    void tell().catch(() => undefined);
  }

  /** Who typed just now in an open room. */
  typists(roomId: string): readonly string[] {
    return this.#typists.people(roomId);
  }

  /** The members who have an open room on screen. */
  present(roomId: string): readonly string[] {
    return this.#present.get(roomId) ?? [];
  }

  /** These are the people on the live topic of a room now. */
  hearPresent(roomId: string, people: readonly string[]): void {
    if (!this.#shown.has(roomId)) return;
    this.#around.set(roomId, people);
    void this.#holdPresent(roomId).catch(() => undefined);
  }

  /** Somebody who may post typed in a room. */
  hearTyping(roomId: string, userId: string): void {
    if (this.#shown.has(roomId)) this.#typists.note(roomId, userId);
  }

  /** Whoever said something types no more, nor who may not post any more. */
  hear(changes: readonly Change[]): void {
    for (const { room_id, rows } of changes) {
      if (room_id === null || !this.#shown.has(room_id)) continue;
      for (const row of rows["messages"] ?? []) {
        this.#typists.stop(room_id, String(row["sender_id"]));
      }
      if (rows["members"] !== undefined || rows["rooms"] !== undefined) {
        void this.#holdTypists(room_id).catch(() => undefined);
        void this.#holdPresent(room_id).catch(() => undefined);
      }
    }
  }

  /** Tell the leader what is on screen. */
  tell(): void {
    const rooms = [...this.#shown.keys()];
    void this.tabs.ask({ name: "show", tab: this.tabs.id, rooms }).catch(() => undefined);
  }

  /** Those who may not post any more are shown no longer. */
  async #holdTypists(roomId: string): Promise<void> {
    const people = this.#typists.people(roomId);
    if (people.length === 0) return;
    this.#typists.retain(roomId, await this.storage.read((tx) => posters(tx, roomId, people)));
  }

  /** Of those who are around, members are shown. */
  async #holdPresent(roomId: string): Promise<void> {
    const around = this.#around.get(roomId) ?? [];
    const here = await this.storage.read((tx) => members(tx, roomId, around));
    if (around !== (this.#around.get(roomId) ?? around)) return;
    const people = around.filter((each) => here.has(each));
    if (`${people}` === `${this.present(roomId)}`) return;
    this.#present.set(roomId, people);
    this.changed(roomId);
  }

  #hide(roomId: string): void {
    this.#shown.delete(roomId);
    this.#around.delete(roomId);
    this.#present.delete(roomId);
  }
}

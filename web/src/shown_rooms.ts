/** Which rooms the tabs of an account have on screen. */

/** How long a tab that says nothing counts as having its rooms on screen. */
const SHOWN_MS = 75_000;

export class ShownRooms {
  readonly #tabs = new Map<string, { readonly rooms: readonly string[]; readonly at: number }>();

  /** The tab has said before what it shows. */
  has(tab: string): boolean {
    return this.#tabs.has(tab);
  }

  /** A tab says what it shows. */
  note(tab: string, rooms: readonly string[]): void {
    this.#tabs.set(tab, { rooms, at: performance.now() });
  }

  /** The rooms that any tab shows. */
  rooms(): Set<string> {
    const since = performance.now() - SHOWN_MS;
    for (const [tab, { at }] of this.#tabs) if (at < since) this.#tabs.delete(tab);
    return new Set([...this.#tabs.values()].flatMap(({ rooms }) => rooms));
  }
}

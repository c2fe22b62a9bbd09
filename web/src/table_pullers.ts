/** The tables of the app's own in the tab that leads: each has a puller. */
import type { Remote } from "./remote.ts";
import type { Store } from "./store.ts";
import { type PullerTold, TablePuller } from "./table_puller.ts";
import { tenantsOf } from "./table_reads.ts";
import type { TableOptions } from "./table_types.ts";
import type { Rng } from "./timing.ts";

/** What the pullers tell of. */
export interface PullersTold extends Omit<PullerTold, "owners"> {
  /** The tenants whose tables are here; null without such a table. */
  tenants(tenants: readonly string[] | null): void;
}

export class TablePullers {
  readonly #pullers: readonly TablePuller[];

  constructor(
    store: Store,
    remote: Remote,
    tables: readonly TableOptions[],
    told: PullersTold,
    rng: Rng,
    signal: AbortSignal,
  ) {
    const owners = () => void store.storage.read(tenantsOf).then(told.tenants, () => undefined);
    this.#pullers = tables.map((each) =>
      new TablePuller(store, remote, each, { ...told, owners }, rng, signal)
    );
  }

  /** Keep all tables in step; `keepRunning` begins one again that ended with an error. */
  async run(keepRunning: (work: () => Promise<void>) => Promise<void>): Promise<void> {
    await Promise.all(this.#pullers.map((each) => keepRunning(() => each.run())));
  }

  /** Pull all tables now. Throws what is in the way. */
  async sync(): Promise<void> {
    for (const each of this.#pullers) await each.sync();
  }

  /**
   * Pull some tables soon, because the server says that they have changed; null for all, which may have.
   *
   * With `mayLag`, nothing but the time is a reason for that.
   */
  want(names: readonly unknown[] | null, mayLag = false): void {
    for (const each of this.#pullers) {
      if (names === null || names.includes(each.options.name)) each.want(names !== null, mayLag);
    }
  }
}

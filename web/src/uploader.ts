/** Bringing attached files into storage, one after the other, the network for ever. */
import { change } from "./change.ts";
import { ParleyError } from "./errors.ts";
import { rejectAction } from "./outbox.ts";
import type { Remote } from "./remote.ts";
import type { FileRecord } from "./storage/tables.ts";
import type { Store } from "./store.ts";
import { Backoff, Bell, type Rng } from "./timing.ts";
import type { Change, OutboxItem } from "./types.ts";

export const BUCKET = "chat-attachments";
const RETRY_LEAST_MS = 250;
const RETRY_MOST_MS = 30_000;
const NAME_MOST = 100;
/** How often, at most, it is told how far a file got. */
const STEPS = 100;

export class Uploader {
  readonly #bell = new Bell();

  /** `settled` is told a send whose file was refused, `wakeSender` that one may go. */
  constructor(
    readonly store: Store,
    readonly remote: Remote,
    readonly emit: (changes: readonly Change[]) => void,
    readonly settled: (item: OutboxItem, rev: number | null) => void,
    readonly wakeSender: () => void,
    readonly rng: Rng,
    readonly signal: AbortSignal,
  ) {}

  /** There is something new to upload. */
  wake(): void {
    this.#bell.ring();
  }

  /** Upload until the signal. Throws `sign_in_required` on a lost session, Deposed. */
  async run(): Promise<void> {
    const retry = new Backoff(RETRY_LEAST_MS, RETRY_MOST_MS, this.rng);
    while (!this.signal.aborted) {
      const isDone = await this.#uploadAll();
      if (isDone) retry.reset();
      await this.#bell.wait(isDone ? null : retry.next(), this.signal);
    }
  }

  /** Upload what waits; tells whether nothing has to be tried again. */
  async #uploadAll(): Promise<boolean> {
    const [items, files] = await this.store.storage.read(
      async (tx) => [await tx.list("outbox"), await tx.list("files")] as const,
    );
    let isDone = true;
    for (const item of items) {
      if (item.kind !== "send" || item.state !== "pending") continue;
      for (const file of files) {
        if (file.client_id !== item.client_id || file.is_done || this.signal.aborted) continue;
        // Another file may well pass where one has to be tried again, for example a smaller one.
        isDone = (await this.#upload(item, file)) && isDone;
      }
    }
    return isDone;
  }

  async #upload(item: OutboxItem, file: FileRecord): Promise<boolean> {
    const { path, blob, mime_type } = file;
    let told = 0;
    this.#tell(item, file, told);
    const tell = (sent: number) => {
      if (sent - told < blob.size / STEPS || sent >= blob.size) return;
      told = sent;
      this.#tell(item, file, sent);
    };
    try {
      await this.remote.upload(BUCKET, path, blob, mime_type, tell);
      await this.store.write((draft) => draft.tx.put("files", { ...file, is_done: true }));
    } catch (error) {
      if (!(error instanceof ParleyError) || error.slug === "sign_in_required") throw error;
      if (error.slug === "slow_down" || error.slug.startsWith("store_") || error.isTransient) {
        return false;
      }
      await this.store.write((draft) => rejectAction(draft, item, error.slug));
      this.settled(item, null);
      return true;
    }
    this.#tell(item, file, blob.size);
    this.wakeSender();
    return true;
  }

  #tell({ room_id, client_id }: OutboxItem, { path, blob }: FileRecord, sent: number): void {
    const upload = { client_id: client_id ?? "", path, sent, size: blob.size };
    this.emit([change(room_id, { upload })]);
  }
}

/** A name that Storage takes; its ending stays. What the file is really called travels beside it. */
export function safeName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]+/g, "_").replace(/\.{2,}/g, ".").replace(
    /^\.+|\.+$/g,
    "",
  );
  return plain.slice(-NAME_MOST).replace(/^\.+/, "") || "file";
}

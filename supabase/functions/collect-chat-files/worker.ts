// The work of one call: claim, remove, complete, until nothing is due or the call has run long enough.

import { ask, call } from "../_parley/project.ts";

const BATCH = 100;
const MOST_MS = 60_000;

/** A row of claim_files. */
interface File {
  bucket_id: string;
  path: string;
}

/** What a call did; `more` is true when it stopped before everything was removed. */
export interface Summary {
  claimed: number;
  removed: number;
  more: boolean;
}

/** Removes files of one bucket; returns whether Storage took the request. */
async function remove(bucket: string, paths: string[]): Promise<boolean> {
  try {
    await ask("DELETE", `/storage/v1/object/${bucket}`, { prefixes: paths });
    return true;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return false;
  }
}

/** Removes everything that is due, or as much as one call should. */
export async function collectAll(): Promise<Summary> {
  const summary: Summary = { claimed: 0, removed: 0, more: false };
  const end = Date.now() + MOST_MS;
  while (true) {
    const files = (await call("claim_files", { batch_size: BATCH })) as File[];
    if (files.length === 0) return summary;
    summary.claimed += files.length;
    for (const bucket of new Set(files.map((file) => file.bucket_id))) {
      const ours = files.filter((file) => file.bucket_id === bucket);
      const outcome = (await remove(bucket, ours.map((file) => file.path))) ? "removed" : "retry";
      // The database looks whether they have gone, and counts those.
      summary.removed += (await call("complete_files", {
        results: ours.map((file) => ({ ...file, outcome })),
      })) as number;
    }
    if (Date.now() > end) return { ...summary, more: true };
  }
}

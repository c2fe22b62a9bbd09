/** How far the files of own messages got, as the copy tells it. */
import { useSyncExternalStore } from "react";
import type { Parley, Progress } from "../src/index.ts";
import { useClient } from "./page.ts";

interface Uploads {
  readonly of: (client_id: string | null) => Progress | null;
  readonly subscribe: (listener: () => void) => () => void;
}

const all = new WeakMap<Parley, Uploads>();

/** What is known of the file of a message; null before it has begun. */
export function useUpload(client_id: string | null): Progress | null {
  const parley = useClient();
  const uploads = all.get(parley) ?? watch(parley);
  return useSyncExternalStore(uploads.subscribe, () => uploads.of(client_id));
}

function watch(parley: Parley): Uploads {
  const progress = new Map<string, Progress>();
  const listeners = new Set<() => void>();
  parley.subscribe((changes) => {
    const uploads = changes.map(({ upload }) => upload).filter((upload) => upload !== null);
    for (const upload of uploads) progress.set(upload.client_id, upload);
    if (uploads.length > 0) { for (const listener of listeners) listener(); }
  });
  const uploads: Uploads = {
    of: (client_id) => progress.get(client_id ?? "") ?? null,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  all.set(parley, uploads);
  return uploads;
}

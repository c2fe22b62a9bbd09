import type { Status } from "parley-chat";
import { useParley } from "parley-chat/react";
import { useSyncExternalStore } from "react";

const never = () => () => undefined;

/** How the copy stands; null on the server. */
export function useStatus(): Status | null {
  const parley = useParley();
  return useSyncExternalStore(
    parley?.subscribe ?? never,
    () => parley?.status ?? null,
    () => null,
  );
}

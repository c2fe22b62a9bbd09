"use client";

import { createParley, type Parley } from "parley-chat";
import { ParleyProvider } from "parley-chat/react";
import { type ReactNode, useSyncExternalStore } from "react";
import { forgetRooms } from "@/hooks/use-room-named";
import { createClient } from "@/lib/supabase/client";

let parley: Parley | null = null;

function ofThisBrowser(): Parley {
  if (parley !== null) return parley;
  const made = createParley({ supabase: createClient(), name: "next-chat" });
  made.subscribe(() => made.status.state === "signed_out" && forgetRooms());
  parley = made;
  return made;
}

const never = () => () => undefined;

/** Gives the copy of this browser to everything below it; on the server there is none. */
export function ChatProvider({ children }: { children: ReactNode }) {
  const client = useSyncExternalStore(never, ofThisBrowser, () => null);
  return <ParleyProvider parley={client}>{children}</ParleyProvider>;
}

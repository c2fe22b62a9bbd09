import { type ReactNode, useEffect, useRef, useState } from "react";
import { Icon } from "./icons.tsx";
import { useMe, usePage } from "./page.ts";
import { go } from "./place.ts";

/** What something was last, when it is not any more. */
export function useLast<T>(value: T | null): T | null {
  const last = useRef(value);
  useEffect(() => {
    if (value !== null) last.current = value;
  }, [value]);
  return value ?? last.current;
}

interface GoneProps {
  readonly room_id: string;
  /** What the room was called, if it was on the screen before. */
  readonly title: string | null;
}

/** Where a room was: whoever was removed reads that they are out, and why. */
export function Gone({ room_id, title }: GoneProps): ReactNode {
  const reason = useReason(room_id, title !== null);
  return (
    <main className="nothing">
      <div className="empty" role="alert">
        <Icon name="leave" />
        {title === null ? <p>This room is not here, or no longer.</p> : (
          <>
            <h2>You are out of “{title}”</h2>
            <p className="soft">
              You are not in this room any more. Its messages have left this device, and nothing
              that is said there reaches you.
            </p>
          </>
        )}
        {reason !== "" && <p>The reason that was given: {reason}</p>}
        <button type="button" onClick={() => go(null)}>To the other rooms</button>
      </div>
    </main>
  );
}

/** Why somebody was removed, where moderators gave a reason. */
function useReason(room_id: string, isAsked: boolean): string {
  const { supabase } = usePage();
  const me = useMe();
  const [reason, setReason] = useState("");
  useEffect(() => {
    if (!isAsked) return;
    void supabase.schema("chat").from("removals").select("reason")
      .eq("room_id", room_id).eq("user_id", me).order("rev", { ascending: false }).limit(1)
      .then(({ data }) => setReason((data?.[0] as { reason: string } | undefined)?.reason ?? ""));
  }, [supabase, me, room_id, isAsked]);
  return reason;
}

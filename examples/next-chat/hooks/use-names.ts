import { useParley } from "parley-chat/react";
import { useEffect, useState } from "react";
import { createClient } from "@/lib/supabase/client";
import { useStatus } from "./use-status";

/** What people are called, by id, as far as the copy knows them. */
export function useNames(): ReadonlyMap<string, string> {
  const parley = useParley();
  const me = useStatus()?.me;
  const [names, setNames] = useState<ReadonlyMap<string, string>>(new Map());

  useEffect(() => {
    if (parley === null || !me) return;
    const read = async () => {
      const people = await parley.people();
      setNames(new Map(people.map((each) => [each.user_id, each.display_name])));
    };
    const stop = parley.subscribe((changes) => {
      if (changes.some((each) => each.people.length > 0 || each.is_fresh)) void read();
    });
    void parley.ready.then(read);
    return stop;
  }, [parley, me]);

  return names;
}

/** Have everybody see this name; they see it in all rooms, because it is the one of the profile. */
export function useOwnName(username: string): void {
  const status = useStatus();
  const me = status?.me;
  const isReachable = status?.state === "live" || status?.state === "polling";

  useEffect(() => {
    if (!me || !isReachable || username.trim() === "") return;
    const chat = createClient().schema("chat");
    void (async () => {
      const { data } = await chat
        .from("profiles").select("display_name").eq("user_id", me).maybeSingle();
      if (data === null || data.display_name === username) return;
      const { error } = await chat.rpc("update_profile", { display_name: username });
      if (error !== null) console.error(error.details ?? error.message);
    })();
  }, [me, isReachable, username]);
}

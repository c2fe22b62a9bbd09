/** The pictures of people, fetched with the session and shown as `blob:` addresses, each once. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { useEffect, useState } from "react";
import { isPicture } from "./files.ts";
import { usePage } from "./page.ts";
import { usePeople } from "./people.ts";

/** The bucket of pictures: `<user_id>/<uuid>/<file name>`. */
export const PICTURES = "chat-avatars";
/** What may have been fetched in vain is asked for again by another load of the page. */
const addresses = new Map<string, Promise<string | null>>();

/** The address of somebody's picture; null without one, and until it is here. */
export function usePicture(id: string): string | null {
  const { supabase } = usePage();
  const path = usePeople().find((each) => each.user_id === id)?.avatar_path ?? null;
  const [shown, show] = useState<{ readonly path: string; readonly url: string } | null>(null);
  useEffect(() => {
    if (path === null) return;
    let isWanted = true;
    void addressOf(supabase, path).then((url) => {
      if (isWanted && url !== null) show({ path, url });
    });
    return () => void (isWanted = false);
  }, [supabase, path]);
  return shown !== null && shown.path === path ? shown.url : null;
}

function addressOf(supabase: SupabaseClient, path: string): Promise<string | null> {
  const known = addresses.get(path);
  if (known !== undefined) return known;
  const address = supabase.storage.from(PICTURES).download(path).then(({ data }) =>
    data !== null && isPicture(data.type) ? URL.createObjectURL(data) : null
  );
  addresses.set(path, address);
  return address;
}

import type { User } from "@supabase/supabase-js";
import { useEffect, useState } from "react";
import { createClient } from "@/lib/supabase/client";

/** Who is signed in in this browser; null is nobody, undefined on the server and until the browser has looked. */
export function useUser(): User | null | undefined {
  const [user, setUser] = useState<User | null>();

  useEffect(() => {
    const { data } = createClient().auth.onAuthStateChange((_, session) => {
      setUser(session?.user ?? null);
    });
    return () => data.subscription.unsubscribe();
  }, []);

  return user;
}

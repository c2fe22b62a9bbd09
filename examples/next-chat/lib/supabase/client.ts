import { createBrowserClient } from "@supabase/ssr";

/** The client of this browser; the same one however often it is asked for. */
export function createClient() {
  return createBrowserClient(
    process.env.NEXT_PUBLIC_SUPABASE_URL!,
    process.env.NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY!,
    // Keeps the connection of a tab that is behind others.
    { realtime: { worker: true } },
  );
}

/** The client of Supabase, and the copy of what this app shows. */
import { createClient } from "@supabase/supabase-js";
import { createParley } from "parley-chat";

import type { TypedDatabase } from "./database.types.ts";

declare module "parley-chat" {
  interface Registered {
    database: TypedDatabase;
  }
}

export const supabase = createClient(
  import.meta.env.VITE_SUPABASE_URL,
  import.meta.env.VITE_SUPABASE_KEY,
  { realtime: { worker: true } },
);

export const parley = createParley({
  supabase,
  name: "dashboard",
  tables: [
    { name: "public.companies" },
    { name: "public.documents", indexes: ["tenant_id"] },
    { name: "public.payments", indexes: ["tenant_id"] },
    { name: "public.statements", indexes: ["tenant_id"] },
  ],
});

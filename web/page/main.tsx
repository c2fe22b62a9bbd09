/**
 * The page that the front door of the local stack serves at `/`: a chat on the hooks of `parley-chat/react`.
 *
 * `/?as=ann` is Ann's page. Everybody of the demo has their own session and copy under their name, so that
 * two of them can stand side by side in one browser; whoever signs in by e-mail has the one of the plain `/`.
 */
import { createClient } from "@supabase/supabase-js";
import { createRoot } from "react-dom/client";
import { ParleyProvider } from "../react/index.ts";
import { createParley } from "../src/index.ts";
import { App } from "./app.tsx";
import { Files } from "./files.ts";
import { networkOf } from "./network.ts";
import { type DemoPerson, PageContext } from "./page.ts";
import { streamOf } from "./stream.ts";
import { readTheme, showTheme } from "./theme.ts";

interface Introduction {
  readonly key: string;
  readonly vapid_key: string | null;
  readonly people: readonly DemoPerson[];
}

const ADDRESS = "/page.json";

/** What the page has to know first: kept from the last time, so that it begins without waiting for a network. */
async function introduce(): Promise<Introduction> {
  const cache = await caches.open("parley-page");
  const kept = await cache.match(ADDRESS);
  const asked = fetch(ADDRESS).then(async (answer) => {
    if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
    await cache.put(ADDRESS, answer.clone());
    return (await answer.json()) as Introduction;
  });
  if (kept === undefined) return asked;
  const known = (await kept.json()) as Introduction;
  asked.then(
    (now) => {
      // Another stack has taken this place.
      if (JSON.stringify(now) !== JSON.stringify(known)) location.reload();
    },
    () => undefined,
  );
  return known;
}

showTheme(readTheme());
const root = document.getElementById("root") as HTMLElement;
const { key, vapid_key, people } = await introduce();
const asked = new URLSearchParams(location.search).get("as");
const person = people.find(({ name }) => name.toLowerCase() === asked) ?? null;
const name = person?.name.toLowerCase() ?? "own";
const network = networkOf(name);
const supabase = createClient(location.origin, key, {
  auth: { storageKey: `parley-session-${name}`, detectSessionInUrl: false },
  global: { fetch: network.fetch },
  realtime: {
    transport: network.Socket,
    worker: true,
    workerUrl: root.dataset["heartbeat"] as string,
  },
});
const parley = createParley({ supabase, name: `page-${name}` });
const stream = streamOf(parley);
const files = new Files(supabase);

createRoot(root).render(
  <PageContext value={{ supabase, network, stream, files, vapid_key, people, person }}>
    <ParleyProvider parley={parley}>
      <App />
    </ParleyProvider>
  </PageContext>,
);

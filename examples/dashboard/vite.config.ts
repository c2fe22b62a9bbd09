import { defineConfig, type Plugin } from "vite";

/** Writes a service worker that keeps all files of the build, so that the page itself opens without a network. */
function offline(): Plugin {
  return {
    name: "offline",
    apply: "build",
    generateBundle(_, bundle) {
      const files = ["./", ...Object.keys(bundle).filter((each) => !each.endsWith(".html"))];
      this.emitFile({ type: "asset", fileName: "worker.js", source: worker(files) });
    },
  };
}

const worker = (files: readonly string[]) =>
  `
const FILES = ${JSON.stringify(files)};
const KEPT = "files " + FILES.join();
addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES)));
});
addEventListener("activate", (event) => {
  const old = async () => {
    for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
    await clients.claim();
  };
  event.waitUntil(old());
});
addEventListener("fetch", (event) => {
  if (!event.request.url.startsWith(registration.scope)) return;
  const wanted = event.request.mode === "navigate" ? "./" : event.request;
  event.respondWith(caches.match(wanted).then((kept) => kept ?? fetch(event.request)));
});
`.trimStart();

export default defineConfig({
  base: "./",
  esbuild: { jsx: "automatic" },
  // (Of the 170 KB that a page downloads, supabase-js and React are 130.)
  build: { chunkSizeWarningLimit: 700 },
  plugins: [offline()],
});

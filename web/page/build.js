// Makes the files of the page in the folder that is its argument. The front door of the local stack runs it.
import { readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import process from "node:process";
import { build } from "esbuild";

const [folder] = process.argv.slice(2);
const here = import.meta.dirname;
const shared = {
  absWorkingDir: here,
  outdir: folder,
  bundle: true,
  minify: true,
  target: "es2022",
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
};

// What is in a file decides its name, so browsers may keep it for ever. What the page imports with `import()` is
// a chunk of its own, fetched when it is first shown.
const scripts = await build({
  ...shared,
  entryPoints: ["main.tsx", "heartbeat.ts", "icon.svg"],
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  loader: { ".svg": "copy" },
  format: "esm",
  splitting: true,
});

// The service worker is found by its name, because what it works for depends on where it is.
await build({ ...shared, entryPoints: ["sw.ts"], format: "iife" });

// All style sheets of the folder are one, and page.css is its beginning.
const sheets = (await readdir(here)).filter((name) => name.endsWith(".css") && name !== "page.css");
const styles = await build({
  ...shared,
  stdin: {
    contents: ["page.css", ...sheets.sort()].map((name) => `@import "./${name}";`).join("\n"),
    loader: "css",
    resolveDir: here,
    sourcefile: "style.css",
  },
  entryNames: "style-[hash]",
});

const outputs = { ...scripts.metafile.outputs, ...styles.metafile.outputs };
const named = (start) =>
  Object.keys(outputs).map((path) => basename(path)).find((name) => name.startsWith(`${start}-`));
/** What the first script needs at once, so that the browser need not find it out one by one. */
const first = Object.entries(outputs)
  .filter(([path]) => basename(path) === named("main"))
  .flatMap(([, { imports }]) => imports)
  .filter(({ kind }) => kind === "import-statement")
  .map(({ path }) => `<link rel="modulepreload" href="/${basename(path)}">\n`);

await writeFile(
  join(folder, "index.html"),
  `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content">
<meta name="color-scheme" content="light dark">
<title>Parley</title>
<link rel="icon" type="image/svg+xml" href="/${named("icon")}">
<link rel="stylesheet" href="/${named("style")}">
${first.join("")}<link rel="preload" as="fetch" href="/page.json" crossorigin>
<div id="root" data-heartbeat="/${named("heartbeat")}"></div>
<noscript>Parley needs JavaScript.</noscript>
<script type="module" src="/${named("main")}"></script>
</html>
`,
);

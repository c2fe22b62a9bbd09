import { build } from "esbuild";
import { expect, test } from "vitest";

const MOST_BYTES = 150 * 1024;

/** Return how many bytes a file takes on its way. */
async function compressed(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(stream).arrayBuffer()).byteLength;
}

test("the page is under 150 KB compressed when it begins, without supabase-js", async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: ["page/main.tsx", "page/*.css"],
    outdir: "nowhere",
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    define: { "process.env.NODE_ENV": '"production"' },
    external: ["@supabase/supabase-js"],
  });
  const { outputs } = metafile;
  // What is imported with `import()` comes when it is first shown.
  const first = new Set(Object.keys(outputs).filter((path) => path.endsWith(".css")));
  function add(path: string): void {
    if (first.has(path)) return;
    first.add(path);
    for (const { path: next, kind, external } of outputs[path]?.imports ?? []) {
      if (kind === "import-statement" && external !== true) add(next);
    }
  }
  add("nowhere/main.js");
  const files = outputFiles.filter(({ path }) => [...first].some((each) => path.endsWith(each)));
  expect(files.length).toBe(first.size);
  const sizes = await Promise.all(files.map(({ contents }) => compressed(contents.slice())));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST_BYTES);
});

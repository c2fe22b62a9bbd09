import { build } from "esbuild";
import { expect, test } from "vitest";

const MOST_BYTES = 40 * 1024;

/** Return how many bytes a page downloads for an entry, without what it has anyway, and how many later or never. */
async function bytes(entry: string): Promise<{ readonly first: number; readonly later: number }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    splitting: true,
    metafile: true,
    outdir: "dist",
    format: "esm",
    target: "es2022",
    external: ["@supabase/supabase-js", "react"],
  });
  const outputs = Object.entries(metafile.outputs);
  const wanted = new Set(outputs.filter(([, each]) => each.entryPoint === entry).map(([at]) => at));
  for (const at of wanted) {
    for (const { path, kind } of metafile.outputs[at]?.imports ?? []) {
      if (kind === "import-statement" && path in metafile.outputs) wanted.add(path);
    }
  }
  const isFirst = (path: string) => [...wanted].some((each) => path.endsWith(each));
  return {
    first: await compressed(outputFiles.filter(({ path }) => isFirst(path))),
    later: await compressed(outputFiles.filter(({ path }) => !isFirst(path))),
  };
}

async function compressed(files: readonly { readonly text: string }[]): Promise<number> {
  const all = new Blob(files.map(({ text }) => text));
  const stream = all.stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(stream).arrayBuffer()).byteLength;
}

test("the client and the hooks are under 40 KB compressed, without supabase-js and React", async () => {
  expect((await bytes("src/index.ts")).first).toBeLessThan(MOST_BYTES);
  expect((await bytes("react/index.ts")).first).toBeLessThan(3 * 1024);
});

test("what tables of the app's own and a read replica need is loaded apart, and is under 6 KB compressed", async () => {
  const { later } = await bytes("src/index.ts");
  expect(later).toBeGreaterThan(1024);
  expect(later).toBeLessThan(6 * 1024);
});

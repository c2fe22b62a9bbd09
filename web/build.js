// Makes the entries of the package in dist. Packages it depends on stay outside.
import { build } from "esbuild";

await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: {
    index: "src/index.ts",
    react: "react/index.ts",
    push: "push/index.ts",
    "push-worker": "push/worker.ts",
  },
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  packages: "external",
  sourcemap: true,
});

import type { NextConfig } from "next";

const config: NextConfig = {
  // The checkout around this folder has a lock file too, and is none of this app's business.
  turbopack: { root: import.meta.dirname },
};

export default config;

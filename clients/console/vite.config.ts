import { defineConfig } from "vite";

// `npm run dev` needs a running local cloud: VIGIL_API=http://127.0.0.1:8480
const api = process.env["VIGIL_API"] ?? "http://127.0.0.1:8480";

export default defineConfig({
  base: "./",
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, emptyOutDir: true },
  server: { proxy: { "/v1": api, "/config.json": api } },
});

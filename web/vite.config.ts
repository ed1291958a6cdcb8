// Builds the page into the Python package, so that one wheel holds server and page.
import { defineConfig } from "vitest/config";

export default defineConfig({
  // Relative addresses: the page works under any path a reverse proxy puts it.
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../src/greenroom/server/page",
    // The chat page and the ops page. What both use is a chunk of its own; the charts are in the ops page's only.
    rolldownOptions: { input: { index: "index.html", ops: "ops.html" } },
    emptyOutDir: true,
    target: "es2022",
    // light-dark() and nesting as written: browsers since spring 2024.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    modulePreload: { polyfill: false },
    // A strict content security policy must be able to forbid inline data for scripts and styles.
    assetsInlineLimit: 0,
    // The notices of the libraries in the build, which their licences ask for.
    license: { fileName: "licenses.md" },
  },
  server: {
    proxy: {
      "/client-ws": { target: "ws://127.0.0.1:12393", ws: true },
      "/ops/": "http://127.0.0.1:12393",
      "/avatars": "http://127.0.0.1:12393",
      "/bg": "http://127.0.0.1:12393",
    },
  },
  test: { include: ["tests/**/*.test.ts"] },
});

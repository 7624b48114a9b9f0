/// <reference types="vitest/config" />
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import { tanstackRouter } from "@tanstack/router-plugin/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run dev` serves the pages with hot reload and passes everything else on to a running `morpheus serve`.
const server = process.env.MORPHEUS_SERVER ?? "http://127.0.0.1:7860";
const proxy = { target: server, changeOrigin: false, ws: true };

export default defineConfig({
  plugins: [
    tanstackRouter({ target: "react", autoCodeSplitting: true, quoteStyle: "double", semicolons: true }),
    react(),
    tailwindcss(),
  ],
  resolve: { alias: { "~": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: {
    host: "127.0.0.1",
    proxy: {
      "/api": proxy,
      "/v1": proxy,
      "/blob": proxy,
      // The page itself is ours; only signing in is the server's.
      "/login": {
        ...proxy,
        bypass: ({ method, url }) =>
          method === "GET" && !url?.includes("token=") ? "/index.html" : undefined,
      },
    },
  },
  build: { target: "es2023", sourcemap: false },
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    setupFiles: ["src/testing-setup.ts"],
  },
});

// Browser tests: the real binary, Debian's Chromium.
import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

// The headless shell draws without a window's machinery, in half the processor time.
const chromium =
  process.env.CHROMIUM ??
  ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);

export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  // The machine trains and renders beside the browser.
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  forbidOnly: Boolean(process.env.CI),
  // A machine under load may miss a deadline once; a test that passes only the second time is named "flaky".
  retries: process.env.CI ? 1 : 0,
  reporter: [["list"]],
  use: {
    viewport: { width: 1360, height: 860 },
    // Recording every test would cost a third of the time.
    trace: "on-first-retry",
    screenshot: "only-on-failure",
    launchOptions: {
      ...(chromium && { executablePath: chromium }),
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});

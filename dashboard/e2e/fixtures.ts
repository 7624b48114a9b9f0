// What tests stand on: a server with a finished job, an empty one, and a signed-in page.
import { type Browser, test as base, expect, type Page } from "@playwright/test";
import {
  type Provider,
  type Seeded,
  type Server,
  seed,
  seedDataset,
  startProvider,
  startServer,
} from "./server";

interface Workers {
  /** A server on which nothing has happened. */
  empty: Server;
  /** A server with a dataset, a finished job, its model and a picture. */
  server: Server & { seeded: Seeded; cookies: Cookies };
  renting: Renting;
}

/** A server with a dataset that rents machines of a simulated RunPod. */
export interface Renting extends Server {
  provider: Provider;
  dataset: string;
  cookies: Cookies;
}

type Cookies = Awaited<ReturnType<ReturnType<Page["context"]>["cookies"]>>;

interface Tests {
  /** A page that is signed in to `server`. */
  app: Page;
  /** A server of its own, and a provider at which a minute is a second of ours. */
  hurried: Renting;
}

export const test = base.extend<Tests, Workers>({
  empty: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of a fixture's needs from here
    async ({}, use) => {
      const server = await startServer();
      await use(server);
      await server.stop();
    },
    { scope: "worker", timeout: 60_000 },
  ],
  server: [
    async ({ browser }, use) => {
      const server = await startServer();
      const context = await browser.newContext();
      const page = await context.newPage();
      await signIn(page, server);
      const seeded = await seed(context.request, server);
      const cookies = await context.cookies();
      await context.close();
      await use({ ...server, seeded, cookies });
      await server.stop();
    },
    { scope: "worker", timeout: 300_000 },
  ],
  renting: [({ browser }, use) => rent(browser, 10, use), { scope: "worker", timeout: 120_000 }],
  hurried: ({ browser }, use) => rent(browser, 60, use),
  app: async ({ page, context, server }, use) => {
    await context.addCookies(server.cookies);
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    await use(page);
    expect(problems, "errors that no code caught").toEqual([]);
  },
});

export { expect };

async function rent(
  browser: Browser,
  scale: number,
  use: (renting: Renting) => Promise<void>,
): Promise<void> {
  const provider = await startProvider(scale);
  try {
    const server = await startServer(provider.settings);
    try {
      const context = await browser.newContext();
      await signIn(await context.newPage(), server);
      const dataset = await seedDataset(context.request, server);
      const cookies = await context.cookies();
      await context.close();
      await use({ ...server, provider, dataset, cookies });
    } finally {
      await server.stop();
    }
  } finally {
    await provider.stop();
  }
}

/** Opens an address that signs in. */
export async function signIn(page: Page, server: Server): Promise<void> {
  await page.goto(server.loginUrl);
  await expect(page.getByRole("heading", { level: 1, name: "Jobs" })).toBeVisible();
}

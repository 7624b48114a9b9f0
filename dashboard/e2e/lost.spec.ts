// A server that cannot be reached for a while, or that takes its time.
import { checkAccessibility, checkLooks } from "./checks";
import { expect, test } from "./fixtures";
import { Line } from "./line";

const MODELS = /\/api\/v1\/models(\?|$)/;

test("a lost server is told without covering anything, and a page comes by itself once it is back", async ({
  page,
  context,
  server,
}) => {
  test.setTimeout(120_000);
  await context.addCookies(server.cookies);
  const line = await Line.to(server);
  await page.goto(`${line.url}/datasets`);
  await expect(page.getByRole("heading", { level: 1, name: "Datasets" })).toBeVisible();
  // The next page's code is there; only its data will be missing.
  await page.route(MODELS, (route) => route.abort());
  const code = page.waitForResponse(/_app\.models\.index-.*\.js$/);
  await page.getByRole("link", { name: "Models" }).hover();
  await code;
  await page.mouse.move(0, 0);

  await line.cut();
  await page.unroute(MODELS);
  const told = page.getByRole("status").filter({ hasText: "The server cannot be reached. Trying again…" });
  await expect(told).toBeVisible();
  await page.setViewportSize({ width: 390, height: 844 });
  const [notice, search] = [
    await told.boundingBox(),
    await page.getByRole("button", { name: "Search" }).boundingBox(),
  ];
  expect(notice?.y, "the notice is below the bar").toBeGreaterThanOrEqual(
    (search?.y ?? 0) + (search?.height ?? 0),
  );
  await page.setViewportSize({ width: 1360, height: 860 });

  await page.getByRole("link", { name: "Models" }).click();
  await expect(page.getByRole("alert")).toContainText("This page cannot be shown");
  await expect(told).toBeVisible();
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await checkLooks(page, `lost-${theme}`);
  }
  await line.mend();
  await expect(page.getByRole("heading", { level: 1, name: "Models" })).toBeVisible({ timeout: 30_000 });
  await expect(told).toHaveCount(0);
  await line.cut();
});

test("a page that takes its time says so", async ({ app: page, server }) => {
  await page.goto(`${server.url}/jobs`);
  await expect(page.getByRole("heading", { level: 1, name: "Jobs" })).toBeVisible();
  let answer = () => {};
  const answered = new Promise<void>((done) => {
    answer = done;
  });
  await page.route("**/api/v1/**", async (route) => {
    await answered;
    await route.continue();
  });
  await page.getByRole("link", { name: "Models" }).click();
  const loading = page.getByRole("main").getByRole("status");
  await expect(loading).toHaveText("Loading…");
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.screenshot({ path: `test-results/pages/loading-${theme}.png` });
    await checkAccessibility(page);
  }
  answer();
  await expect(page.getByRole("heading", { level: 1, name: "Models" })).toBeVisible();
  await expect(loading).toHaveCount(0);
});

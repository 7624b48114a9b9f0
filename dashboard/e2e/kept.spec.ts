// Nothing that a person typed, dropped or clicked is lost, or done twice.
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { checkAccessibility } from "./checks";
import { expect, test } from "./fixtures";
import { Line } from "./line";
import { drop } from "./page";
import { apiOf, type Server, seedDataset, ZORA } from "./server";

const CREATE = /\/api\/v1\/jobs$/;

/** Photographs what was changed, in both themes and from a phone to a large screen. */
async function look(page: Page, name: string): Promise<void> {
  for (const [theme, width, height] of [
    ["light", 1360, 860],
    ["dark", 390, 844],
  ] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height });
    await page.screenshot({ path: `test-results/pages/${name}-${theme}.png` });
    await checkAccessibility(page);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1360, height: 860 });
}

/** Other tests use the same server. */
async function forget(page: Page, server: Server, dataset: string): Promise<void> {
  const { api, headers } = apiOf(page.request, server);
  await page.request.delete(`${api}/datasets/${dataset}`, { headers });
}

async function captionOf(page: Page, server: Server, dataset: string, file: string): Promise<string> {
  const { items } = await apiOf(page.request, server).get(`/datasets/${dataset}/items?limit=100`);
  return items.find((item: { file_name: string }) => item.file_name === file).caption;
}

test("a double click and a lost answer make one job, and Enter makes none", async ({ app: page, server }) => {
  const { get, post } = apiOf(page.request, server);
  const keys: (string | undefined)[] = [];
  let isLost = true;
  await page.route(CREATE, async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    keys.push((await route.request().allHeaders())["idempotency-key"]);
    const response = await route.fetch();
    if (!isLost) return route.fulfill({ response });
    // The server has made it, and nobody hears of it.
    isLost = false;
    return route.abort();
  });
  await page.goto(`${server.url}/jobs/new?dataset=${server.seeded.dataset}`);
  const name = page.getByLabel("Name");
  await name.fill("Clicked twice");
  const start = page.getByRole("button", { name: "Start training" });
  await expect(start).toBeEnabled();
  await name.press("Enter");
  await page.getByLabel("Steps", { exact: true }).press("Enter");
  await start.dblclick();
  await expect(page.getByText("no second job will be created").first()).toBeVisible();
  await expect(name).toHaveValue("Clicked twice");
  // As if the browser had been closed over it.
  await page.reload();
  await expect(name).toHaveValue("Clicked twice");
  await expect(start).toBeEnabled();
  await start.dblclick();
  await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}/);
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBeTruthy();
  expect(keys[1]).toBe(keys[0]);
  const { items } = await get("/jobs?limit=100");
  const made = items.filter((job: { recipe: { name: string } }) => job.recipe.name === "Clicked twice");
  expect(made).toHaveLength(1);
  await post(`/jobs/${made[0].id}/cancel`, {});
  // What was sent is not offered again.
  await page.goto(`${server.url}/jobs/new?dataset=${server.seeded.dataset}`);
  await expect(name).toHaveValue("Zora");
});

test("the job form survives leaving, reloading and signing in again, until it is discarded", async ({
  app: page,
  context,
  server,
}) => {
  const form = `${server.url}/jobs/new?dataset=${server.seeded.dataset}`;
  await page.goto(form);
  await page.getByLabel("Name").fill("Half typed");
  await page.getByLabel("Sample prompts").fill("zora on a roof");
  await page.getByLabel("Rank", { exact: true }).fill("12");
  const isThere = async () => {
    await expect(page.getByLabel("Name")).toHaveValue("Half typed");
    await expect(page.getByLabel("Sample prompts")).toHaveValue("zora on a roof");
    await expect(page.getByLabel("Rank", { exact: true })).toHaveValue("12");
  };
  await page.getByRole("link", { name: "Models" }).first().click();
  await expect(page.getByRole("heading", { level: 1, name: "Models" })).toBeVisible();
  await page.goBack();
  await isThere();
  await context.clearCookies();
  await page.reload();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Sign in to Morpheus");
  await context.addCookies(server.cookies);
  await page.goto(form);
  await isThere();
  await look(page, "job-form-restored");
  await page.getByRole("button", { name: "Discard" }).click();
  await expect(page.getByLabel("Name")).toHaveValue("Zora");
  await page.reload();
  await expect(page.getByLabel("Name")).toHaveValue("Zora");
  await expect(page.getByText("did not submit it")).toHaveCount(0);
});

test("the playground and the dialogs keep what was typed, and Enter there starts nothing", async ({
  app: page,
  server,
}) => {
  const posted: string[] = [];
  page.on("request", (request) => {
    // Counting tokens makes nothing.
    const isCount = request.url().endsWith("/prompts/count");
    if (request.method() === "POST" && !isCount) posted.push(request.url());
  });
  await page.goto(`${server.url}/playground`);
  await page.getByLabel("Prompt", { exact: true }).fill("zora in the rain");
  await page.getByLabel("Seed", { exact: true }).press("Enter");
  await page.getByRole("link", { name: "Datasets" }).first().click();
  await page.getByRole("button", { name: "New dataset" }).first().click();
  await page.getByLabel("Name").fill("Max, inked");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await page.getByRole("button", { name: "New dataset" }).first().click();
  await expect(page.getByLabel("Name")).toHaveValue("Max, inked");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("link", { name: "Playground" }).first().click();
  await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("zora in the rain");
  await page.getByRole("button", { name: "Start over" }).click();
  await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("");
  expect(posted).toEqual([]);
});

test("captions survive a lost server, a reload, and somebody else's change", async ({
  page,
  context,
  server,
}) => {
  await context.addCookies(server.cookies);
  const line = await Line.to(server);
  const dataset = await seedDataset(page.request, server);
  const field = (file: string, of = page) => of.getByLabel(`Caption of ${file}`);
  await page.goto(`${line.url}/datasets/${dataset}`);

  await test.step("what was typed while the server was away is saved afterwards", async () => {
    await expect(field("000.png")).toBeVisible();
    await line.cut();
    await field("000.png").fill("typed in the dark");
    await field("000.png").press("Enter");
    await expect(page.getByText("Not saved. Trying again…")).toBeVisible();
    await expect(field("000.png")).toHaveValue("typed in the dark");
    await look(page, "caption-waiting");
    await line.mend();
    await expect(page.getByText("Saved", { exact: true })).toBeVisible({ timeout: 30_000 });
    expect(await captionOf(page, server, dataset, "000.png")).toBe("typed in the dark");
  });

  await test.step("what was being typed is there after a reload, and saved", async () => {
    await field("001.png").fill("half a sent");
    await page.reload();
    await expect(field("001.png")).toHaveValue("half a sent");
    await expect.poll(() => captionOf(page, server, dataset, "001.png")).toBe("half a sent");
  });

  await test.step("another tab's caption is not overwritten unseen", async () => {
    const other = await context.newPage();
    await other.goto(`${line.url}/datasets/${dataset}`);
    await field("002.png").fill("mine");
    await field("002.png", other).fill("theirs");
    await field("002.png", other).press("Enter");
    await field("002.png").press("Enter");
    const [here, there] = [
      page.getByRole("region", { name: "Two captions of 002.png" }),
      other.getByRole("region", { name: "Two captions of 002.png" }),
    ];
    // Whichever of both was second is asked.
    await expect.poll(async () => (await here.count()) + (await there.count())).toBe(1);
    const isHere = (await here.count()) === 1;
    const [asked, wanted] = isHere ? [page, "mine"] : [other, "theirs"];
    await expect(field("002.png", asked)).toHaveValue(wanted);
    await look(asked, "caption-conflict");
    await asked.getByRole("button", { name: "Keep mine" }).click();
    await expect.poll(() => captionOf(page, server, dataset, "002.png")).toBe(wanted);
    await other.close();
  });
  await line.cut();
  await forget(page, server, dataset);
});

test("a file is taken wherever it is dropped on a dataset, and opened nowhere", async ({
  app: page,
  server,
}) => {
  const picture = join(ZORA, "000.png");
  await page.goto(`${server.url}/jobs`);
  await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
  await drop(page, page.getByRole("heading", { level: 1, name: "Jobs" }), [picture]);
  await expect(page.getByText("Nothing was added", { exact: true })).toBeVisible();
  await expect(page).toHaveURL(`${server.url}/jobs`);

  const { id } = await apiOf(page.request, server).post("/datasets", { name: "Dropped beside" });
  const line = await Line.to(server);
  await page.goto(`${line.url}/datasets/${id}`);
  const heading = page.getByRole("heading", { level: 1, name: "Dropped beside" });
  await heading.waitFor();
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [picture], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver"] as const) {
    await session.send("Input.dispatchDragEvent", { type, x: 40, y: 40, data });
  }
  await expect(page.getByText("Drop to add to Dropped beside")).toBeVisible();
  await page.screenshot({ path: "test-results/pages/drop-overlay.png" });

  await line.cut();
  await drop(page, heading, [picture]);
  await expect(page.getByText("1 file not uploaded")).toBeVisible();
  await look(page, "upload-broken");
  await line.mend();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("1 picture · ")).toBeVisible();
  await line.cut();
  await forget(page, server, id);
});

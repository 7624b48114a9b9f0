// Settings in the job form: from other trainers and to them, presets of one's own, a LoRA to start from, and how the
// form looks with everything open.
import { readFile } from "node:fs/promises";
import type { Download, Page } from "@playwright/test";
import { checkAccessibility, checkLooks, settled } from "./checks";
import { expect, test } from "./fixtures";
import { loraFile } from "./safetensors";
import { apiOf, type Server } from "./server";

const form = ({ url, seeded }: Server & { seeded: { dataset: string } }) =>
  `${url}/jobs/new?dataset=${seeded.dataset}`;

/** The text of what a click saves. */
async function saved(page: Page, click: () => Promise<void>): Promise<{ name: string; text: string }> {
  const downloading: Promise<Download> = page.waitForEvent("download");
  await click();
  const download = await downloading;
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
}

test("settings leave a job for other trainers, and come back into the form", async ({
  app: page,
  server,
}) => {
  const { recipe } = await apiOf(page.request, server).get(`/jobs/${server.seeded.job}`);
  const { rank, n_steps, batch_size } = recipe.parameters;
  await page.goto(`${server.url}/jobs/${server.seeded.job}?tab=configuration`);
  const panel = page.getByRole("region", { name: "Use these settings elsewhere" });
  const save = () => panel.getByRole("button", { name: "Save as a file" }).click();
  const toml = await saved(page, save);
  expect(toml.name).toMatch(/\.toml$/);
  expect(toml.text).toContain(`network_dim = ${rank}\n`);
  const leftOut = panel.getByRole("list", { name: "Left out" });
  await expect(leftOut.or(panel.getByText("Everything has a counterpart."))).toBeVisible();
  await panel.getByLabel("Other trainer").click();
  await page.getByRole("option", { name: "kohya_ss, JSON" }).click();
  const kohya = await saved(page, save);
  expect(JSON.parse(kohya.text)).toMatchObject({ network_dim: rank, train_batch_size: batch_size });

  await page.goto(form(server));
  const field = (name: string) => page.getByLabel(name, { exact: true });
  const dialog = page.getByRole("dialog", { name: "Import settings" });
  const open = () => page.getByRole("button", { name: "Import settings…" }).click();
  const use = () => dialog.getByRole("button", { name: "Use these settings" }).click();

  await test.step("of a TOML file: what has no counterpart is listed first", async () => {
    await open();
    await dialog.getByLabel("Settings").fill(`frobnicate = 7\n${toml.text}`);
    await dialog.getByRole("button", { name: "Read" }).click();
    await expect(dialog.getByRole("list", { name: "Left out" })).toContainText("frobnicate = 7");
    await checkAccessibility(page);
    await use();
    await expect(dialog).toBeHidden();
    await expect(field("Rank")).toHaveValue(String(rank));
    await expect(field("Steps")).toHaveValue(String(n_steps));
    await expect(field("Batch size")).toHaveValue(String(batch_size));
  });

  await test.step("of a JSON file, with another rank", async () => {
    await open();
    const text = JSON.stringify({ ...JSON.parse(kohya.text), network_dim: 12 });
    const file = { name: "zora.json", mimeType: "application/json", buffer: Buffer.from(text) };
    await dialog.getByLabel("Choose a file").setInputFiles(file);
    await expect(dialog.getByLabel("Settings")).toHaveValue(text);
    await dialog.getByRole("button", { name: "Read" }).click();
    await use();
    await expect(field("Rank")).toHaveValue("12");
    await expect(page.getByRole("button", { name: "Start training" })).toBeEnabled();
  });

  await test.step("what is neither is refused at its field", async () => {
    await open();
    await dialog.getByLabel("Settings").fill("<html>");
    await dialog.getByRole("button", { name: "Read" }).click();
    await expect(dialog.getByRole("alert")).toBeVisible();
    await dialog.getByLabel("Settings").fill("");
    await expect(dialog.getByRole("alert")).toBeHidden();
  });
});

test("a preset is saved from a job, used, shared as a file and brought back", async ({
  app: page,
  server,
}) => {
  await page.goto(`${server.url}/jobs/${server.seeded.job}?tab=configuration`);
  await page.getByLabel("Name of the preset").fill("My inks");
  await page.getByRole("button", { name: "Save as a preset" }).click();
  await expect(page.getByText("My inks is among your presets").first()).toBeVisible();

  await page.goto(form(server));
  const mine = page.getByRole("group", { name: "Your presets" });
  const preset = mine.getByRole("listitem").filter({ hasText: "My inks" });
  await preset.getByRole("button", { name: "Use", exact: true }).click();
  await expect(page.getByLabel("Steps", { exact: true })).toHaveValue("12");
  await expect(page.getByLabel("Batch size", { exact: true })).toHaveValue("2");
  // Each goes back to the preset of the form by itself.
  await page
    .getByRole("group", { name: "Length" })
    .getByRole("button", { name: /^Preset: / })
    .click();
  await expect(page.getByLabel("Steps", { exact: true })).not.toHaveValue("12");
  await expect(page.getByLabel("Batch size", { exact: true })).toHaveValue("2");

  const { name, text } = await saved(page, () =>
    preset.getByRole("button", { name: "Save My inks as a file" }).click(),
  );
  await preset.getByRole("button", { name: "Delete My inks" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete the preset" }).click();
  await expect(preset).toBeHidden();
  const file = (buffer: Buffer) => ({ name, mimeType: "application/json", buffer });
  const input = mine.getByLabel("Add a preset from a file");
  await input.setInputFiles(file(Buffer.from("{}")));
  await expect(page.getByText("The file is not a preset").first()).toBeVisible();
  await input.setInputFiles(file(Buffer.from(text)));
  await expect(preset).toBeVisible();
});

test("a job starts from a LoRA of the library, and a retired one is refused at the field", async ({
  app: page,
  server,
}) => {
  const { api, headers, post, get } = apiOf(page.request, server);
  const buffer = loraFile("unet.");
  const imported = await page.request.post(`${api}/models/import`, {
    headers,
    multipart: {
      base_model: "tiny-xl",
      name: "begun elsewhere",
      file: { name: "begun.safetensors", mimeType: "application/octet-stream", buffer },
    },
  });
  expect(imported.ok(), await imported.text()).toBe(true);
  await page.goto(form(server));
  const network = page.locator("summary").filter({ has: page.getByText("Network", { exact: true }) });
  const start = page.getByLabel("Start from", { exact: true });
  await network.click();
  await start.click();
  await page.getByRole("option", { name: "begun elsewhere v1" }).click();
  await expect(network).toContainText("1 changed");
  await expect(page.getByRole("button", { name: "Start training" })).toBeEnabled();

  await test.step("once it is retired, the server's words are at the field", async () => {
    await post(`/model-versions/${(await imported.json()).id}/retire`, {});
    // The form asks again when something changes.
    await page.getByLabel("Name", { exact: true }).fill("Zora once more");
    await expect(page.getByRole("alert")).toHaveText("This model version is retired: choose another.");
    await expect(start).toHaveAttribute("aria-invalid", "true");
    await expect(network).toContainText("1 to correct");
    await page.getByRole("button", { name: "Preset: none" }).click();
    await expect(start).toHaveText("None");
    await expect(page.getByRole("alert")).toBeHidden();
    await expect(network).not.toContainText("changed");
  });

  await start.click();
  await page.getByRole("option", { name: /^Zora v1/ }).click();
  await page.getByRole("button", { name: "Start training" }).click();
  await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}/);
  const job = new URL(page.url()).pathname.split("/").at(-1);
  expect((await get(`/jobs/${job}`)).recipe.start_from).toBe(server.seeded.version);
  await post(`/jobs/${job}/cancel`, {});
  await page.goto(`${server.url}/jobs/${job}?tab=configuration`);
  await expect(page.getByRole("link", { name: "Zora v1" })).toBeVisible();
});

test("the job form fits with every group open, and its button stays in view beside it", async ({
  app: page,
  server,
  browser,
}) => {
  test.setTimeout(120_000);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto(form(server));
  const groups = page.getByRole("main").locator("details:has(> summary):has([role=combobox], input)");
  // They come with the presets.
  await expect(groups.nth(5)).toBeAttached();
  const closed = await groups.count();
  expect(closed).toBeGreaterThan(5);
  for (let n = 0; n < closed; n++) await groups.nth(n).locator("> summary").click();
  await checkLooks(page, "new-job-open");

  await page.setViewportSize({ width: 1024, height: 768 });
  await page.getByLabel("Priority").scrollIntoViewIfNeeded();
  const card = page.getByRole("region", { name: "This job" });
  await expect(card).toBeInViewport({ ratio: 1 });
  await expect(card.getByRole("button", { name: "Start training" })).toBeInViewport({ ratio: 1 });
  await page.screenshot({ path: "test-results/pages/new-job-1024.png" });

  // A phone zooms into a field with smaller letters.
  const phone = await browser.newContext({
    viewport: { width: 390, height: 844 },
    isMobile: true,
    hasTouch: true,
  });
  await phone.addCookies(server.cookies);
  const small = await phone.newPage();
  await small.goto(form(server));
  await settled(small);
  const sizes = await small
    .locator("input:not([type=radio], [type=checkbox]), textarea, select")
    .evaluateAll((fields) => fields.map((field) => Number.parseFloat(getComputedStyle(field).fontSize)));
  expect(sizes.length).toBeGreaterThan(20);
  expect(Math.min(...sizes)).toBeGreaterThanOrEqual(16);
  await phone.close();
});

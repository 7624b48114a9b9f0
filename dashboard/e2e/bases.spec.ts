// Base models: registered by a path, checked, used, and removed again.
import { join } from "node:path";
import type { Locator, Page } from "@playwright/test";
import { checkLooks } from "./checks";
import { expect, test } from "./fixtures";
import { TINY_XL, ZORA } from "./server";

const VAE = join(TINY_XL, "vae/diffusion_pytorch_model.safetensors");
const THEMES = ["light", "dark"] as const;

test("a base model is registered by its path, makes a picture, and is removed", async ({
  app: page,
  server,
}) => {
  test.setTimeout(180_000);
  await page.goto(`${server.url}/playground`);
  await page.getByRole("link", { name: "Add a base model" }).click();
  await expect(page).toHaveURL(/\/settings#base-models$/);
  const panel = page.getByRole("region", { name: "Base models" });
  await expect(panel).toBeInViewport();

  await test.step("what the server would refuse is said before it is sent", async () => {
    await panel.getByLabel("Name").fill("two words");
    await panel.getByLabel("Path").fill("models/sdxl.safetensors");
    await expect(panel.getByText("Use 1 to 80 letters")).toBeVisible();
    await expect(panel.getByText("Enter an absolute path")).toBeVisible();
    await expect(panel.getByRole("button", { name: "Add and check" })).toBeDisabled();
  });

  await test.step("a path outside of the folders that the settings allow is refused at its field", async () => {
    await register(panel, "outside", "/etc/passwd");
    await expect(
      panel.getByText(/not in a folder that is allowed for base models.*--base-folder/),
    ).toBeVisible();
    await expect(panel.getByLabel("Path")).toHaveAttribute("aria-invalid", "true");
  });

  await test.step("a path that does not exist, and a file that is no model, fail with the reason", async () => {
    const missing = join(TINY_XL, "there-is-no-such-file.safetensors");
    await register(panel, "missing", missing);
    const row = rowOf(panel, "missing");
    await expect(row).toContainText("Failed");
    await expect(row.getByRole("alert")).toContainText("there-is-no-such-file.safetensors");

    await register(panel, "picture", join(ZORA, "000.png"));
    await expect(rowOf(panel, "picture").getByRole("alert")).toContainText("is a PNG picture");
    await expect(rowOf(panel, "picture")).toContainText("Failed");
  });

  await test.step("a part of a model is not taken for one", async () => {
    await register(panel, "part", join(TINY_XL, "unet"));
    await expect(rowOf(panel, "part")).toContainText("Failed");
    await expect(rowOf(panel, "part").getByRole("alert")).toContainText(/unet/);
  });

  await test.step("a good one becomes ready", async () => {
    await register(panel, "zora-base", TINY_XL);
    const row = rowOf(panel, "zora-base");
    await expect(row).toContainText("Ready", { timeout: 30_000 });
    await expect(row).toContainText(/Tiny SDXL · \d+ px · .* MB · \d+ files · this server only/);
    await expect(row).toContainText(TINY_XL);
  });

  await test.step("its prediction and VAE are set, and it is checked again", async () => {
    const row = rowOf(panel, "zora-base");
    await expect(row).toContainText(/px · epsilon ·/);
    await row.getByRole("button", { name: "Set the prediction and VAE of zora-base" }).click();
    const form = row.getByRole("form", { name: "Prediction and VAE of zora-base" });
    await expect(form).toContainText("as scheduler_config.json says");
    await form.getByLabel("Prediction").click();
    await page.getByRole("option", { name: "Rectified flow" }).click();
    await form.getByLabel("VAE").fill("hf:a/b");
    await expect(form.getByRole("alert")).toContainText("Name the file of the VAE");
    await form.getByLabel("VAE").fill("/etc/passwd");
    await form.getByRole("button", { name: "Save and check" }).click();
    await expect(form.getByRole("alert")).toContainText("not in a folder that is allowed");
    await form.getByLabel("VAE").fill(VAE);
    await form.getByRole("button", { name: "Save and check" }).click();
    await expect(row.getByRole("form")).toBeHidden();
    await expect(row).toContainText("rectified flow (set by hand)");
    await expect(row).toContainText("VAE");
    // It was measured once, on this machine, and the owner has said something else.
    const notes = row.getByRole("list", { name: "Notes on zora-base" });
    await expect(notes).toContainText(
      "The setting says rectified flow, but it behaves like epsilon; it is taken as rectified flow.",
      { timeout: 60_000 },
    );
    await checkLooks(page, "base-models-notes");
    await row.getByRole("button", { name: "Set the prediction and VAE of zora-base" }).click();
    await row.getByRole("form").getByLabel("Prediction").click();
    await page.getByRole("option", { name: "As its files say" }).click();
    await row.getByRole("form").getByLabel("VAE").fill("");
    await row.getByRole("button", { name: "Save and check" }).click();
    await expect(notes).toBeHidden();
    await expect(row).toContainText("Ready", { timeout: 60_000 });
  });

  await test.step("one is added with a prediction and a VAE of its own", async () => {
    await panel.getByLabel("Prediction", { exact: true }).click();
    await page.getByRole("option", { name: "V-prediction", exact: true }).click();
    const vae = panel.getByLabel("VAE, if not its own");
    await vae.fill("/etc/passwd");
    await register(panel, "own-vae", TINY_XL);
    await expect(panel.getByRole("alert").filter({ hasText: "not in a folder" })).toBeVisible();
    await expect(vae).toHaveAttribute("aria-invalid", "true");
    await vae.fill(VAE);
    await expect(vae).not.toHaveAttribute("aria-invalid");
    await panel.getByRole("button", { name: "Add and check" }).click();
    const row = rowOf(panel, "own-vae");
    await expect(row).toContainText("v-prediction (set by hand)", { timeout: 30_000 });
    await expect(row).toContainText(VAE);
    await expect(vae).toHaveValue("");
    await expect(panel.getByLabel("Prediction", { exact: true })).toHaveText("As its files say");
  });

  await test.step("a name is taken once", async () => {
    await register(panel, "zora-base", TINY_XL);
    await expect(panel.getByText("the base model zora-base already exists")).toBeVisible();
    await expect(panel.getByLabel("Name")).toHaveAttribute("aria-invalid", "true");
    await panel.getByLabel("Name").fill("");
    await panel.getByLabel("Path").fill("");
  });

  for (const theme of THEMES) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await checkLooks(page, `base-models-${theme}`);
  }
  for (const [kind, field] of [
    ["Web address", "Address"],
    ["Hugging Face", "Repository"],
  ] as const) {
    await panel.getByRole("button", { name: kind }).click();
    await expect(panel.getByLabel(field)).toBeVisible();
    await checkLooks(page, `base-models-${field.toLowerCase()}`);
  }

  await test.step("it is checked again, and copied into the object store", async () => {
    const row = rowOf(panel, "zora-base");
    const checked = page.waitForResponse((answer) => answer.url().endsWith("/zora-base/check"));
    await row.getByRole("button", { name: "Check zora-base again" }).click();
    expect((await checked).status()).toBe(202);
    await expect(row).toContainText("Ready", { timeout: 30_000 });
    const before = new Set(await server.storage.keys());
    await row.getByRole("button", { name: "Copy zora-base to the object store" }).click();
    await expect(row).toContainText("every machine can use it · in the object store", { timeout: 30_000 });
    await expect(row.getByRole("button", { name: "Copy zora-base to the object store" })).toBeHidden();
    expect((await server.storage.keys()).filter((key) => !before.has(key)).length).toBeGreaterThan(1);
  });

  await test.step("the playground makes a picture with it", async () => {
    await page.setViewportSize({ width: 1360, height: 860 });
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Playground" }).click();
    await expect(page.getByRole("link", { name: "Add a base model" })).toBeHidden();
    await page.getByLabel("Base model").click();
    await page.getByRole("option", { name: "zora-base" }).click();
    await page.getByRole("textbox", { name: "Prompt", exact: true }).fill("pixel art portrait of zora");
    const asked = page.waitForRequest(
      (request) => request.method() === "POST" && request.url().endsWith("/api/v1/generations"),
    );
    await page.getByRole("button", { name: "Generate" }).click();
    expect((await asked).postDataJSON()).toMatchObject({ base_model: "zora-base" });
    await expect(
      page.getByRole("main").getByRole("img", { name: "pixel art portrait of zora" }).first(),
    ).toBeVisible({
      timeout: 90_000,
    });
  });

  await test.step("it is removed, and no form offers it", async () => {
    await page.goto(`${server.url}/settings#base-models`);
    for (const name of ["zora-base", "own-vae", "missing", "picture", "part"]) {
      await panel.getByRole("button", { name: `Remove ${name}` }).click();
      await page.getByRole("alertdialog").getByRole("button", { name: "Remove" }).click();
      await expect(rowOf(panel, name)).toBeHidden();
    }
    await page.goto(`${server.url}/jobs/new?dataset=${server.seeded.dataset}`);
    await page.getByLabel("Base model").click();
    await expect(page.getByRole("option")).toHaveText([/tiny-xl/]);
  });
});

test("a form that is open offers a base model as soon as it can be used", async ({ app: page, server }) => {
  await page.goto(`${server.url}/jobs/new?dataset=${server.seeded.dataset}`);
  await expect(page.getByRole("link", { name: "Add a base model" })).toBeVisible();
  const answer = await page.request.post(`${server.url}/api/v1/registered-base-models`, {
    headers: { origin: server.url },
    data: { name: "just-in-time", source: TINY_XL },
  });
  expect(answer.ok(), await answer.text()).toBe(true);
  // As when somebody comes back from another tab.
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange", { bubbles: true })));
  await expect(page.getByRole("link", { name: /base model|just-in-time/ })).toBeHidden({ timeout: 30_000 });
  await page.getByLabel("Base model").click();
  await page.getByRole("option", { name: "just-in-time" }).click();
  await expect(page.getByRole("button", { name: "Start training" })).toBeEnabled();
  await removeThroughApi(page, server.url, "just-in-time");
});

test("a base that only the server can read is refused for machines elsewhere, at its field", async ({
  page,
  context,
  renting,
}) => {
  test.setTimeout(120_000);
  await context.addCookies(renting.cookies);
  await page.goto(`${renting.url}/settings`);
  const panel = page.getByRole("region", { name: "Base models" });
  await register(panel, "only-here", TINY_XL);
  await expect(rowOf(panel, "only-here")).toContainText("Ready", { timeout: 30_000 });

  await page.goto(`${renting.url}/jobs/new?dataset=${renting.dataset}`);
  await page.getByLabel("Base model").click();
  await page.getByRole("option", { name: "only-here" }).click();
  const where = page.getByRole("region", { name: "Where it runs" });
  await where.getByText("RunPod").click();
  const words = "copy it to the object store first (Settings, Base models)";
  const field = page.getByRole("region", { name: "Data and model" });
  await expect(field.getByRole("alert")).toContainText(words);
  await expect(page.getByRole("button", { name: "Start training" })).toBeDisabled();
  await checkLooks(page, "base-model-not-fetchable");

  await where.getByText("This machine").click();
  await expect(field.getByRole("alert")).toBeHidden();

  await removeThroughApi(page, renting.url, "only-here");
});

function rowOf(panel: Locator, name: string): Locator {
  return panel.getByRole("listitem", { name, exact: true });
}

async function register(panel: Locator, name: string, path: string): Promise<void> {
  await panel.getByLabel("Name").fill(name);
  await panel.getByLabel("Path").fill(path);
  await panel.getByRole("button", { name: "Add and check" }).click();
}

/** The server is shared with the tests that follow. */
async function removeThroughApi(page: Page, url: string, name: string): Promise<void> {
  const answer = await page.request.delete(`${url}/api/v1/registered-base-models/${name}`, {
    headers: { origin: url },
  });
  expect(answer.ok()).toBe(true);
}

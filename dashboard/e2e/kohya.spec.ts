// The Kohya engine from the form to the model, with a program in place of sd-scripts that says what it says.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Locator, Page } from "@playwright/test";
import { checkLooks } from "./checks";
import { expect, signIn, test } from "./fixtures";
import { bars, replaySdScripts } from "./kohya";
import { curve } from "./page";
import { seedDataset, startServer, ZORA } from "./server";

const LOSSES = [0.21, 0.187, 0.171, 0.16, 0.152, 0.146, 0.141, 0.137];
const PROMPT = "lorelei ink comic portrait of zora";
const STATE = [
  "train_state.json",
  "model.safetensors",
  "optimizer.bin",
  "scheduler.bin",
  "random_states_0.pkl",
];

test("sd-scripts trains a model, and what goes wrong with it is told in words", async ({
  page,
  app,
  server: { url, seeded },
}) => {
  test.setTimeout(300_000);
  // A real LoRA of the base, as sd-scripts would leave it.
  const trained = await app.request.get(`${url}/api/v1/model-versions/${seeded.version}/download`);
  expect(trained.ok()).toBe(true);
  const scripts = await replaySdScripts();
  const lora = await scripts.file("trained.safetensors", await trained.body());
  const any = await scripts.file("any", "any");
  const sample = await scripts.file("sample.png", await readFile(join(ZORA, "000.png")));
  const state = (name: string) =>
    STATE.map((file): [string, string] => [file === "model.safetensors" ? lora : any, `${name}/${file}`]);

  const server = await startServer(scripts.settings);
  try {
    await signIn(page, server);
    const dataset = await seedDataset(page.request, server);
    const progress = page.getByRole("region", { name: "Progress", exact: true });

    await test.step("a good run: a live curve, a sample, a model version", async () => {
      await scripts.play({
        out: "caching latents with caching strategy.\n\nepoch 1/1\nmodel saved.\n",
        err: bars(LOSSES),
        pause_ms: 1000,
        files: [
          [lora, "NAME.safetensors"],
          [lora, "NAME-step00000004.safetensors"],
          [sample, "sample/NAME_000004_00_20261122124900_42.png"],
          ...state("NAME-step00000004-state"),
          ...state("NAME-state"),
        ],
      });
      await startKohyaJob(page, server.url, dataset, "zora, by sd-scripts");
      const chart = page.getByRole("img", { name: /^Training loss/ });
      await expect(chart).toBeVisible({ timeout: 60_000 });
      const curves = new Set<string>();
      // The page is not loaded again: the stream alone moves the curve.
      await expect
        .poll(async () => curves.add(await curve(chart)).size, { intervals: [200], timeout: 60_000 })
        .toBeGreaterThan(2);
      await expect(progress).toContainText("Succeeded", { timeout: 90_000 });
      await expect(figure(progress, "Step")).toHaveText("8 / 8");
      await expect(figure(progress, "Current loss")).toHaveText("0.1370");
      const options = await scripts.options(0);
      expect(options[options.indexOf("--max_train_steps") + 1]).toBe("8");

      await page.getByRole("tab", { name: "Samples" }).click();
      const samples = page.getByRole("region", { name: "Samples by prompt and step" });
      await expect(samples.getByRole("columnheader", { name: "Step 4" })).toBeVisible();
      await expect(samples.getByRole("button", { name: new RegExp(PROMPT) })).toBeVisible();
      await page.getByRole("tab", { name: "Configuration" }).click();
      await expect(page.getByRole("tabpanel")).toContainText(/kohya/i);
      await page.getByRole("link", { name: "Open model" }).click();
      await expect(page.getByRole("heading", { level: 1 })).toHaveText("zora, by sd-scripts");
      await expect(page.getByRole("region", { name: "Verdict" })).toBeVisible();
    });

    await test.step("losses that are no numbers end it at once", async () => {
      await scripts.play({ err: bars([0.2, "nan", "nan", "nan", "nan", "nan", "nan", "nan"]), stays: true });
      await startKohyaJob(page, server.url, dataset, "zora, of NaN");
      await expect(progress).toContainText("Failed", { timeout: 90_000 });
      await expect(progress).toContainText("The loss is not a number (NaN) since step");
      await expect(page.getByRole("link", { name: "Open model" })).toHaveCount(0);
    });

    await test.step("a run that ends well but without a model fails, with the lines that tell why", async () => {
      const last = [
        "Exception ignored in: <function _writer at 0x7f1c>",
        "RuntimeError: the writer was closed too early",
      ];
      await scripts.play({
        err: `${bars(LOSSES)}\n${last.join("\n")}\n`,
        files: [[lora, "NAME.safetensors"]],
      });
      await startKohyaJob(page, server.url, dataset, "zora, without a file");
      await expect(progress).toContainText("Failed", { timeout: 90_000 });
      await expect(progress).toContainText(
        "sd-scripts ended without an error, but it did not report that the model was saved; its output:",
      );
      const said = progress.locator("pre");
      await expect(said).toContainText(last.join("\n"));
      for (const theme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
        await checkLooks(page, `kohya-failed-${theme}`);
      }
      await expect(page.getByRole("link", { name: "Open model" })).toHaveCount(0);
    });
  } finally {
    await server.stop();
    await scripts.remove();
  }
});

async function startKohyaJob(page: Page, url: string, dataset: string, name: string): Promise<void> {
  await page.setViewportSize({ width: 1360, height: 860 });
  await page.goto(`${url}/jobs/new?dataset=${dataset}`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Engine").click();
  await page.getByRole("option", { name: "Kohya" }).click();
  await page.getByLabel("Steps", { exact: true }).fill(String(LOSSES.length));
  await page.getByLabel("Sample prompts").fill(PROMPT);
  await page.locator("summary", { hasText: "Samples" }).click();
  await page.getByLabel("Sample every n steps").fill("4");
  await page.getByLabel("Checkpoint every n steps").fill("4");
  await page.getByRole("button", { name: "Start training" }).click();
  await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}/);
}

function figure(progress: Locator, label: string): Locator {
  return progress
    .locator("div")
    .filter({ has: progress.page().getByText(label, { exact: true }) })
    .locator("dd")
    .last();
}

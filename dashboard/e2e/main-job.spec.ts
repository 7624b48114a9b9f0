// The main job, as a person does it: pictures in, training watched, LoRA out, pictures made with it.
import { readFile, writeFile } from "node:fs/promises";
import type { Locator, Page } from "@playwright/test";
import { expect, test } from "./fixtures";
import { filesOf, ZORA } from "./server";

const N_STEPS = 40;

test("drop pictures, train, watch, download, and draw with the LoRA", async ({ app: page, server }) => {
  test.setTimeout(300_000);
  await page.goto(`${server.url}/datasets`);

  await test.step("drop pictures on a new dataset", async () => {
    await page.getByRole("button", { name: "New dataset" }).first().click();
    await page.getByLabel("Name").fill("Zora, dropped");
    await page.getByRole("button", { name: "Create and add pictures" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Zora, dropped");
    const wrong = test.info().outputPath("not-a-picture.png");
    await writeFile(wrong, "this is text");
    await drop(page, page.getByTestId("dropzone"), [...(await filesOf(ZORA)), wrong]);
    await expect(page.getByText("16 pictures · 16 captioned")).toBeVisible();
    const refused = page.getByRole("alert", { name: "Refused files" });
    await expect(refused).toContainText("not-a-picture.png");
    await refused.getByRole("button", { name: "Dismiss" }).click();
  });

  await test.step("edit a caption", async () => {
    const caption = page.getByLabel("Caption of 000.png");
    await expect(caption).toHaveValue(/zora/);
    const saved = page.waitForResponse((answer) => answer.request().method() === "PATCH");
    await caption.fill("lorelei ink comic portrait of zora, smiling, sky blue background");
    await caption.press("Enter");
    expect((await saved).ok()).toBe(true);
    await page.reload();
    await expect(page.getByLabel("Caption of 000.png")).toHaveValue(/sky blue/);
  });

  await test.step("submit a job; a wrong value is refused at its field", async () => {
    await page.getByRole("link", { name: "Train on this" }).click();
    await page.getByLabel("Trigger word").fill("zora");
    await page.getByLabel("Rank", { exact: true }).fill("0");
    await expect(page.getByText("must be at least 1")).toBeVisible();
    await expect(page.getByRole("button", { name: "Start training" })).toBeDisabled();
    await page.getByLabel("Rank", { exact: true }).fill("8");
    await page.getByLabel("Steps", { exact: true }).fill(String(N_STEPS));
    await page
      .getByLabel("Sample prompts")
      .fill("lorelei ink comic portrait of zora, smiling, blue background");
    await page.getByText("Advanced").click();
    await page.getByLabel("Sample every n steps").fill("10");
    await expect(
      page
        .getByText("14 pictures")
        .or(page.getByText(/1\d pictures/))
        .first(),
    ).toBeVisible();
    await page.getByRole("button", { name: "Start training" }).click();
    await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}/);
  });

  await test.step("watch the curve, the step and the estimated time move", async () => {
    const progress = page.getByRole("region", { name: "Progress", exact: true });
    const chart = page.getByRole("img", { name: /^Training loss/ });
    await expect(progress.getByText("Done at")).toBeVisible({ timeout: 60_000 });
    await expect(chart).toBeVisible();
    const figures = progress.locator("dl");
    const first = { figures: await figures.textContent(), curve: await picture(chart) };
    expect(first.figures ?? "").toMatch(/\d\d:\d\d\s*in \d+/);
    await expect(async () => {
      expect(await figures.textContent()).not.toBe(first.figures);
      expect(await picture(chart)).not.toBe(first.curve);
    }).toPass({ timeout: 30_000 });
    await expect(page.getByRole("region", { name: "Newest samples" }).getByRole("img").first()).toBeVisible({
      timeout: 60_000,
    });
    await expect(page.getByText("Succeeded").first()).toBeVisible({ timeout: 180_000 });
    await expect(figures).toContainText(`${N_STEPS} / ${N_STEPS}`);
    await expect(page).toHaveTitle(/^Succeeded · Zora, dropped/);
  });

  await test.step("download the LoRA and read its header", async () => {
    await page.getByRole("link", { name: "Open model" }).click();
    await expect(page.getByRole("region", { name: "Verdict" })).toBeVisible();
    const downloading = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download" }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toMatch(/\.safetensors$/);
    const header = safetensorsHeader(await readFile(await download.path()));
    const tensors = Object.keys(header).filter((name) => name !== "__metadata__");
    expect(tensors.length).toBeGreaterThan(100);
    expect(
      tensors.every((name) => /^lora_unet_.*\.(lora_down\.weight|lora_up\.weight|alpha)$/.test(name)),
    ).toBe(true);
    expect(header.__metadata__).toMatchObject({ ss_network_dim: "8" });
  });

  await test.step("draw with and without it", async () => {
    await page.getByRole("link", { name: "Try it" }).click();
    await page.getByLabel("Prompt", { exact: true }).fill("lorelei ink comic portrait of zora, smiling");
    await page.getByRole("button", { name: "Generate" }).click();
    const without = page.getByRole("figure", { name: "Without the LoRA" }).getByRole("img");
    const withLora = page.getByRole("figure", { name: "With the LoRA", exact: true }).getByRole("img");
    await expect(without).toBeVisible({ timeout: 60_000 });
    await expect(withLora).toBeVisible({ timeout: 60_000 });
    expect(await difference(without, withLora)).toBeGreaterThan(0.5);
    await page.screenshot({ path: test.info().outputPath("playground-compared.png") });
  });
});

/** A real drag of files from outside the browser. */
async function drop(page: Page, target: Locator, files: string[]): Promise<void> {
  const box = await target.boundingBox();
  if (!box) throw new Error("the drop target is not visible");
  const session = await page.context().newCDPSession(page);
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await session.send("Input.dispatchDragEvent", { type, ...at, data });
  }
}

/** What a chart shows, as one string. */
function picture(chart: Locator): Promise<string> {
  return chart.locator("canvas").evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
}

/** Mean absolute difference of two pictures, in steps of 1/255. */
async function difference(a: Locator, b: Locator): Promise<number> {
  const other = await b.elementHandle();
  return a.evaluate(async (first: HTMLImageElement, second) => {
    const pixels = async (image: HTMLImageElement) => {
      await image.decode();
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth;
      canvas.height = image.naturalHeight;
      const context = canvas.getContext("2d");
      if (!context) throw new Error("no canvas");
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, canvas.width, canvas.height).data;
    };
    const [x, y] = await Promise.all([pixels(first), pixels(second as HTMLImageElement)]);
    return x.reduce((sum, value, i) => sum + Math.abs(value - (y[i] ?? 0)), 0) / x.length;
  }, other);
}

/** The JSON header of a safetensors file: eight bytes of length, then the header. */
function safetensorsHeader(file: Buffer): Record<string, unknown> {
  const length = Number(file.readBigUInt64LE(0));
  return JSON.parse(file.subarray(8, 8 + length).toString("utf8"));
}

// Files that are made out of others: merged, resized, weighed and converted on the model page, each a link from there.
import { readFile, writeFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { checkLooks } from "./checks";
import { expect, test } from "./fixtures";
import { readSafetensors, writeSafetensors } from "./safetensors";

const MODULE = "lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q";

/** kohya's names for one layer of tiny-xl. */
function lora(rank: number, phase: number): Buffer {
  const half = (name: string, shape: number[]) => ({
    name,
    shape,
    value: (index: number) => Math.sin(index + phase),
  });
  return writeSafetensors([
    half(`${MODULE}.lora_down.weight`, [rank, 128]),
    half(`${MODULE}.lora_up.weight`, [128, rank]),
  ]);
}

async function importLora(page: Page, url: string, name: string, bytes: Buffer): Promise<void> {
  const file = test.info().outputPath(`${name}.safetensors`);
  await writeFile(file, bytes);
  await page.goto(`${url}/models`);
  await page.getByRole("button", { name: "Import a LoRA" }).click();
  const dialog = page.getByRole("dialog", { name: "Import a LoRA" });
  await dialog.getByLabel("LoRA file").setInputFiles(file);
  await dialog.getByRole("button", { name: "Import", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
}

test("a LoRA is merged, resized, weighed and converted on its page", async ({ app: page, server }) => {
  test.setTimeout(300_000);
  await page.setViewportSize({ width: 1360, height: 860 });
  await importLora(page, server.url, "edit-ink", lora(4, 0));
  await importLora(page, server.url, "edit-zora", lora(4, 1));
  const tools = page.getByRole("region", { name: "Make something of it" });
  const made = tools.getByRole("list", { name: "Made of it" });

  await test.step("a merge is a version that says what it was made of", async () => {
    await tools.getByRole("button", { name: "Merge with…" }).click();
    const dialog = page.getByRole("dialog", { name: "Merge edit-zora with…" });
    await expect(dialog.getByRole("button", { name: "Merge", exact: true })).toBeDisabled();
    await dialog.getByRole("combobox", { name: "Add a LoRA" }).click();
    await page.getByRole("option", { name: "edit-ink v1" }).click();
    await dialog.getByRole("combobox", { name: "Method" }).click();
    await page.getByRole("option", { name: "At a smaller rank" }).click();
    await dialog.getByRole("textbox", { name: "Rank" }).fill("0");
    await dialog.getByRole("textbox", { name: "Name" }).fill("edit-both");
    await dialog.getByRole("button", { name: "Merge", exact: true }).click();
    await expect(dialog.getByRole("alert")).toContainText("Must be from 1 to 4096");
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await checkLooks(page, `merge-${theme}`);
    }
    await page.setViewportSize({ width: 1360, height: 860 });
    await dialog.getByRole("textbox", { name: "Rank" }).fill("2");
    await dialog.getByRole("button", { name: "Merge", exact: true }).click();
    await expect(dialog).toBeHidden();
    await made.getByRole("link", { name: "edit-both v1" }).click({ timeout: 60_000 });
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("edit-both");
    const panel = page.getByRole("region", { name: "Made out of others" });
    await expect(panel).toContainText("Made of others, not judged");
    await expect(panel).toContainText("by SVD to rank 2");
    await expect(panel).toContainText("of the change, by its norm");
    await expect(panel.getByRole("link", { name: "edit-ink v1" })).toBeVisible();
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await checkLooks(page, `made-${theme}`);
    }
    await page.setViewportSize({ width: 1360, height: 860 });
    await panel.getByRole("link", { name: "edit-zora v1" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("edit-zora");
  });

  await test.step("a smaller and a weighed one are next versions", async () => {
    await tools.getByRole("button", { name: "Resize…" }).click();
    const resize = page.getByRole("dialog", { name: "Resize edit-zora" });
    await expect(resize).toContainText("It has up to 4 now.");
    await resize.getByRole("textbox", { name: "Largest rank" }).fill("1");
    await resize.getByRole("button", { name: "Resize", exact: true }).click();
    await expect(made.getByRole("link", { name: "edit-zora v2" })).toBeVisible({ timeout: 60_000 });
    await tools.getByRole("button", { name: "Weigh blocks…" }).click();
    const weigh = page.getByRole("dialog", { name: "Weigh the blocks of edit-zora" });
    await weigh.getByRole("combobox", { name: "Blocks" }).click();
    await page.getByRole("option", { name: "Style only" }).click();
    await weigh.getByRole("button", { name: "Weigh", exact: true }).click();
    // All of it is in the middle block: nothing would be left.
    await expect(made.getByRole("alert")).toContainText("Nothing would be left", { timeout: 60_000 });
  });

  await test.step("other programs get files of theirs", async () => {
    for (const [program, name] of [
      ["diffusers", "edit-zora-v1-diffusers.safetensors"],
      ["PEFT", "edit-zora-v1-peft.zip"],
    ] as const) {
      await tools.getByRole("button", { name: "Download as…" }).click();
      const dialog = page.getByRole("dialog", { name: "Download edit-zora as…" });
      await dialog.getByRole("combobox", { name: "For" }).click();
      await page.getByRole("option", { name: program, exact: false }).click();
      await dialog.getByRole("button", { name: "Make the file" }).click();
      const link = made.getByRole("link", { name });
      await expect(link).toBeVisible({ timeout: 60_000 });
      const downloading = page.waitForEvent("download");
      await link.click();
      const download = await downloading;
      expect(download.suggestedFilename()).toBe(name);
      const bytes = await readFile(await download.path());
      if (program === "diffusers") {
        const [first] = readSafetensors(bytes).tensors;
        expect(first?.name).toContain("unet.mid_block.attentions.0");
      } else {
        expect(bytes.subarray(0, 2).toString()).toBe("PK");
        expect(bytes.includes("unet/adapter_config.json")).toBe(true);
      }
    }
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await checkLooks(page, `edits-${theme}`);
    }
    await page.setViewportSize({ width: 1360, height: 860 });
  });

  await test.step("a base model with it is used without a download", async () => {
    await tools.getByRole("button", { name: "Merge with…" }).click();
    const merge = page.getByRole("dialog", { name: "Merge edit-zora with…" });
    await merge.getByRole("button", { name: "A base model with it" }).click();
    await merge.getByRole("button", { name: "Merge", exact: true }).click();
    await expect(merge).toBeHidden();
    await made.getByRole("button", { name: "Use as a base model" }).click({ timeout: 60_000 });
    const dialog = page.getByRole("dialog", { name: "Use it as a base model" });
    const name = dialog.getByRole("textbox", { name: "Name" });
    await expect(name).toHaveValue("tiny-xl-edit-zora");
    await name.fill("tiny-xl");
    await dialog.getByRole("button", { name: "Use it" }).click();
    await expect(dialog.getByRole("alert")).toContainText("is built in");
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await checkLooks(page, `use-as-base-${theme}`);
    }
    await page.setViewportSize({ width: 1360, height: 860 });
    await name.fill("edit-merged");
    await expect(dialog.getByRole("alert")).toBeHidden();
    await dialog.getByRole("button", { name: "Use it" }).click();
    await expect(dialog).toBeHidden();
    await made.getByRole("link", { name: "Base model edit-merged" }).click();
    const row = page.getByRole("listitem", { name: "edit-merged", exact: true });
    await expect(row).toContainText("Ready", { timeout: 30_000 });
    await expect(row).toContainText("merged here");
    await expect(row).toContainText("every machine can use it");

    // An agent fetches it from the object store and draws with it.
    await page.goto(`${server.url}/playground`);
    await page.getByLabel("Base model").click();
    await page.getByRole("option", { name: "edit-merged" }).click();
    await page.getByRole("textbox", { name: "Prompt", exact: true }).fill("lorelei ink comic portrait");
    const asked = page.waitForRequest(
      (request) => request.method() === "POST" && request.url().endsWith("/api/v1/generations"),
    );
    await page.getByRole("button", { name: "Generate" }).click();
    expect((await asked).postDataJSON()).toMatchObject({ base_model: "edit-merged" });
    const picture = page.getByRole("main").getByRole("img", { name: "lorelei ink comic portrait" });
    await expect(picture.first()).toBeVisible({ timeout: 90_000 });
    const answer = await page.request.delete(`${server.url}/api/v1/registered-base-models/edit-merged`, {
      headers: { origin: server.url },
    });
    expect(answer.ok()).toBe(true);
  });
});

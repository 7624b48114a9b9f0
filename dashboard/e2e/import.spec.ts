// A LoRA of another program: imported, named for what is not applied of it, and used in the playground.
import { writeFile } from "node:fs/promises";
import { checkLooks } from "./checks";
import { expect, test } from "./fixtures";
import { drop } from "./page";
import { LAYER, loraFile, writeZip } from "./safetensors";

/** Diffusers' names for one layer of tiny-xl, and one that no model has. */
const inPart = () => loraFile("unet.", [LAYER, "weird.0"]);

test("a foreign LoRA that is applied in part is imported by a yes, and used in the playground", async ({
  app: page,
  server,
}) => {
  test.setTimeout(180_000);
  await page.setViewportSize({ width: 1360, height: 860 });
  const signIn = test.info().outputPath("download.safetensors");
  await writeFile(signIn, "<!DOCTYPE html><html><body>Sign in</body></html>");
  const file = test.info().outputPath("foreign-ink.safetensors");
  await writeFile(file, inPart());
  await page.goto(`${server.url}/models`);
  const dialog = page.getByRole("dialog", { name: "Import a LoRA" });

  await test.step("what is no LoRA is said at the file", async () => {
    await page.getByRole("button", { name: "Import a LoRA" }).click();
    await dialog.getByLabel("LoRA file").setInputFiles(signIn);
    await dialog.getByRole("button", { name: "Import", exact: true }).click();
    await expect(dialog.getByRole("alert")).toContainText("This file is");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await expect(dialog).toBeHidden();
  });

  await test.step("a dropped file opens the form, which names what is not applied", async () => {
    await drop(page, page.getByRole("main"), [file]);
    await expect(dialog).toContainText("foreign-ink.safetensors");
    await dialog.getByLabel("License").fill("CC0");
    await dialog.getByLabel("Trigger words").fill("ink, zora");
    await dialog.getByRole("button", { name: "Import", exact: true }).click();
    await expect(dialog.getByRole("alert")).toContainText("unet.weird.0");
    await expect(dialog.getByRole("button", { name: "Import", exact: true })).toBeDisabled();
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await checkLooks(page, `import-${theme}`);
    }
    await page.setViewportSize({ width: 1360, height: 860 });
  });

  await test.step("after a yes it is a model, with what it is and what it is not", async () => {
    await dialog.getByLabel("Use it all the same").check();
    await dialog.getByRole("button", { name: "Import", exact: true }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("foreign-ink");
    const panel = page.getByRole("region", { name: "Imported file" });
    await expect(panel).toContainText("Imported, not judged");
    await expect(panel).toContainText("CC0");
    await expect(panel.getByRole("region", { name: "Not applied" })).toContainText("unet.weird.0");
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await checkLooks(page, `imported-${theme}`);
    }
    await page.setViewportSize({ width: 1360, height: 860 });
  });

  await test.step("the playground draws with it", async () => {
    await page.getByRole("link", { name: "Try it" }).click();
    const loras = page.getByRole("region", { name: "LoRAs" });
    await expect(loras).toContainText("foreign-ink v1");
    await expect(loras).toContainText("Trigger words: ink, zora");
    await page.getByRole("textbox", { name: "Prompt", exact: true }).fill("portrait of zora in ink");
    await page.getByRole("button", { name: "Generate" }).click();
    for (const name of ["Without the LoRA", "With the LoRA"]) {
      const shown = page.getByRole("figure", { name, exact: true }).getByRole("img");
      await expect(shown).toBeVisible({ timeout: 60_000 });
    }
  });

  await test.step("it is approved only as what it is", async () => {
    await page.goBack();
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Approve without a verdict" }).click();
    await expect(page.getByText("Approved", { exact: true })).toBeVisible();
  });
});

test("a folder of PEFT is imported in one step, as a zip or by its two files", async ({
  app: page,
  server,
}) => {
  const lora = loraFile("base_model.model.");
  const config = Buffer.from(JSON.stringify({ peft_type: "LORA", r: 1, lora_alpha: 4 }));
  const zip = test.info().outputPath("peft-ink.zip");
  await writeFile(
    zip,
    writeZip([
      ["peft-ink/adapter_model.safetensors", lora],
      ["peft-ink/adapter_config.json", config],
    ]),
  );
  await page.goto(`${server.url}/models`);
  const dialog = page.getByRole("dialog", { name: "Import a LoRA" });
  const importIt = dialog.getByRole("button", { name: "Import", exact: true });

  await drop(page, page.getByRole("main"), [zip]);
  await expect(dialog).toContainText("peft-ink.zip");
  await dialog.getByLabel("Name", { exact: true }).fill("peft-ink");
  await importIt.click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("peft-ink");
  await expect(page.getByRole("region", { name: "Imported file" })).toContainText("1 module of LoRA");
  // Without it, the LoRA would be a quarter as strong.
  await page.getByText("Modules and metadata").click();
  await expect(page.getByRole("region", { name: "File metadata" })).toContainText('"unet.lora_alpha":4');
  const model = page.url();

  await page.goto(`${server.url}/models`);
  await page.getByRole("button", { name: "Import a LoRA" }).click();
  const file = (name: string, buffer: Buffer) => ({ name, mimeType: "application/octet-stream", buffer });
  const adapter = file("adapter_model.safetensors", lora);
  await dialog
    .getByLabel("LoRA file")
    .setInputFiles([file("adapter_config.json", Buffer.from("{}")), adapter]);
  await expect(dialog).toContainText("adapter_model.safetensors with adapter_config.json");
  await importIt.click();
  await expect(dialog.getByRole("alert")).toContainText("The configuration is not PEFT's");
  await dialog.getByLabel("LoRA file").setInputFiles([file("adapter_config.json", config), adapter]);
  await expect(dialog.getByRole("alert")).toBeHidden();
  // It is the file that came out of the zip, bit by bit, and so the same version of that model.
  await dialog.getByLabel("Name", { exact: true }).fill("peft-ink");
  await importIt.click();
  await expect(page).toHaveURL(model);
});

// Approved LoRAs are copied into the folder of another program, and the pages say where.
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkLooks } from "./checks";
import { expect, signIn, test } from "./fixtures";
import { loraFile } from "./safetensors";
import { apiOf, startServer } from "./server";

test("the model page says where an approved version was copied", async ({ page }) => {
  const folder = test.info().outputPath("loras");
  await mkdir(folder, { recursive: true });
  const server = await startServer({ MORPHEUS_LORA_FOLDER: folder });
  try {
    await signIn(page, server);
    const { api, headers } = apiOf(page.request, server);
    const buffer = loraFile("unet.");
    const file = { name: "ink.safetensors", mimeType: "application/octet-stream", buffer };
    const multipart = { base_model: "tiny-xl", trigger_words: "ink", file };
    const imported = await page.request.post(`${api}/models/import`, { multipart, headers });
    expect(imported.ok(), await imported.text()).toBe(true);
    const { model_id } = await imported.json();

    await page.goto(`${server.url}/models/${model_id}`);
    const panel = page.getByRole("region", { name: "File", exact: true });
    await expect(panel).toContainText("ink.safetensors");
    await expect(panel).not.toContainText("Copied to");
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Approve without a verdict" }).click();
    await expect(panel).toContainText(`${folder}/ink-v1.safetensors`);
    expect(await readFile(join(folder, "ink-v1.safetensors"))).toEqual(buffer);
    const card = JSON.parse(await readFile(join(folder, "ink-v1.civitai.info"), "utf8"));
    expect(card.trainedWords).toEqual(["ink"]);
    await checkLooks(page, "copied");

    await page.goto(`${server.url}/settings`);
    const settings = page.getByRole("region", { name: "Server", exact: true });
    await expect(settings).toContainText(folder);
    await expect(settings).toContainText("1 approved version");

    await page.goto(`${server.url}/models/${model_id}`);
    await page.getByRole("button", { name: "Retire" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Retire" }).click();
    await expect(panel).not.toContainText("Copied to");
    const left = async () => (await readdir(folder)).filter((name) => !name.startsWith("."));
    await expect.poll(left).toEqual([]);
  } finally {
    await server.stop();
  }
});

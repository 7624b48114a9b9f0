// Loss masks: laid over their pictures, and taken away without them.
import { readFile } from "node:fs/promises";
import { checkLooks } from "./checks";
import { expect, test } from "./fixtures";
import { apiOf, filesOf, ZORA } from "./server";

test("a mask is shown over its picture, and deleted without it", async ({ app: page, server }) => {
  const { api, headers, post, get } = apiOf(page.request, server);
  const dataset = await post("/datasets", { name: "Masked" });
  const pictures = (await filesOf(ZORA)).filter((file) => file.endsWith(".png"));
  const bytes = (index: number) => readFile(pictures[index] ?? "");
  const upload = async (files: [string, number][]) => {
    const form = new FormData();
    for (const [name, index] of files) form.append("files", new File([await bytes(index)], name));
    const response = await page.request.post(`${api}/datasets/${dataset.id}/items`, {
      multipart: form,
      headers,
    });
    expect(response.ok()).toBe(true);
    return response.json();
  };
  await upload([
    ["zora.png", 0],
    ["zora-masklabel.png", 1],
    ["plain.png", 2],
  ]);
  const again = await upload([["renamed.png", 0]]);
  expect(again.accepted).toEqual([]);
  expect(again.refused[0].reason).toContain("shows the same pixels as `zora.png`");

  await page.goto(`${server.url}/datasets/${dataset.id}`);
  const mask = page.getByAltText("Loss mask of zora.png");
  await expect(page.getByRole("button", { name: "Delete zora.png" })).toBeVisible();
  await expect(mask).toHaveCount(0);
  await page.getByRole("button", { name: "With their masks" }).click();
  await expect(mask).toBeVisible();
  const width = await mask.evaluate(async (image: HTMLImageElement) => {
    await image.decode();
    return image.naturalWidth;
  });
  expect(width).toBeGreaterThan(0);
  await expect(page.getByAltText("Loss mask of plain.png")).toHaveCount(0);
  await checkLooks(page, "masks");
  await page.setViewportSize({ width: 1360, height: 860 });
  await page.reload();
  await expect(mask).toBeVisible();

  await page.getByRole("button", { name: "Delete the loss mask of zora.png" }).click();
  await page.getByRole("button", { name: "Delete the mask" }).click();
  await expect(mask).toHaveCount(0);
  await expect(page.getByRole("button", { name: "With their masks" })).toHaveCount(0);
  const { items } = await get(`/datasets/${dataset.id}/items`);
  expect(items.map((item: { has_mask: boolean }) => item.has_mask)).toEqual([false, false]);
});

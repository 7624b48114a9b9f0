// A dataset is exported for other trainers, and what was exported is the same dataset again.
import { readFile } from "node:fs/promises";
import { checkLooks } from "./checks";
import { expect, test } from "./fixtures";
import { apiOf, filesOf, ZORA } from "./server";

interface Kept {
  sha256: string;
  caption: string;
  split: string;
  group: string;
  repeats: number;
  has_mask: boolean;
}

const FORMATS = [
  ["kohya", "kohya (sd-scripts)"],
  ["diffusers", "diffusers"],
  ["onetrainer", "OneTrainer"],
] as const;

test("a dataset is exported in each format, and imported into a new one", async ({ app: page, server }) => {
  const { api, headers, post, get } = apiOf(page.request, server);
  const dataset = await post("/datasets", { name: "Exported" });
  const pictures = (await filesOf(ZORA)).filter((file) => file.endsWith(".png"));
  const bytes = (index: number) => readFile(pictures[index] ?? "");
  const form = new FormData();
  form.append("files", new File([await bytes(0)], "001.png"));
  form.append("files", new File(["zora, smiling"], "001.txt"));
  form.append("files", new File([await bytes(1)], "001-masklabel.png"));
  form.append("files", new File([await bytes(2)], "漫画.png"));
  form.append("files", new File(["zora, reading 漫画"], "漫画.txt"));
  form.append("split", "held_out");
  form.append("files", new File([await bytes(3)], "kept apart.png"));
  const uploaded = await page.request.post(`${api}/datasets/${dataset.id}/items`, {
    multipart: form,
    headers,
  });
  expect(uploaded.ok()).toBe(true);
  const { accepted } = await uploaded.json();
  const first = accepted.find((item: { has_mask: boolean }) => item.has_mask);
  const changed = await page.request.patch(`${api}/datasets/${dataset.id}/items/${first.id}`, {
    data: { group: "outfit", repeats: 10 },
    headers,
  });
  expect(changed.ok()).toBe(true);
  const kept = async (id: string): Promise<Kept[]> => {
    const { items } = await get(`/datasets/${id}/items`);
    return items.map(({ sha256, caption, split, group, repeats, has_mask }: Kept) => ({
      sha256,
      caption,
      split,
      group,
      repeats,
      has_mask,
    }));
  };
  const before = await kept(dataset.id);
  expect(before.map(({ has_mask }) => has_mask)).toContain(true);
  expect(before.map(({ split }) => split)).toContain("held_out");

  await page.goto(`${server.url}/datasets/${dataset.id}`);
  await page.getByRole("button", { name: "Export", exact: true }).click();
  await expect(page.getByRole("menuitem")).toHaveCount(FORMATS.length);
  await page.keyboard.press("Escape");
  await checkLooks(page, "export");
  await page.setViewportSize({ width: 1360, height: 860 });

  for (const [format, label] of FORMATS) {
    await page.goto(`${server.url}/datasets/${dataset.id}`);
    await page.getByRole("button", { name: "Export", exact: true }).click();
    const starting = page.waitForEvent("download");
    await page.getByRole("menuitem", { name: label }).click();
    const download = await starting;
    expect(download.suggestedFilename()).toBe(`Exported-${format}.zip`);
    const archive = await download.path();

    const copy = await post("/datasets", { name: `From ${format}` });
    await page.goto(`${server.url}/datasets/${copy.id}`);
    await page
      .locator('input[type="file"]')
      .first()
      .setInputFiles({
        name: "export.zip",
        mimeType: "application/zip",
        buffer: await readFile(archive),
      });
    await expect.poll(() => kept(copy.id)).toEqual(before);
    await expect(page.getByText(/were not taken|was not taken|refused/i)).toHaveCount(0);
  }
});

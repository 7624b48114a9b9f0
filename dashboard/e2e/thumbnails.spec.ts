// Lists of pictures load thumbnails, and never the pictures themselves.
import { readFile } from "node:fs/promises";
import { expect, test } from "./fixtures";
import { apiOf, filesOf, ZORA } from "./server";

test("the grid and the list of datasets load thumbnails, each once, and no picture", async ({
  app: page,
  server,
}) => {
  const { api, headers, post } = apiOf(page.request, server);
  const dataset = await post("/datasets", { name: "Small pictures" });
  const form = new FormData();
  const pictures = (await filesOf(ZORA)).filter((file) => file.endsWith(".png")).slice(0, 6);
  for (const file of pictures) {
    form.append("files", new File([await readFile(file)], file.split("/").at(-1) ?? "file"));
  }
  const uploaded = await page.request.post(`${api}/datasets/${dataset.id}/items`, {
    multipart: form,
    headers,
  });
  expect(uploaded.ok()).toBe(true);
  const { accepted } = await uploaded.json();
  const originals = new Set(accepted.map((item: { url: string }) => pathOf(item.url)));

  const asked: string[] = [];
  page.on("request", (request) => asked.push(pathOf(request.url())));
  const thumbnails = () => asked.filter((path) => path.endsWith("/thumbnail"));
  await page.goto(`${server.url}/datasets/${dataset.id}`);
  const images = page.locator("main img");
  await expect(images).toHaveCount(pictures.length);
  for (const image of await images.all()) {
    await image.scrollIntoViewIfNeeded();
    await expect.poll(() => image.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBeGreaterThan(0);
    const shown = await image.evaluate((img: HTMLImageElement) => ({
      lazy: img.loading === "lazy",
      longest: Math.max(img.naturalWidth, img.naturalHeight),
      shape: Number(img.getAttribute("width")) / Number(img.getAttribute("height")),
      natural: img.naturalWidth / img.naturalHeight,
    }));
    expect(shown.lazy).toBe(true);
    expect(shown.longest).toBeLessThanOrEqual(384);
    expect(shown.shape, "the room that is kept for it has its shape").toBeCloseTo(shown.natural, 1);
  }
  expect(new Set(thumbnails()).size).toBe(pictures.length);
  expect(thumbnails()).toHaveLength(pictures.length);

  await page.getByRole("link", { name: "Datasets", exact: true }).first().click();
  const card = page.getByRole("listitem").filter({ hasText: "Small pictures" });
  const covers = card.locator("img");
  await expect(covers).toHaveCount(4);
  for (const cover of await covers.all()) {
    await expect.poll(() => cover.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBeGreaterThan(0);
  }
  expect(asked.filter((path) => originals.has(path))).toEqual([]);
});

/** Without the host, and what it is signed with. */
function pathOf(url: string): string {
  return new URL(url, "http://here").pathname;
}

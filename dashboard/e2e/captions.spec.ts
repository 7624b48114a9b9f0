// Many captions at once, by keyboard: the difference, the change, and its undo.
import { readFile } from "node:fs/promises";
import { checkLooks } from "./checks";
import { expect, test } from "./fixtures";
import { apiOf, filesOf, ZORA } from "./server";

test("many captions are edited and the edit is undone, by keyboard", async ({ app: page, server }) => {
  const { api, headers, post, get } = apiOf(page.request, server);
  const dataset = await post("/datasets", { name: "Many captions" });
  const form = new FormData();
  // Three pictures with their captions.
  for (const file of (await filesOf(ZORA)).slice(0, 6)) {
    form.append("files", new File([await readFile(file)], file.split("/").at(-1) ?? "file"));
  }
  const uploaded = await page.request.post(`${api}/datasets/${dataset.id}/items`, {
    multipart: form,
    headers,
  });
  expect(uploaded.ok()).toBe(true);
  const captions = async (): Promise<string[]> => {
    const { items } = await get(`/datasets/${dataset.id}/items`);
    return items.map((item: { caption: string }) => item.caption);
  };
  const before = await captions();

  await page.goto(`${server.url}/datasets/${dataset.id}`);
  await page.locator("summary").filter({ hasText: "Edit many captions" }).press("Enter");
  const text = page.getByLabel("Tags or words");
  await text.fill("umbrella");
  await text.press("Enter");
  await expect(page.getByText("3 captions change.")).toBeVisible();
  await expect(page.getByRole("region", { name: "Difference" })).toContainText(`umbrella, ${before[0]}`);
  expect(await captions()).toEqual(before);
  await checkLooks(page, "caption-edits");
  await page.setViewportSize({ width: 1360, height: 860 });

  await page.getByRole("button", { name: "Change 3 captions" }).press("Enter");
  await expect(page.getByText("3 captions changed.")).toBeVisible();
  await expect.poll(captions).toEqual(before.map((caption) => `umbrella, ${caption}`));
  await expect(page.getByLabel("Caption of 000.png")).toHaveValue(`umbrella, ${before[0]}`);

  await page.getByRole("button", { name: "Undo Put `umbrella` first" }).press("Enter");
  await expect(page.getByText("Undone", { exact: true })).toBeVisible();
  await expect.poll(captions).toEqual(before);
  await expect(page.getByLabel("Caption of 000.png")).toHaveValue(before[0] ?? "");
});

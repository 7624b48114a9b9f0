// Groups of pictures: set on the pictures, balanced with one click, and kept.
import { readFile } from "node:fs/promises";
import { checkLooks } from "./checks";
import { expect, test } from "./fixtures";
import { apiOf, filesOf, ZORA } from "./server";

test("groups are set on pictures, balanced with one click, and kept", async ({ app: page, server }) => {
  const { api, headers, post, get } = apiOf(page.request, server);
  const dataset = await post("/datasets", { name: "Outfits" });
  const form = new FormData();
  // Four pictures with their captions.
  for (const file of (await filesOf(ZORA)).slice(0, 8)) {
    form.append("files", new File([await readFile(file)], file.split("/").at(-1) ?? "file"));
  }
  const uploaded = await page.request.post(`${api}/datasets/${dataset.id}/items`, {
    multipart: form,
    headers,
  });
  expect(uploaded.ok()).toBe(true);
  type Showing = { repeats: number; regularization: boolean };
  const kept = async () => {
    const { items } = await get(`/datasets/${dataset.id}/items`);
    return items.map((item: Showing) => `${item.repeats}${item.regularization ? " reg" : ""}`);
  };

  await page.goto(`${server.url}/datasets/${dataset.id}`);
  const group = page.getByLabel("Group of 000.png");
  await group.fill("hat");
  await group.press("Enter");
  const panel = page.getByRole("group").filter({ hasText: "Groups and repeats" });
  await panel.getByText("Groups and repeats").click();
  const repeats = page.getByLabel("Repeats of hat");
  await expect(repeats).toHaveValue("1");
  await checkLooks(page, "groups");
  await page.setViewportSize({ width: 1360, height: 860 });

  await page.getByRole("button", { name: "Show every group about as often" }).click();
  await expect(repeats).toHaveValue("3");
  await expect(page.getByRole("button", { name: "Every group is shown about as often" })).toBeDisabled();
  await expect.poll(kept).toEqual(["3", "1", "1", "1"]);

  await repeats.fill("0");
  await expect(page.getByRole("alert")).toHaveText("Enter at least 1.");
  await repeats.fill("5");
  await repeats.press("Enter");
  const regularization = page.getByLabel("No group is for regularization");
  await regularization.click();
  await expect(regularization).toBeChecked();
  await expect(page.getByText("5 views in an epoch, and as many for regularization")).toBeVisible();
  await expect.poll(kept).toEqual(["5", "1 reg", "1 reg", "1 reg"]);

  await page.reload();
  await page.getByText("Groups and repeats").click();
  await expect(repeats).toHaveValue("5");
  await expect(regularization).toBeChecked();
  await expect(group).toHaveValue("hat");
});

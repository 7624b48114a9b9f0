// The workbench: pictures found by what is wrong with them, selected, and captioned by keyboard.
import { readFile } from "node:fs/promises";
import type { APIRequestContext, Page } from "@playwright/test";
import { checkLooks } from "./checks";
import { expect, test } from "./fixtures";
import { apiOf, filesOf, type Server, ZORA } from "./server";

interface Shown {
  caption: string;
  split: string;
  group: string;
}

/** A dataset of six pictures, of which the first three have captions. */
async function sixPictures(request: APIRequestContext, server: Server, name: string) {
  const { api, headers, post, get } = apiOf(request, server);
  const dataset: { id: string } = await post("/datasets", { name });
  const files = (await filesOf(ZORA)).slice(0, 12);
  const form = new FormData();
  for (const file of files) {
    const own = file.split("/").at(-1) ?? "file";
    if (own.endsWith(".txt") && own > "003") continue;
    form.append("files", new File([await readFile(file)], own));
  }
  const uploaded = await request.post(`${api}/datasets/${dataset.id}/items`, { multipart: form, headers });
  expect(uploaded.ok()).toBe(true);
  const items = async (): Promise<Shown[]> => (await get(`/datasets/${dataset.id}/items`)).items;
  const captions = async () => (await items()).map(({ caption }) => caption);
  return { url: `${server.url}/datasets/${dataset.id}`, items, captions };
}

const caption = (page: Page, file: string) => page.getByLabel(`Caption of ${file}`);
const box = (page: Page, file: string) => page.getByRole("checkbox", { name: `Select ${file}` });
const facet = (page: Page, name: RegExp) =>
  page.getByRole("list", { name: "Pictures by what they have in common" }).getByRole("button", { name });

test("facets, tags, search and order are kept in the address", async ({ app: page, server }) => {
  const { url } = await sixPictures(page.request, server, "Facets");
  await page.goto(url);
  await expect(page.getByText("All 6 shown")).toBeVisible();
  // At 1024 pixels, pictures of 128 pixels are too small; the checks say so after a moment.
  await expect(facet(page, /^Too small ?6$/)).toBeVisible();
  await checkLooks(page, "workbench");
  await page.setViewportSize({ width: 1360, height: 860 });

  await facet(page, /^No caption ?3$/).click();
  await expect(page.getByText("3 of 6 shown")).toBeVisible();
  await expect(page).toHaveURL(/show=no_caption/);
  await page.reload();
  await expect(page.getByText("3 of 6 shown")).toBeVisible();
  await expect(caption(page, "003.png")).toBeVisible();
  await expect(caption(page, "000.png")).toHaveCount(0);
  await facet(page, /^All ?6$/).click();

  const tags = page.getByRole("list", { name: "Tags by frequency" });
  await tags.getByRole("button", { name: /^lorelei ink comic portrait of zora ?3$/ }).click();
  await expect(page.getByText("3 of 6 shown")).toBeVisible();
  await page.getByRole("searchbox", { name: "Search captions" }).fill("pink");
  await expect(page.getByText("1 of 6 shown")).toBeVisible();
  await expect(page).toHaveURL(/q=pink/);
  await page.getByRole("searchbox", { name: "Search captions" }).fill("");
  await tags.getByRole("button", { name: /^lorelei ink comic portrait of zora ?3$/ }).click();

  await tags.getByRole("button", { name: /^smiling ?1$/ }).click();
  await expect(page).toHaveURL(/tag=smiling/);
  await page.getByRole("button", { name: "Rename or remove smiling" }).click();
  const dialog = page.getByRole("dialog", { name: "Rename or remove a tag" });
  await dialog.getByLabel("New name").fill("grinning");
  await dialog.getByRole("button", { name: "Show the difference" }).click();
  await checkLooks(page, "workbench-tag");
  await page.setViewportSize({ width: 1360, height: 860 });
  await dialog.getByRole("button", { name: "Change 1 caption" }).click();
  await expect(dialog.getByText("1 caption changed.")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(tags.getByRole("button", { name: /^grinning ?1$/ })).toBeVisible();
  await expect(page.getByText("No picture matches")).toBeVisible();
  await facet(page, /^All ?6$/).click();
  await expect(page).not.toHaveURL(/tag=/);

  await page.getByRole("combobox", { name: "Sort" }).click();
  await page.getByRole("option", { name: "Newest first" }).click();
  await expect(page).toHaveURL(/sort=newest/);
  const pictures = page.getByRole("list", { name: "Pictures", exact: true });
  await expect(pictures.getByRole("checkbox").first()).toHaveAccessibleName("Select 005.png");
  await page.getByRole("button", { name: "Small pictures" }).click();
  await expect(caption(page, "005.png")).toHaveCount(0);
  await page.reload();
  await expect(box(page, "005.png")).toBeVisible();
  await expect(caption(page, "005.png")).toHaveCount(0);
  await checkLooks(page, "workbench-small");
  await page.setViewportSize({ width: 1360, height: 860 });
  await page.getByRole("button", { name: "Medium pictures" }).click();
  await expect(caption(page, "005.png")).toBeVisible();
});

test("what the checks find is acknowledged, and its pictures are shown", async ({ app: page, server }) => {
  const { url } = await sixPictures(page.request, server, "Checks");
  await page.goto(url);
  await page.locator("summary").filter({ hasText: "Checks" }).press("Enter");
  const list = page.getByRole("list", { name: "What the checks of the dataset found" });
  await expect(list).toBeVisible();
  await page.getByLabel("Trigger word").fill("xenia");
  await page.getByLabel("Trigger word").press("Enter");
  await expect(page).toHaveURL(/trigger=xenia/);
  await facet(page, /^No trigger word/).click();
  await expect(page).toHaveURL(/show=trigger_missing/);
  await expect(caption(page, "000.png")).toBeVisible();

  const small = list.getByRole("listitem").filter({ hasText: "smaller than their training size" }).first();
  await small.getByRole("button", { name: "Show the pictures" }).click();
  await expect(page).toHaveURL(/show=enlarged/);
  await checkLooks(page, "workbench-checks");
  await page.setViewportSize({ width: 1360, height: 860 });
  await small.getByRole("button", { name: "Acknowledge" }).click();
  await expect(page.getByText("1 acknowledged finding", { exact: true })).toBeVisible();
  await expect(small).toHaveCount(0);
});

test("a comic page is found, and split into panels", async ({ app: page, server }) => {
  const { api, headers, post, get } = apiOf(page.request, server);
  // Four panels with black frames on white.
  const drawn = await page.evaluate(() => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [620, 820];
    const paint = canvas.getContext("2d");
    if (!paint) throw new Error("this browser draws nothing");
    const fill = (color: string | CanvasGradient, x: number, y: number, width: number, height: number) => {
      paint.fillStyle = color;
      paint.fillRect(x, y, width, height);
    };
    fill("white", 0, 0, 620, 820);
    for (const [x, y, color] of [
      [20, 20, "#a33"],
      [320, 20, "#3a3"],
      [20, 420, "#33a"],
      [320, 420, "#aa3"],
    ] as const) {
      fill("black", x, y, 280, 380);
      const shaded = paint.createLinearGradient(x, y, x + 280, y + 380);
      shaded.addColorStop(0, color);
      shaded.addColorStop(1, "#124");
      fill(shaded, x + 4, y + 4, 272, 372);
      fill("#246", x + 60, y + 90, 120, 200);
    }
    return canvas.toDataURL("image/png").split(",")[1] ?? "";
  });
  const dataset: { id: string } = await post("/datasets", { name: "Pages" });
  const form = new FormData();
  form.append("files", new File([Buffer.from(drawn, "base64")], "page-03.png"));
  form.append("files", new File(["zora, flying"], "page-03.txt"));
  const uploaded = await page.request.post(`${api}/datasets/${dataset.id}/items`, {
    multipart: form,
    headers,
  });
  expect(uploaded.ok()).toBe(true);

  await page.goto(`${server.url}/datasets/${dataset.id}`);
  await expect(facet(page, /^Whole pages ?1$/)).toBeVisible();
  await page.locator("summary").filter({ hasText: "Checks" }).press("Enter");
  await page.getByRole("button", { name: /^Split into panels ?: page-03.png/ }).click();
  const dialog = page.getByRole("dialog", { name: "Split page-03.png into panels" });
  const first = dialog.getByRole("button", { name: /^Panel 1 of 4/ });
  await expect(first).toBeVisible();
  await checkLooks(page, "split-page");
  await page.setViewportSize({ width: 390, height: 844 });
  const before = await first.boundingBox();
  if (!before) throw new Error("the first panel is not shown");
  // By its lower right corner: it becomes smaller.
  await page.mouse.move(before.x + before.width, before.y + before.height);
  await page.mouse.down();
  await page.mouse.move(before.x + before.width - 20, before.y + before.height - 20, { steps: 4 });
  await page.mouse.up();
  await expect.poll(async () => (await first.boundingBox())?.width).toBeLessThan(before.width - 10);
  await dialog.getByRole("button", { name: /^Panel 4 of 4/ }).press("Delete");
  await dialog.getByRole("button", { name: "Make 3 panels" }).click();
  await expect(dialog).toHaveCount(0);
  await page.setViewportSize({ width: 1360, height: 860 });
  await expect(caption(page, "page-03-panel-3.png")).toHaveValue("zora, flying");
  await expect(facet(page, /^Split into panels ?1$/)).toBeVisible();
  await expect(facet(page, /^Whole pages/)).toHaveCount(0);
  const items: { set_aside: boolean }[] = (await get(`/datasets/${dataset.id}/items`)).items;
  expect(items.map(({ set_aside }) => set_aside)).toEqual([true, false, false, false]);
});

test("pictures are selected like files, and changed together", async ({ app: page, server }) => {
  const { url, items, captions } = await sixPictures(page.request, server, "Selection");
  const before = await captions();
  await page.goto(url);
  const bar = page.getByRole("region", { name: "Selection" });

  await test.step("a click, a range, all, none", async () => {
    await box(page, "001.png").click();
    await box(page, "003.png").click({ modifiers: ["Shift"] });
    await expect(bar.getByText("3 selected")).toBeVisible();
    await expect(box(page, "002.png")).toBeChecked();
    await page.keyboard.press("Control+a");
    await expect(bar.getByText("6 selected")).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(bar).toHaveCount(0);
    await page.getByRole("button", { name: "Show 000.png large" }).click({ modifiers: ["Shift"] });
    await box(page, "001.png").focus();
    await page.keyboard.press("Space");
    await expect(bar.getByText("2 selected")).toBeVisible();
  });

  await test.step("captions: the difference, the change, its undo", async () => {
    await bar.getByRole("button", { name: "Edit captions…" }).click();
    await bar.getByLabel("Tags or words").fill("umbrella");
    await bar.getByLabel("Tags or words").press("Enter");
    await expect(bar.getByText("2 captions change.")).toBeVisible();
    await checkLooks(page, "workbench-selection");
    await page.setViewportSize({ width: 1360, height: 860 });
    await bar.getByRole("button", { name: "Change 2 captions" }).click();
    await expect
      .poll(captions)
      .toEqual(before.map((text, index) => (index < 2 ? `umbrella, ${text}` : text)));
    await expect(caption(page, "000.png")).toHaveValue(`umbrella, ${before[0]}`);
    await bar.getByRole("button", { name: "Undo Put `umbrella` first" }).click();
    await expect.poll(captions).toEqual(before);
    await bar.getByRole("button", { name: "Edit captions…" }).click();
  });

  await test.step("use and group, and back", async () => {
    const splits = async () => (await items()).map(({ split }) => split);
    await bar.getByRole("button", { name: "Hold out 2" }).click();
    await expect(bar.getByText("2 pictures held out.")).toBeVisible();
    await expect(facet(page, /^Held out ?2$/)).toBeVisible();
    expect((await splits()).slice(0, 3)).toEqual(["held_out", "held_out", "train"]);
    await bar.getByRole("button", { name: "Undo", exact: true }).click();
    await expect(bar.getByText("2 pictures changed back.")).toBeVisible();
    expect(await splits()).toEqual(Array(6).fill("train"));
    await bar.getByLabel("Group of the selected pictures").fill("hat");
    await bar.getByRole("button", { name: "Move 2 to hat" }).click();
    await expect(bar.getByText("2 pictures moved to hat.")).toBeVisible();
    await facet(page, /^hat ?2$/).click();
    await expect(page.getByText("2 of 6 shown")).toBeVisible();
    expect((await items()).map(({ group }) => group)).toEqual(["hat", "hat", "", "", "", ""]);
  });

  await test.step("deletion asks first", async () => {
    await bar.getByRole("button", { name: "Delete 2" }).click();
    await page.getByRole("button", { name: "Delete 2 pictures" }).click();
    await expect(bar).toHaveCount(0);
    await expect(page.getByText("No picture matches")).toBeVisible();
    expect(await items()).toHaveLength(4);
  });
});

test("captions are written one after another without the mouse", async ({ app: page, server }) => {
  const { url, captions } = await sixPictures(page.request, server, "Captions by keyboard");
  await page.goto(`${url}?show=no_caption`);
  await expect(page.getByText("3 of 6 shown")).toBeVisible();
  await caption(page, "003.png").focus();
  await page.keyboard.type("a fox");
  await page.keyboard.press("Enter");
  await expect(caption(page, "004.png")).toBeFocused();
  await page.keyboard.type("a hare");
  await page.keyboard.press("Alt+Enter");
  await expect(caption(page, "003.png")).toBeFocused();
  await expect.poll(async () => (await captions()).slice(3)).toEqual(["a fox", "a hare", ""]);
  // Neither leaves from under the focus, although both have a caption now.
  await expect(facet(page, /^No caption ?1$/)).toBeVisible();
  await expect(caption(page, "003.png")).toBeFocused();
  await page.keyboard.press("Tab");
  const focused = await page.evaluate(() => document.activeElement?.closest("[data-picture]") !== null);
  expect(focused).toBe(true);
  await facet(page, /^All ?6$/).click();
  await facet(page, /^No caption ?1$/).click();
  await expect(caption(page, "003.png")).toHaveCount(0);
});

test("a large picture is captioned with a ruler of tokens", async ({ app: page, server }) => {
  const { url, captions } = await sixPictures(page.request, server, "Large");
  const before = await captions();
  await page.goto(url);
  await page.getByRole("button", { name: "Show 000.png large" }).click();
  const view = (file: string) => page.getByRole("dialog", { name: file });
  await expect(view("000.png").getByLabel("Caption of 000.png")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(view("001.png").getByLabel("Caption of 001.png")).toHaveValue(before[1] ?? "");
  await page.keyboard.press("Alt+Enter");
  await expect(view("000.png")).toBeVisible();

  const long = "cat ".repeat(80).trim();
  await view("000.png").getByLabel("Caption of 000.png").fill(long);
  const ruler = view("000.png").getByRole("region", { name: "Tokens of the caption" });
  await expect(ruler.getByText("80 of 75 tokens: 5 are not read")).toBeVisible();
  await expect(ruler.getByText("border after token 75")).toBeVisible();
  await checkLooks(page, "workbench-large");
  await page.setViewportSize({ width: 1360, height: 860 });
  await view("000.png").getByRole("button", { name: "Zoom in" }).click();
  await expect(view("000.png").getByRole("region", { name: "Picture at 50 %" })).toBeVisible();
  await view("000.png").getByLabel("Caption of 000.png").press("PageDown");
  await expect(view("001.png").getByText("2 of 6")).toBeVisible();
  await expect.poll(captions).toEqual([long, ...before.slice(1)]);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(caption(page, "000.png")).toHaveValue(long);
});

test("ten thousand pictures are scrolled, searched and selected", async ({ app: page, server }) => {
  const { url } = await sixPictures(page.request, server, "Ten thousand");
  const n_items = 10_000;
  await page.route(/\/items\?/, async (route) => {
    const query = new URL(route.request().url()).searchParams;
    const first = Number(query.get("after") ?? -1) + 1;
    const items = Array.from({ length: Math.min(500, n_items - first) }, (_, n) => ({
      id: String(first + n),
      file_name: `${first + n}.png`,
      caption: `zora, tag ${(first + n) % 100}`,
      split: "train",
      group: "",
      repeats: 1,
      regularization: false,
      has_mask: false,
      width: 128,
      height: 96,
      size_bytes: 9000,
      sha256: String(first + n),
      url: "/favicon.svg",
      notes: [],
    }));
    const next = first + 500 < n_items ? String(first + 499) : null;
    await route.fulfill({ json: { items, next } });
  });
  await page.route(/\/check$/, (route) => route.fulfill({ json: { findings: [], n_unmeasured: 0 } }));
  await page.goto(url);
  await expect(page.getByText("All 10,000 shown")).toBeVisible({ timeout: 30_000 });
  const cards = page.getByRole("list", { name: "Pictures", exact: true }).getByRole("listitem");
  await expect(cards.first()).toBeVisible();
  expect(await cards.count()).toBeLessThan(100);
  // Rows are as high as they turn out to be, so the end moves once.
  await expect(async () => {
    await page.keyboard.press("End");
    await expect(caption(page, "9999.png")).toBeVisible({ timeout: 1000 });
  }).toPass();
  expect(await cards.count()).toBeLessThan(100);
  await page.getByRole("searchbox", { name: "Search captions" }).fill("tag 77");
  await expect(page.getByText("100 of 10,000 shown")).toBeVisible();
  await page.getByRole("searchbox", { name: "Search captions" }).blur();
  await page.keyboard.press("Control+a");
  await expect(page.getByRole("region", { name: "Selection" }).getByText("100 selected")).toBeVisible();
});

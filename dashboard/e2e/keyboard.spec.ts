// Without a mouse: command menu, shortcuts, viewer, theme.
import { expect, test } from "./fixtures";

test("the command menu finds pages and jobs", async ({ app: page, server }) => {
  await page.goto(`${server.url}/jobs`);
  await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search" }).fill("playgr");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Playground");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search" }).fill("zora");
  await expect(page.getByRole("option", { name: /Zora.*Job, succeeded/ })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("combobox", { name: "Search" })).toBeHidden();
});

test("single keys go places, and can be switched off", async ({ app: page, server }) => {
  await page.goto(`${server.url}/jobs`);
  await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("d");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Datasets");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/datasets\/[0-9a-f-]{36}/);
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await help.getByRole("button", { name: "Off" }).click();
  await page.keyboard.press("Escape");
  await expect(help).toBeHidden();
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await expect(page).toHaveURL(/\/datasets\//);
});

test("tabs follow brackets, and the viewer follows arrows", async ({ app: page, server }) => {
  await page.goto(`${server.url}/jobs/${server.seeded.job}`);
  await expect(page.getByRole("tab", { name: "Overview", selected: true })).toBeVisible();
  await page.keyboard.press("]");
  await expect(page).toHaveURL(/tab=samples/);
  await page.getByRole("button", { name: /^Step 4: lorelei/ }).click();
  const viewer = page.getByRole("dialog");
  await expect(viewer.getByRole("heading")).toHaveText("Step 4");
  await page.keyboard.press("ArrowRight");
  await expect(viewer.getByRole("heading")).toHaveText("Step 8");
  await page.keyboard.press("ArrowDown");
  await expect(viewer).toContainText("pixel art portrait of zora");
  await page.keyboard.press("Escape");
  await expect(viewer).toBeHidden();
});

test("the first Tab offers to skip the navigation", async ({ app: page, server }) => {
  await page.goto(`${server.url}/jobs`);
  await page.getByRole("heading", { level: 1, name: "Jobs" }).waitFor();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("main")).toBeFocused();
});

test("the theme is remembered", async ({ app: page, server }) => {
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto(`${server.url}/jobs`);
  await page.getByRole("button", { name: "Dark theme" }).first().click();
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.getByRole("button", { name: "System theme" }).first().click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
});

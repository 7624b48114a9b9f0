// A rented GPU for pictures: a limit, a machine, a picture from it, its cost, and its end.
import { checkLooks } from "./checks";
import { expect, test } from "./fixtures";
import { apiOf } from "./server";
import { Simulator } from "./simulator";

test("rent a GPU for pictures, draw on it, watch its cost, end it", async ({ page, context, renting }) => {
  test.setTimeout(240_000);
  await context.addCookies(renting.cookies);
  const simulator = new Simulator(page.request, renting.provider);
  const { get } = apiOf(page.request, renting);
  await page.goto(`${renting.url}/playground`);
  const panel = page.getByRole("region", { name: "Rented GPU" });

  await test.step("it needs a limit that is enough to start", async () => {
    await panel.getByRole("button", { name: "Rent a GPU for pictures" }).click();
    const dialog = page.getByRole("dialog", { name: "Rent a GPU for pictures" });
    await expect(dialog.getByRole("region", { name: "Prices" })).toContainText("per hour");
    const rent = dialog.getByRole("button", { name: "Rent", exact: true });
    const limit = dialog.getByLabel("Cost limit");
    await limit.fill("0.01");
    await expect(dialog.getByRole("alert")).toHaveText(/^Enter at least \$0\.\d+\.$/);
    await expect(rent).toBeDisabled();
    await limit.fill("5");
    const minutes = dialog.getByLabel("Minutes without a picture");
    await minutes.fill("0");
    await expect(dialog.getByRole("alert")).toHaveText("Enter 1 to 240 minutes.");
    await minutes.fill("60");
    await dialog.getByLabel("Name").fill("Covers");
    await checkLooks(page, "rent-for-pictures");
    await page.setViewportSize({ width: 1360, height: 860 });
    await rent.click();
    await expect(dialog).toHaveCount(0);
  });

  await test.step("its machine draws what it is asked for", async () => {
    await expect(panel).toContainText("Ready", { timeout: 90_000 });
    await expect(page.getByRole("combobox", { name: "Draw on" })).toContainText("Covers");
    await page.getByLabel("Prompt", { exact: true }).fill("zora waves");
    await page.getByRole("button", { name: "Generate" }).click();
    const picture = page.getByRole("figure", { name: "Picture" }).getByRole("img");
    await expect(picture).toBeVisible({ timeout: 90_000 });
    const [drawn] = (await get("/generations")).items;
    const [session] = (await get("/drawing-sessions")).items;
    expect(drawn.request.drawing_session_id).toBe(session.id);
    await expect(panel.getByRole("meter", { name: "Spent of the limit of Covers" })).toBeVisible();
    await checkLooks(page, "playground-rented");
    await page.setViewportSize({ width: 1360, height: 860 });
  });

  await test.step("its cost is shown with its name", async () => {
    await page.goto(`${renting.url}/spend`);
    const machines = page.getByRole("region", { name: "Machines" });
    await expect(machines.getByRole("link", { name: "Covers" })).toBeVisible();
    await expect(page.getByRole("region", { name: "Ledger" })).toContainText("Covers");
    await machines.getByRole("link", { name: "Covers" }).click();
  });

  await test.step("it ends when its owner says so", async () => {
    await panel.getByRole("button", { name: "End" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "End the session" }).click();
    await expect(panel).toContainText("Its owner ended it.");
    await expect(panel).toContainText("Ended", { timeout: 90_000 });
    const ours = (await simulator.living()).filter(({ name }) => name.startsWith("mph-"));
    expect(ours).toEqual([]);
    // No picture is drawn elsewhere unasked.
    const place = page.getByRole("combobox", { name: "Draw on" });
    await expect(place).toContainText("Covers (over)");
    await place.click();
    await page.getByRole("option", { name: "This machine" }).click();
    await expect(place).toHaveCount(0);
  });
});

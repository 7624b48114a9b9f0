// Nobody gets in without a token, and everybody gets where they wanted to go.
import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "./fixtures";

test("a visitor is asked for the login address, and led on", async ({ page, empty }) => {
  await page.goto(`${empty.url}/datasets`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Sign in to Morpheus");
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations).toEqual([]);

  const field = page.getByLabel("Login address or token");
  await field.fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText(/token/);

  await field.fill(empty.loginUrl);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Datasets");
});

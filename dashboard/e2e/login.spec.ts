// Nobody gets in without a token, and everybody gets where they wanted to go.
import AxeBuilder from "@axe-core/playwright";
import { expect, signIn, test } from "./fixtures";
import { launchServer, type Server, startServer } from "./server";

/** A server whose login address nobody has used. */
const visited = test.extend<{ fresh: Server }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of a fixture's needs from here
  fresh: async ({}, use) => {
    const server = await launchServer();
    await use(server);
    await server.stop();
  },
});

visited("a visitor is asked for the login address, and led on", async ({ page, fresh }) => {
  await page.goto(`${fresh.url}/datasets`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Sign in to Morpheus");
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations).toEqual([]);

  const field = page.getByLabel("Login address or token");
  await field.fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText(/token/);

  await field.fill(fresh.loginUrl);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Datasets");
});

visited("a login address works once, and says so", async ({ page, browser, fresh }) => {
  await page.goto(fresh.loginUrl);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Jobs");
  // Whoever is signed in already just goes on.
  await page.goto(fresh.loginUrl);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Jobs");

  const other = await browser.newPage();
  await other.goto(fresh.loginUrl);
  await expect(other.getByRole("heading", { level: 1 })).toHaveText("Sign in to Morpheus");
  await expect(other.getByRole("alert")).toContainText("was already used");
  await other.close();
});

test("signing out everywhere leads every open page to the sign-in page", async ({ page, browser }) => {
  const server = await startServer();
  try {
    await signIn(page, server);
    const elsewhere = await browser.newPage();
    await signIn(elsewhere, server);
    await page.goto(`${server.url}/settings`);
    const panel = page.getByRole("region", { name: "Signed-in browsers" });
    await expect(panel.getByRole("listitem").filter({ hasText: "127.0.0.1" })).toHaveCount(3);
    await expect(panel.getByText("This browser")).toHaveCount(1);

    await panel.getByRole("button", { name: "Sign out everywhere" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Sign out everywhere" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Sign in to Morpheus");
    // Its stream of events was closed; nobody has touched it.
    await expect(elsewhere.getByRole("heading", { level: 1 })).toHaveText("Sign in to Morpheus");
    await elsewhere.close();

    // The token still signs in, and the log says what happened.
    await signIn(page, server);
    await page.goto(`${server.url}/audit?about=access`);
    await expect(page.getByRole("row", { name: /Signed out everywhere/ })).toBeVisible();
  } finally {
    await server.stop();
  }
});

visited(
  "somebody without pictures begins with the demo's, and is led from page to page",
  async ({ page, fresh }) => {
    await page.setViewportSize({ width: 1024, height: 768 });
    await page.goto(fresh.loginUrl);
    await page.getByRole("button", { name: "Use the demo pictures" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Zora (demo)");
    await page.getByRole("link", { name: "Train on this" }).click();
    const card = page.getByRole("region", { name: "This job" });
    await expect(card).toContainText("16 pictures");
    await card.getByText("How the training sees them").click();
    await expect(card.getByRole("listitem").first()).toContainText(/zora.*128×128, about \d+ times/);
    // However much the card says, on the first screen.
    await expect(page.getByRole("button", { name: "Start training" })).toBeInViewport({ ratio: 1 });

    await page.getByLabel("Name", { exact: true }).fill("");
    await expect(page.getByText("Enter a name.").first()).toBeVisible();
    await page.setViewportSize({ width: 390, height: 844 });
    await expect(page.getByRole("button", { name: "Start training" })).toBeInViewport({ ratio: 1 });
  },
);

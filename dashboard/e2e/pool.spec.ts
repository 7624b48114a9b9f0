// Machines of one's own: a token for them, an agent that runs with it, and a job that only it may take.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkLooks } from "./checks";
import { expect, test } from "./fixtures";
import { BINARY } from "./server";

test("a machine of the pool takes the job that asks for its label", async ({ app: page, server }) => {
  test.setTimeout(180_000);
  const work = await mkdtemp(join(tmpdir(), "morpheus-pool-"));
  await page.goto(`${server.url}/settings`);
  const tokens = page.getByRole("region", { name: "API tokens" });
  await tokens.getByText("Machines that train").click();
  await tokens.getByLabel("What the token is for").fill("Workshop");
  await tokens.getByRole("button", { name: "Create a token" }).click();
  const command = await tokens.getByRole("status").getByRole("code").textContent();
  await checkLooks(page, "token-for-machines");
  const [, token = "", address = ""] =
    /^MORPHEUS_TOKEN=(\S+) morpheus agent --server (\S+)$/.exec(command ?? "") ?? [];
  expect(address).toBe(server.url);

  const agent = spawn(
    BINARY,
    ["agent", "--server", address, "--name", "attic", "--label", "quiet", "--work", work],
    { env: { ...process.env, MORPHEUS_TOKEN: token }, stdio: "ignore" },
  );
  const ended = new Promise((done) => agent.once("exit", done));
  try {
    await expect(async () => {
      await page.goto(`${server.url}/spend`);
      await expect(page.getByRole("region", { name: "Providers" })).toContainText("attic", {
        timeout: 2_000,
      });
    }).toPass({ timeout: 30_000 });

    await page.goto(`${server.url}/jobs/new?dataset=${server.seeded.dataset}`);
    await page.getByLabel("Steps", { exact: true }).fill("20");
    const where = page.getByRole("region", { name: "Where it runs" });
    await where.getByText("Your own machines").click();
    const machines = where.getByRole("list", { name: "Machines with these labels" });
    await expect(machines).toContainText("attic");
    await expect(machines).toContainText("no GPU, native, waiting for work");
    await where.getByRole("checkbox", { name: "quiet" }).check();
    await checkLooks(page, "where-it-runs-pool");
    await page.getByRole("button", { name: "Start training" }).click();
    await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}/);
    await expect(page.getByRole("region", { name: "Progress", exact: true })).toContainText("Succeeded", {
      timeout: 120_000,
    });
    await page.getByRole("tab", { name: "Configuration" }).click();
    await expect(page.getByText("Your own machines")).toBeVisible();
  } finally {
    agent.kill();
    await ended;
    await rm(work, { recursive: true, force: true });
  }
});

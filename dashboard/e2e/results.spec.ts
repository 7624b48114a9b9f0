// What a training gives beside its last step: versions of checkpoints, an early end, another training, a comparison.
import { readFile } from "node:fs/promises";
import { checkAccessibility } from "./checks";
import { expect, test } from "./fixtures";
import { apiOf, startJob } from "./server";

const TRAINED_MS = 180_000;

test("a checkpoint of an ended job is downloaded, and becomes a version with its own steps", async ({
  app: page,
  server,
}) => {
  test.setTimeout(TRAINED_MS + 120_000);
  const job = await startJob(page.request, server, {
    dataset_id: server.seeded.dataset,
    name: "Between",
    sample_prompts: ["portrait of zora"],
    parameters: { n_steps: 24, checkpoint_every_n_steps: 12, sample_every_n_steps: 0 },
  });
  await page.goto(`${server.url}/jobs/${job}`);
  await expect(page.getByText("Succeeded").first()).toBeVisible({ timeout: TRAINED_MS });
  const list = page.getByRole("list", { name: "Stored checkpoints" });
  await expect(list.getByText("Step 12", { exact: true })).toBeVisible();
  await expect(list.getByText("Is the version of this job")).toBeVisible();
  await checkAccessibility(page);

  const downloading = page.waitForEvent("download");
  await list.getByRole("link", { name: "Download the checkpoint of step 12" }).click();
  const bytes = await readFile(await (await downloading).path());
  expect(bytes.includes("morpheus.checkpoint"), "it is the state to resume from").toBe(true);

  await list.getByRole("button", { name: "Make a version of step 12" }).click();
  await list.getByRole("link", { name: /^Version/ }).click();
  await expect(page.getByText("Makes a version of step 12 of")).toBeVisible();
  await expect(page.getByText("The version is made.")).toBeVisible({ timeout: TRAINED_MS });
  await page.getByRole("link", { name: "Open model" }).click();
  await expect(page.getByRole("region", { name: "File", exact: true })).toContainText("12 steps");
});

test("a running job is finished early, and its last step is a version", async ({ app: page, server }) => {
  test.setTimeout(TRAINED_MS + 120_000);
  const job = await startJob(page.request, server, {
    dataset_id: server.seeded.dataset,
    name: "Early",
    sample_prompts: ["portrait of zora"],
    parameters: { n_steps: 5000, sample_every_n_steps: 0 },
  });
  await page.goto(`${server.url}/jobs/${job}`);
  const finish = page.getByRole("button", { name: "Finish now" });
  const { get } = apiOf(page.request, server);
  await expect
    .poll(async () => (await get(`/jobs/${job}`)).progress?.step ?? 0, { timeout: TRAINED_MS })
    .toBeGreaterThan(12);
  await finish.click();
  await page.getByRole("button", { name: "Finish the job" }).click();
  await expect(page.getByText("The job ends early and becomes a version")).toBeVisible();
  await expect(page.getByText("Succeeded").first()).toBeVisible({ timeout: TRAINED_MS });
  const ended = await get(`/jobs/${job}`);
  const version = await get(`/model-versions/${ended.model_version_id}`);
  expect(version.n_steps).toBeGreaterThan(0);
  expect(version.n_steps).toBeLessThan(5000);
  expect(ended.checkpoint_step, "its checkpoint is that of its last step").toBe(version.n_steps);
});

test("a job is trained again: the form has its settings, and says what differs", async ({
  app: page,
  server,
}) => {
  const { get } = apiOf(page.request, server);
  const { recipe } = await get(`/jobs/${server.seeded.job}`);
  await page.goto(`${server.url}/jobs/${server.seeded.job}`);
  await page.getByRole("link", { name: "Train again" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Train again" })).toBeVisible();
  const field = (name: string) => page.getByLabel(name, { exact: true });
  await expect(field("Rank")).toHaveValue(String(recipe.parameters.rank));
  await expect(field("Steps")).toHaveValue(String(recipe.parameters.n_steps));
  await expect(field("Trigger word")).toHaveValue("zora");
  const notice = page.getByRole("region", { name: "Compared with the job" });
  await expect(notice).toContainText("No setting differs yet.");
  await field("Rank").fill(String(recipe.parameters.rank + 1));
  await field("Note").fill("one rank more");
  const changed = notice.getByRole("list", { name: "Changed settings" });
  // Alpha follows the rank.
  const { rank } = recipe.parameters;
  await expect(changed.getByRole("listitem")).toHaveText([
    `Rank: ${rank} → ${rank + 1}`,
    `Alpha: ${rank} → ${rank + 1}`,
  ]);
  await checkAccessibility(page);
  const creating = page.waitForRequest(
    (request) => request.method() === "POST" && request.url().endsWith("/api/v1/jobs"),
  );
  await page.getByRole("button", { name: "Start training" }).click();
  const made = (await creating).postDataJSON();
  expect(made).toMatchObject({ note: "one rank more", trigger_word: "zora" });
  expect(made.sample_prompts).toEqual(
    recipe.sample_prompts.map((sample: { prompt?: string }) => sample.prompt ?? sample),
  );
  await expect(page.getByText("one rank more")).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Cancel the job" }).click();
});

test("jobs that are ticked are compared: curves, what differs, and samples side by side", async ({
  app: page,
  server,
}) => {
  test.setTimeout(TRAINED_MS + 120_000);
  const { get } = apiOf(page.request, server);
  const prompt = "lorelei ink comic portrait of zora, smiling, blue background";
  const other = await startJob(page.request, server, {
    dataset_id: server.seeded.dataset,
    name: "Other",
    sample_prompts: [prompt],
    parameters: { n_steps: 4, rank: 3, sample_every_n_steps: 4, batch_size: 2 },
  });
  await expect
    .poll(async () => (await get(`/jobs/${other}`)).ended_at != null, { timeout: TRAINED_MS })
    .toBe(true);
  await page.goto(`${server.url}/jobs`);
  await page.getByRole("checkbox", { name: "Compare Other" }).first().check();
  await expect(page.getByRole("link", { name: "Compare 1" })).toBeVisible();
  await page.goto(`${server.url}/jobs/compare?ids=${server.seeded.job},${other}`);
  await expect(
    page.getByRole("img", { name: /Smoothed training losses of Zora, Other, by step/ }),
  ).toBeVisible();
  await page.getByRole("group", { name: "Along" }).getByRole("button", { name: "Time" }).click();
  await expect(page.getByRole("img", { name: /by time/ })).toBeVisible();
  const differs = page.getByRole("region", { name: "Settings that differ" });
  await expect(differs.getByRole("row", { name: /^Rank/ })).toContainText("3");
  await expect(differs.getByRole("row", { name: /^Batch size/ })).toHaveCount(0);
  const samples = page.getByRole("region", { name: "Samples side by side" });
  await expect(samples.getByRole("row", { name: /^Step 4/ }).getByRole("img")).toHaveCount(2);
  await checkAccessibility(page);
});

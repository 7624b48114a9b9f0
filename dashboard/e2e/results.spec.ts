// What a training gives beside its last step: versions of checkpoints, an early end, another training, a comparison.
import { readFile } from "node:fs/promises";
import { checkAccessibility } from "./checks";
import { expect, signIn, test } from "./fixtures";
import { loraFile } from "./safetensors";
import { apiOf, seedDataset, startJob, startServer } from "./server";

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
  const list = page.getByRole("list", { name: "Samples and checkpoints by step" });
  await expect(list.getByText("Step 12", { exact: true })).toBeVisible();
  await expect(list.getByText("Is the version of this job")).toBeVisible();
  await checkAccessibility(page);

  // The curve and the rows light each other, and a step says what it saw.
  await list.getByText("Step 12", { exact: true }).hover();
  await expect(list.locator("li[data-lit]")).toContainText("Step 12");
  const slider = page.getByRole("slider", { name: "Step on the curve" });
  await slider.focus();
  await page.keyboard.press("Home");
  await page.getByRole("button", { name: "What this step saw" }).click();
  const step = page.getByRole("region", { name: "Step 1", exact: true });
  await expect(
    step.getByRole("list", { name: "Pictures of this step" }).getByRole("img").first(),
  ).toBeVisible();
  await checkAccessibility(page);
  await step.getByRole("button", { name: "Close this step" }).click();

  const downloading = page.waitForEvent("download");
  await list.getByRole("link", { name: "Download the checkpoint of step 12" }).click();
  const bytes = await readFile(await (await downloading).path());
  expect(bytes.includes("morpheus.checkpoint"), "it is the state to resume from").toBe(true);

  await list.getByRole("button", { name: "Make a version of step 12" }).click();
  await list.getByRole("link", { name: /^Version/ }).click();
  await expect(page.getByText("Makes a version of step 12 of")).toBeVisible();
  await expect(page.getByText("The version is made.")).toBeVisible({ timeout: TRAINED_MS });
  await page.getByRole("link", { name: "Open model" }).click();
  await expect(page.getByRole("region", { name: "Where it is from" })).toContainText("12 steps");
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
  // What ended before this browser came is no news.
  await page.goto(`${server.url}/jobs`);
  await expect(page.getByRole("heading", { level: 1, name: "Jobs" })).toBeVisible();
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
  const news = page.getByRole("region", { name: "Just finished" });
  await expect(news.getByRole("link", { name: "Try Other" })).toBeVisible();
  await news.getByRole("button", { name: "Dismiss Other" }).click();
  await expect(news.getByRole("link", { name: "Open Other" })).toHaveCount(0);
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

test("a model has a star, a tag, and words on how to use it, which the playground offers", async ({
  app: page,
  server,
}) => {
  const { api, headers } = apiOf(page.request, server);
  const file = { name: "pen.safetensors", mimeType: "application/octet-stream", buffer: loraFile("unet.") };
  const multipart = { base_model: "tiny-xl", name: "Pen", trigger_words: "pen", file };
  const imported = await page.request.post(`${api}/models/import`, { multipart, headers });
  expect(imported.ok(), await imported.text()).toBe(true);
  const { id, model_id } = await imported.json();

  await page.goto(`${server.url}/models/${model_id}`);
  await page.getByRole("button", { name: "Star Pen" }).click();
  await page.getByRole("button", { name: "Tag", exact: true }).click();
  await page.getByLabel("New tag").fill("hatching");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Remove the tag hatching" })).toBeVisible();
  const usage = page.getByRole("region", { name: "How to use it" });
  await usage.getByRole("button", { name: "Edit" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Weight").fill("0.7");
  await dialog.getByLabel("Steps").fill("12");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(usage).toContainText("0.7");
  await checkAccessibility(page);

  await page.goto(`${server.url}/models`);
  await page
    .getByRole("group", { name: "Stars and tags" })
    .getByRole("button", { name: /hatching/ })
    .click();
  await expect(page).toHaveURL(/tag=hatching/);
  await expect(page.getByRole("link", { name: "Pen", exact: true })).toBeVisible();
  await expect(page.getByRole("link", { name: "Zora", exact: true })).toHaveCount(0);
  await checkAccessibility(page);

  await page.goto(`${server.url}/playground?lora=${id}`);
  await page.getByRole("button", { name: "Use this" }).click();
  const slider = (name: string) => page.getByRole("slider", { name, exact: true });
  await expect(slider("Steps")).toHaveAttribute("aria-valuenow", "12");
  await expect(slider("Weight of Pen v1")).toHaveAttribute("aria-valuenow", "0.7");

  // Deleted at once, and brought back twice: from the message, and from the list.
  await page.goto(`${server.url}/models/${model_id}`);
  const remove = page.getByRole("button", { name: "Delete model" });
  await remove.click();
  await expect(page).toHaveURL(`${server.url}/models`);
  await expect(page.getByRole("link", { name: "Pen", exact: true })).toHaveCount(0);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(page.getByRole("link", { name: "Pen", exact: true })).toBeVisible();
  await page.goto(`${server.url}/models/${model_id}`);
  await remove.click();
  await expect(page).toHaveURL(`${server.url}/models`);
  await page.goto(`${server.url}/settings`);
  const deleted = page.getByRole("region", { name: "Recently deleted" });
  await expect(deleted.getByRole("listitem")).toContainText("Pen");
  await checkAccessibility(page);
  await deleted.getByRole("button", { name: "Restore" }).click();
  await expect(deleted).toContainText("Nothing.");
});

test("a result is judged by its pictures, and one button begins what is to be done next", async ({
  page,
}) => {
  test.setTimeout(2 * TRAINED_MS + 120_000);
  const server = await startServer({ MORPHEUS_JUDGE_SHARE: "100" });
  try {
    await signIn(page, server);
    const job = await startJob(page.request, server, {
      dataset_id: await seedDataset(page.request, server),
      name: "Judged",
      parameters: { n_steps: 4, batch_size: 1, sample_every_n_steps: 0, checkpoint_every_n_steps: 2 },
    });
    const { get } = apiOf(page.request, server);
    await expect
      .poll(async () => (await get(`/jobs/${job}`)).ended_at != null, { timeout: 2 * TRAINED_MS })
      .toBe(true);
    const { model_version_id, stamp } = await get(`/jobs/${job}`);
    const version = await get(`/model-versions/${model_version_id}`);
    expect(version.judgement.stamp).toBe(stamp);
    await page.goto(`${server.url}/jobs/${job}`);
    const card = page.getByRole("region", { name: "Result", exact: true });
    await expect(card).toContainText(version.judgement.sentence);
    await card.getByText("Details").click();
    await expect(card.getByRole("row")).toHaveCount(version.judgement.measures.length + 1);
    const pictures = card.getByRole("figure").getByRole("img");
    expect(version.evidence.length, "all of it is stored").toBe(version.judgement.evidence.length);
    await expect(pictures.first()).toBeVisible();
    await checkAccessibility(page);
    await page.setViewportSize({ width: 390, height: 844 });
    const overflows = () => document.documentElement.scrollWidth > document.documentElement.clientWidth;
    expect(await page.evaluate(overflows), "nothing sticks out on a phone").toBe(false);

    await page.goto(`${server.url}/jobs/new?again=${job}&change=longer`);
    const changed = page.getByRole("list", { name: "Changed settings" });
    await expect(changed).toContainText("Steps: 4 → 8");
  } finally {
    await server.stop();
  }
});

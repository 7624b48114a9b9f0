// The acceptance tests, by their numbers, as a person does the main job. They run on the embedded default and, with
// MORPHEUS_TEST_SERVICES set, on PostgreSQL, Redis and S3.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { Page } from "@playwright/test";
import type { JobEvent, ModelVersion, Spend } from "../src/api/types";
import { formatCount, formatDuration, formatLoss } from "../src/lib/format";
import { formatUsd, parseUsd } from "../src/lib/money";
import { expect, test } from "./fixtures";
import { curve, difference, drop } from "./page";
import { readSafetensors } from "./safetensors";
import { BINARY, filesOf, startJob, ZORA } from "./server";
import { Simulator } from "./simulator";

// None needs what another one left, and they take the longest.
test.describe.configure({ mode: "parallel" });

const PROMPT = "lorelei ink comic portrait of zora, smiling, blue background";

test("acceptance 1: pictures dropped in the dashboard become a valid .safetensors in the object store", async ({
  app: page,
  server,
}) => {
  test.setTimeout(240_000);
  const { storage } = server;
  await page.goto(`${server.url}/datasets`);

  await test.step("drop pictures on a new dataset", async () => {
    await page.getByRole("button", { name: "New dataset" }).first().click();
    await page.getByLabel("Name").fill("Lorelei, dropped");
    await page.getByRole("button", { name: "Create and add pictures" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Lorelei, dropped");
    const wrong = test.info().outputPath("not-a-picture.png");
    await writeFile(wrong, "this is text");
    await drop(page, page.getByTestId("dropzone"), [...(await filesOf(ZORA)), wrong]);
    await expect(page.getByText("16 pictures · 16 captioned")).toBeVisible();
    const refused = page.getByRole("alert", { name: "Rejected files" });
    await expect(refused).toContainText("not-a-picture.png");
    await refused.getByRole("button", { name: "Dismiss" }).click();
  });

  await test.step("edit a caption", async () => {
    const caption = page.getByLabel("Caption of 000.png");
    await expect(caption).toHaveValue(/zora/);
    const saved = page.waitForResponse((answer) => answer.request().method() === "PATCH");
    await caption.fill("lorelei ink comic portrait of zora, smiling, sky blue background");
    await caption.press("Enter");
    expect((await saved).ok()).toBe(true);
    await page.reload();
    await expect(page.getByLabel("Caption of 000.png")).toHaveValue(/sky blue/);
  });

  const before = new Set(await storage.keys());
  expect(before.size, "every picture is stored").toBeGreaterThanOrEqual(16);

  await test.step("submit a job; a wrong value is refused at its field", async () => {
    await page.getByRole("link", { name: "Train on this" }).click();
    await page.getByLabel("Trigger word").fill("zora");
    await page.getByLabel("Rank", { exact: true }).fill("0");
    await expect(page.getByText("Enter at least 1.")).toBeVisible();
    await expect(page.getByRole("button", { name: "Start training" })).toBeDisabled();
    await page.getByLabel("Rank", { exact: true }).fill("8");
    await page.getByLabel("Steps", { exact: true }).fill("12");
    await page.getByLabel("Sample prompts").fill(PROMPT);
    await page.getByLabel("Priority").fill("11");
    await expect(page.getByText("Enter at most 10.")).toBeVisible();
    await page.getByLabel("Priority").fill("3");
    await page.locator("summary", { hasText: "Samples" }).click();
    await page.getByLabel("Sample every n steps").fill("6");
    await expect(page.getByText(/1\d pictures/).first()).toBeVisible();
    await page.getByRole("button", { name: "Start training" }).click();
    await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}/);
    await expect(page.getByText("Succeeded").first()).toBeVisible({ timeout: 180_000 });
    await expect(page).toHaveTitle(/^Succeeded · Lorelei, dropped/);
  });

  await test.step("the object store holds the file, and it is a LoRA", async () => {
    await page.getByRole("link", { name: "Open model" }).click();
    await expect(page.getByRole("region", { name: "Verdict" })).toBeVisible();
    const file = page.getByRole("region", { name: "File", exact: true });
    const sha256 = (await file.locator("code").textContent()) ?? "";
    const key = `sha256/${sha256.slice(0, 2)}/${sha256.slice(2)}`;
    const added = (await storage.keys()).filter((one) => !before.has(one));
    expect(added).toContain(key);

    const stored = await storage.read(key);
    expect(createHash("sha256").update(stored).digest("hex")).toBe(sha256);
    const { metadata, tensors } = readSafetensors(stored);
    expect(tensors.length).toBeGreaterThan(100);
    for (const { name } of tensors) {
      expect(name).toMatch(/^lora_unet_.*\.(lora_down\.weight|lora_up\.weight|alpha)$/);
    }
    expect(metadata).toMatchObject({ ss_network_dim: "8" });
    const copy = test.info().outputPath("stored.safetensors");
    await writeFile(copy, stored);
    await promisify(execFile)(BINARY, ["lora", "verify", copy]);

    const downloading = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download" }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toMatch(/-v1\.safetensors$/);
    // It has a preview, and how to use it, in addition to what the stored file says.
    const saved = await readFile(await download.path());
    const said = readSafetensors(saved).metadata;
    const { "modelspec.title": title, ...kept } = metadata;
    expect(said).toMatchObject({ ...kept, "modelspec.title": `${title} v1` });
    expect(said["modelspec.thumbnail"]).toMatch(/^data:image\/jpeg;base64,/);
    const tensorsOf = (file: Buffer) => file.subarray(8 + Number(file.readBigUInt64LE(0)));
    expect(tensorsOf(saved).equals(tensorsOf(stored)), "its tensors are those of that file").toBe(true);
  });
});

test("acceptance 2: WebSocket messages move loss curve, epoch and estimated completion time", async ({
  app: page,
  server,
}) => {
  test.setTimeout(240_000);
  const n_steps = 40;
  const parameters = { n_steps, batch_size: 2, sample_every_n_steps: 20 };
  const request = { dataset_id: server.seeded.dataset, name: "Lorelei, watched", parameters };
  const job = await startJob(page.request, server, { ...request, sample_prompts: [PROMPT] });

  const steps = new Map<number, Extract<JobEvent, { type: "step" }>>();
  page.on("websocket", (socket) => {
    if (!socket.url().includes(`/api/v1/jobs/${job}/events`)) return;
    socket.on("framereceived", ({ payload }) => {
      const event: JobEvent = JSON.parse(String(payload));
      if (event.type === "step") steps.set(event.step, event);
    });
  });
  await page.goto(`${server.url}/jobs/${job}`);
  const chart = page.getByRole("img", { name: /^Training loss/ });
  await expect(page.getByText("Done at")).toBeVisible({ timeout: 60_000 });
  await expect(chart).toBeVisible();

  // From here on, nothing but the socket tells the page how the job is doing.
  const asked: string[] = [];
  const elsewhere = new RegExp(`/api/v1/jobs(/${job}(/metrics)?)?([?].*)?$`);
  await page.route(elsewhere, (route) => {
    asked.push(route.request().url());
    return route.abort();
  });
  const seen = { curves: new Set<string>(), epochs: new Set<number>(), estimates: new Set<string>() };
  let last = 0;
  await expect(async () => {
    const shown = await figures(page);
    const event = steps.get(shown.step);
    if (event) {
      expect(shown, `step ${shown.step} as its message says`).toEqual({
        step: event.step,
        epoch: `${formatCount(event.epoch)} / ${formatCount(event.n_epochs)}`,
        left: formatDuration(event.eta_seconds),
        loss: formatLoss(event.loss),
      });
      expect(shown.step).toBeGreaterThanOrEqual(last);
      last = shown.step;
      seen.epochs.add(event.epoch);
      seen.estimates.add(shown.left);
      seen.curves.add(await curve(chart));
    }
    expect(seen.epochs.size).toBeGreaterThanOrEqual(3);
    expect(seen.estimates.size).toBeGreaterThanOrEqual(2);
    expect(seen.curves.size).toBeGreaterThanOrEqual(3);
  }).toPass({ timeout: 120_000, intervals: [50] });
  expect(asked, "while its stream is open, the page asks for the job nowhere else").toEqual([]);
  await page.screenshot({ path: test.info().outputPath("watched.png") });

  await page.unroute(elsewhere);
  await expect(
    page.getByRole("region", { name: "Samples and checkpoints" }).getByRole("img").first(),
  ).toBeVisible({
    timeout: 60_000,
  });
  await expect(page.getByText("Succeeded").first()).toBeVisible({ timeout: 180_000 });
  await expect(chart).toHaveAccessibleName(new RegExp(`at step ${n_steps},`));
  const missing = Array.from({ length: n_steps - last }, (_, i) => last + i + 1).filter(
    (step) => !steps.has(step),
  );
  expect(missing, "no step is left out of the stream").toEqual([]);
});

test("acceptance 3: with a limit of $50 an expensive job ends itself before the limit", async ({
  page,
  context,
  hurried,
}) => {
  test.setTimeout(420_000);
  await context.addCookies(hurried.cookies);
  const simulator = new Simulator(page.request, hurried.provider);
  const limit = 50_000_000;
  const money = page.getByRole("region", { name: "Money" });
  const meter = money.getByRole("meter", { name: "Spent of the limit" });
  const spent = async () =>
    usdIn((await meter.getAttribute("aria-valuetext")) ?? "", /^(\$[\d.]+) of \$50\.00/);

  await test.step("start a job that takes weeks on the dearest GPU", async () => {
    await page.goto(`${hurried.url}/jobs/new?dataset=${hurried.dataset}`);
    await page.getByLabel("Steps", { exact: true }).fill("1000000");
    await page.getByLabel("Rank", { exact: true }).fill("4");
    await page.getByLabel("Batch size", { exact: true }).fill("1");
    await page.locator("summary", { hasText: "Samples" }).click();
    await page.getByLabel("Checkpoint every n steps").fill("10");
    await page.getByLabel("Sample every n steps").fill("0");
    const where = page.getByRole("region", { name: "Where it runs" });
    await where.getByText("RunPod").click();
    await where.getByLabel("Cost limit").fill("50");
    await where.getByRole("checkbox", { name: /B200/ }).check();
    await expect(page.getByRole("region", { name: "This job" })).toContainText(
      "B200, secure, $5.99 per hour",
    );
    await page.getByRole("button", { name: "Start training" }).click();
    await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}/);
    await expect(money).toContainText("Live", { timeout: 60_000 });
    await expect(money).toContainText("NVIDIA B200");
    await page.getByRole("tab", { name: "Log" }).click();
    // The log shows its newest lines: by now there may be several, and the first out of sight.
    await expect(page.getByText(/checkpoint stored at step \d+$/).last()).toBeVisible({ timeout: 90_000 });
    expect(await simulator.living()).toHaveLength(1);
  });

  await test.step("hours pass, and the page counts what they cost", async () => {
    // The time in which nothing new would be seen passes at once; the end is left to the clock.
    const { instances } = await (await page.request.get(`${hurried.url}/api/v1/spend`)).json();
    const deadline = Date.parse(instances[0].deadline_at);
    for (;;) {
      const { now } = await simulator.state();
      const minutes = Math.min(30, (deadline - Date.parse(now)) / 60_000 - 30);
      if (minutes < 1) break;
      const before = await spent();
      await simulator.pass(minutes);
      const least = before + Math.floor((minutes * 5_980_000) / 60);
      await expect.poll(spent).toBeGreaterThanOrEqual(least);
      expect(await simulator.bill()).toBeLessThan(limit);
    }
    await expect(
      page.getByText(/of the limit of \$50\.00 is spent; the job stops with a checkpoint/),
    ).toBeVisible();
    await page.screenshot({ path: test.info().outputPath("near-its-limit.png") });
  });

  const step = await test.step("it ends itself with a checkpoint", async () => {
    const progress = page.getByRole("region", { name: "Progress", exact: true });
    await expect(progress).toContainText("Its limit of $50.00 is reached", { timeout: 150_000 });
    await expect(progress).toContainText("Stopped");
    await expect(money).toContainText("Gone");
    expect(await simulator.living()).toEqual([]);
    await page.screenshot({ path: test.info().outputPath("at-its-limit.png") });
    await page.getByRole("button", { name: "Resume with a higher limit" }).click();
    const resume = page.getByRole("dialog").getByRole("button", { name: /^Resume from step \d+$/ });
    const text = (await resume.textContent()) ?? "";
    await page.keyboard.press("Escape");
    return Number(/\d+$/.exec(text)?.[0]);
  });

  await test.step("the checkpoint is in the object store", async () => {
    const row = await hurried.storage.sql(
      `SELECT blob_key, sha256, size_bytes FROM artifacts WHERE kind = 'checkpoint' AND step = ${step} AND state = 'stored'`,
    );
    const [key = "", sha256, size] = row.split("|");
    const stored = await hurried.storage.read(key);
    expect(String(stored.length)).toBe(size);
    expect(createHash("sha256").update(stored).digest("hex")).toBe(sha256);
  });

  await test.step("the ledger is the provider's bill", async () => {
    const bill = await simulator.bill();
    expect(bill).toBeLessThanOrEqual(limit);
    expect(bill, "the limit is used").toBeGreaterThan(limit * 0.8);
    await page.getByRole("link", { name: "Ledger of this job" }).click();
    const machines = page.getByRole("region", { name: "Machines" }).getByRole("row", { name: /NVIDIA B200/ });
    // A bill is final when it has not changed for two hours.
    await expect(async () => {
      await simulator.pass(30);
      await page.reload();
      await machines.first().waitFor();
      const billed = (await machines.allTextContents()).map((row) => usdIn(row, /billed (\$[\d.]+)/));
      expect(billed.reduce((sum, micro) => sum + micro)).toBe(bill);
    }).toPass({ timeout: 60_000 });
    expect(await simulator.bill(), "nothing is charged any more").toBe(bill);

    const rows = page.getByRole("region", { name: "Entries" }).getByRole("row");
    const sums = { available: 0, reserved: 0, spent: 0 };
    for (const cells of await rows.evaluateAll(cellsOf)) {
      const [, , movement = "", amount = ""] = cells;
      const [from, to] = movement.split("→to ") as (keyof typeof sums)[];
      const micro = usdIn(amount, /^(.*)$/);
      if (from) sums[from] -= micro;
      if (to) sums[to] += micro;
    }
    expect(sums).toEqual({ available: -bill, reserved: 0, spent: bill });
    // A month pays for the machines that were ordered in it, and one may have ended meanwhile.
    const spend: Spend = await (await page.request.get(`${hurried.url}/api/v1/spend`)).json();
    const ofMonth = spend.instances
      .filter(({ ordered_at }) => ordered_at.startsWith(spend.month))
      .reduce((sum, { billed_micro_usd }) => sum + (billed_micro_usd ?? 0), 0);
    const now = page.getByRole("region", { name: "Now" });
    const figure = (label: RegExp) => now.getByText(label).locator("..");
    await expect(figure(/^Total spent$/).getByTitle(formatUsd(bill), { exact: true })).toBeVisible();
    await expect(figure(/^Spent in /).getByTitle(formatUsd(ofMonth), { exact: true })).toBeVisible();
    await expect(now).toContainText("Active machines0");
    await page.screenshot({ path: test.info().outputPath("settled.png"), fullPage: true });
  });
});

test("acceptance 4: pictures drawn with the LoRA differ as its verdict says", async ({
  app: page,
  server,
}) => {
  test.setTimeout(180_000);
  const api = `${server.url}/api/v1`;
  const version: ModelVersion = await (
    await page.request.get(`${api}/model-versions/${server.seeded.version}`)
  ).json();
  const judged = version.verdict?.picture_change ?? 0;
  expect(version.verdict?.passed).toBe(true);
  expect(judged).toBeGreaterThan(0.2);
  const job = await (await page.request.get(`${api}/jobs/${server.seeded.job}`)).json();

  await page.goto(`${server.url}/models/${server.seeded.model}`);
  const verdict = page.getByRole("region", { name: "Before and after" });
  await expect(verdict).toContainText(`Differs by ${((100 * judged) / 255).toFixed(1)} % on average`);
  await page.getByRole("link", { name: "Try it" }).click();

  // As the fixed-seed picture of the verdict: the first sample prompt, the recipe's seed, 20 steps.
  await page.getByLabel("Prompt", { exact: true }).fill(job.recipe.sample_prompts[0]);
  await page.getByRole("textbox", { name: "Seed" }).fill(String(job.recipe.parameters.seed));
  const n_steps = page.getByRole("slider", { name: "Steps", exact: true });
  await n_steps.focus();
  for (let n = Number(await n_steps.getAttribute("aria-valuenow")); n > 20; n--)
    await page.keyboard.press("ArrowLeft");
  await expect(n_steps).toHaveAttribute("aria-valuenow", "20");
  await page.getByRole("button", { name: "Generate" }).click();
  const without = page.getByRole("figure", { name: "Without the LoRA" }).getByRole("img");
  const withLora = page.getByRole("figure", { name: "With the LoRA", exact: true }).getByRole("img");
  await expect(without).toBeVisible({ timeout: 60_000 });
  await expect(withLora).toBeVisible({ timeout: 60_000 });
  await page.screenshot({ path: test.info().outputPath("compared.png") });

  const [off, on] = [await source(without, server.url), await source(withLora, server.url)];
  expect(await difference(page, off, on), "with and without").toBeCloseTo(judged, 1);
  const absolute = (url: string | null | undefined) => new URL(url ?? "", server.url).href;
  expect(await difference(page, off, absolute(version.before_url)), "the verdict's picture before").toBe(0);
  expect(await difference(page, on, absolute(version.after_url)), "the verdict's picture after").toBe(0);

  await test.step("the picture is saved, not opened", async () => {
    const downloading = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download: With the LoRA" }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toMatch(/\.png$/);
    const saved = await readFile(await download.path());
    const shown = await (await page.request.get(on)).body();
    expect(saved.equals(shown)).toBe(true);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Playground");
  });
});

test("acceptance 5: hyperparameters, timestamps and artifact addresses are read back by SQL", async ({
  server,
}) => {
  const { storage } = server;
  const columns = (row: string) => row.split("|");
  const job = columns(
    await storage.sql(
      `SELECT name, trigger_word, base_model, engine, preset, n_steps, batch_size, rank > 0, alpha > 0,
              learning_rate > 0 AND learning_rate < 0.1, resolution, seed >= 0, phase, artifact_url,
              created_at <= started_at AND started_at < ended_at AND ended_at <= updated_at
       FROM training_jobs WHERE name = 'Zora' AND phase = 'succeeded'`,
    ),
  );
  const yes = expect.stringMatching(/^(t|1)$/);
  const place = expect.stringMatching(/^(s3|file):\/\/.+\/sha256\/[0-9a-f]{2}\/[0-9a-f]{62}$/);
  expect(job).toEqual([
    ...["Zora", "zora", "tiny-xl", "native", "character", "12", "2"],
    ...[yes, yes, yes, "128", yes, "succeeded", place, yes],
  ]);
  expect(job[13]).toMatch(process.env.MORPHEUS_TEST_SERVICES ? /^s3:/ : /^file:/);

  const version = columns(
    await storage.sql(
      `SELECT model_versions.name, version, stage, model_versions.n_steps, model_versions.batch_size,
              model_versions.rank = training_jobs.rank, model_versions.alpha = training_jobs.alpha,
              model_versions.learning_rate = training_jobs.learning_rate, model_versions.seed = training_jobs.seed,
              verdict_passed, model_versions.artifact_url = training_jobs.artifact_url, sha256, size_bytes,
              model_versions.created_at >= training_jobs.started_at, promoted_at IS NULL,
              training_datasets.name
       FROM model_versions
       JOIN training_jobs ON training_jobs.id = model_versions.job_id
       JOIN training_datasets ON training_datasets.id = training_jobs.dataset_id
       WHERE training_jobs.model_version_id = model_versions.id AND training_jobs.name = 'Zora'`,
    ),
  );
  const [sha256 = "", size = ""] = version.slice(11, 13);
  expect(version).toEqual([
    ...["Zora", "1", "draft", "12", "2", yes, yes, yes, yes, yes, yes],
    ...[expect.stringMatching(/^[0-9a-f]{64}$/), expect.stringMatching(/^\d+$/), yes, yes, "Zora"],
  ]);

  // The address in the row is where the bytes are.
  const key = job[13]?.slice(job[13].indexOf("sha256/")) ?? "";
  const stored = await storage.read(key);
  expect(String(stored.length)).toBe(size);
  expect(createHash("sha256").update(stored).digest("hex")).toBe(sha256);
  expect(key).toBe(`sha256/${sha256.slice(0, 2)}/${sha256.slice(2)}`);

  const steps = await storage.sql(
    `SELECT count(job_metrics.loss), max(step) FROM job_metrics
     JOIN training_jobs ON training_jobs.id = job_metrics.job_id WHERE training_jobs.name = 'Zora'`,
  );
  expect(steps).toBe("12|12");
});

/** What the page says at one moment. */
function figures(page: Page): Promise<{ step: number; epoch: string; left: string; loss: string }> {
  const list = page.getByRole("region", { name: "Progress", exact: true }).locator("dl");
  return list.evaluate((element) => {
    const text = (label: string) => {
      const term = [...element.querySelectorAll("dt")].find((one) => one.textContent === label);
      return term?.nextElementSibling?.textContent?.trim() ?? "";
    };
    return {
      step: Number.parseInt(text("Step"), 10),
      epoch: text("Epoch"),
      left: /in (.*)$/.exec(text("Done at"))?.[1] ?? "",
      loss: text("Current loss"),
    };
  });
}

async function source(image: ReturnType<Page["getByRole"]>, server: string): Promise<string> {
  return new URL((await image.getAttribute("src")) ?? "", server).href;
}

/** The amount that a pattern's first group holds, in micro-dollars. */
function usdIn(text: string, pattern: RegExp): number {
  const micro = parseUsd(pattern.exec(text)?.[1] ?? "");
  if (micro === null) throw new Error(`no amount in ${JSON.stringify(text)}`);
  return micro;
}

/** A table's rows, the one with its columns' names left out. */
function cellsOf(rows: Element[]): string[][] {
  return rows
    .map((row) =>
      [...row.querySelectorAll("td")].map((cell) => cell.textContent?.replace(/\s*→\s*/, "→") ?? ""),
    )
    .filter((cells) => cells.length > 0);
}

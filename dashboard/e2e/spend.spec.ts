// Rented machines, as a person pays for them: a limit, a machine, its cost live, and what to do when money runs out.
import type { Page } from "@playwright/test";
import type { CreateJob, Job, JobEvent, RentedInstance, Spend } from "../src/api/types";
import { formatUsd, typedUsd } from "../src/lib/money";
import { checkLooks } from "./checks";
import { expect, type Renting, test } from "./fixtures";
import { apiOf } from "./server";
import { Simulator } from "./simulator";

const N_STEPS = 2000;

test.beforeEach(async ({ context, renting }) => {
  await context.addCookies(renting.cookies);
});

test("rent a machine within a limit, watch its cost, stop, run out of money, resume", async ({
  page,
  renting,
}) => {
  test.setTimeout(300_000);
  const steps: number[] = [];
  page.on("websocket", (socket) => {
    if (!/\/jobs\/.*\/events/.test(socket.url())) return;
    socket.on("framereceived", ({ payload }) => {
      const event: JobEvent = JSON.parse(String(payload));
      if (event.type === "step") steps.push(event.step);
    });
  });
  await page.goto(`${renting.url}/jobs/new?dataset=${renting.dataset}`);
  const where = page.getByRole("region", { name: "Where it runs" });
  const start = page.getByRole("button", { name: "Start training" });

  await test.step("nothing is asked about money where it costs nothing", async () => {
    await expect(where.getByRole("radio", { name: "This machine" })).toBeChecked();
    await expect(where.getByLabel("Cost limit")).toHaveCount(0);
    await expect(start).toBeEnabled();
  });

  await test.step("a rented machine needs a limit that is enough to start", async () => {
    await where.getByText("RunPod").click();
    await expect(where).toMatchAriaSnapshot(FORM);
    await expect(start).toBeDisabled();
    const limit = where.getByLabel("Cost limit");
    for (const text of ["0", "0.01", "-1"]) {
      await limit.fill(text);
      await expect(where.getByRole("alert")).toHaveText(/^Enter at least \$0\.\d+\.$/);
      await expect(start).toBeDisabled();
    }
    await limit.fill("2.50");
    await expect(where.getByRole("alert")).toHaveCount(0);
    await expect(start).toBeEnabled();
  });

  await test.step("GPUs are asked for in the order in which they are chosen", async () => {
    await where.getByRole("checkbox", { name: /L40S/ }).check();
    await where.getByRole("checkbox", { name: /RTX 4090/ }).check();
    await expect(where.getByText("Tried in this order: L40S, then RTX 4090.")).toBeVisible();
    await expect(page.getByRole("region", { name: "This job" })).toContainText("L40S");
    await where.getByLabel("Project").fill("panels");
    await page.getByLabel("Steps", { exact: true }).fill(String(N_STEPS));
    await page.getByLabel("Sample prompts").fill("lorelei ink comic portrait of zora");
    await expect(page.getByRole("region", { name: "This job" })).toContainText("2,000 steps");
    await checkInBothThemes(page, "new-job-rented");
  });

  await test.step("what changed since the estimate is not paid for unseen", async () => {
    await expect(start).toBeEnabled();
    const { api, headers, get } = apiOf(page.request, renting);
    const [item] = (await get(`/datasets/${renting.dataset}/items`)).items;
    await page.request.patch(`${api}/datasets/${renting.dataset}/items/${item.id}`, {
      data: { caption: `${item.caption}, ink` },
      headers,
    });
    const again = page.waitForResponse((answer) => answer.url().endsWith("/jobs/estimate"));
    await start.click();
    const told = page.getByRole("region", { name: "This job" }).getByRole("alert");
    await expect(told).toContainText("have changed since the estimate was made");
    expect((await again).ok()).toBe(true);
    await expect(start).toBeEnabled();
    await start.click();
    await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}/);
  });

  const money = page.getByRole("region", { name: "Money" });

  await test.step("its cost moves while it trains", async () => {
    await expect(money).toContainText("Live", { timeout: 60_000 });
    await expect(money).toContainText("NVIDIA L40S");
    const spent = money.getByRole("meter", { name: "Spent of the limit" });
    const first = await spent.getAttribute("aria-valuetext");
    await expect(spent).not.toHaveAttribute("aria-valuetext", first ?? "", { timeout: 60_000 });
    await expect(page.getByTestId("percent")).not.toHaveText("0%", { timeout: 120_000 });
    await expect(money).toMatchAriaSnapshot(MONEY);
    await checkInBothThemes(page, "job-rented");
  });

  await test.step("the limit can be raised, and not below what is spent", async () => {
    await money.getByRole("button", { name: "Raise limit" }).click();
    const dialog = page.getByRole("dialog", { name: "Raise the limit" });
    await dialog.getByLabel("Total limit").fill("0.000001");
    await expect(dialog.getByRole("alert")).toContainText("Enter at least");
    await dialog.getByLabel("Total limit").fill("3");
    await dialog.getByRole("button", { name: "Set the limit" }).click();
    await expect(dialog).toHaveCount(0);
    await expect(money).toContainText("/ $3.00");
  });

  await test.step("budgets and machines are on the page of their own", async () => {
    await page.goto(`${renting.url}/spend`);
    await expect(page.getByRole("main")).toMatchAriaSnapshot(SPEND);
    await limitTheMonth(page);
    await checkInBothThemes(page, "spend-rented");
    await page.getByRole("region", { name: "Ledger" }).getByRole("link", { name: "Zora" }).first().click();
    await expect(page).toHaveURL(/job=/);
    await page.getByRole("region", { name: "Machines" }).getByRole("link", { name: "Zora" }).click();
  });

  await test.step("out of money it says what would do, and goes on with that", async () => {
    await page.getByRole("button", { name: "Stop" }).click();
    await expect(money).toContainText("Gone", { timeout: 60_000 });
    const resume = page.getByRole("button", { name: /^Resume from step \d+$/ });
    const checkpoint = Number(/\d+$/.exec((await resume.textContent()) ?? "")?.[0]);
    const job: Job = await apiOf(page.request, renting).get(new URL(page.url()).pathname);
    await resume.click();
    const dialog = page.getByRole("dialog", { name: /^Resume/ });
    // Ten cents more than what is spent, in whole cents, are not enough for another machine.
    const short = Math.ceil((job.spend.spent_micro_usd + 100_000) / 10_000) * 10_000;
    await dialog.getByLabel("Total limit").fill(typedUsd(short));
    await dialog.getByRole("button", { name: /^Resume/ }).click();
    await page.getByRole("button", { name: "Resume with a higher limit" }).click({ timeout: 60_000 });
    await expect(dialog).toContainText(`Its limit of ${formatUsd(short)} is reached`);
    await expect(dialog.getByLabel("Total limit")).toHaveValue("");
    await dialog.getByLabel("Total limit").fill("4");
    steps.length = 0;
    await dialog.getByRole("button", { name: /^Resume/ }).click();
    await expect(money).toContainText("/ $4.00");
    await expect(money).toContainText("Live", { timeout: 60_000 });
    await expect(money).toContainText("1 machine before it");
    await expect.poll(() => steps[0], { timeout: 60_000 }).toBe(checkpoint + 1);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Cancel the job" }).click();
    await expect(money).toContainText("Gone", { timeout: 60_000 });
  });
});

test("machines of others are shown and never touched, whatever happens to those of ours", async ({
  page,
  renting,
}) => {
  test.setTimeout(180_000);
  const simulator = new Simulator(page.request, renting.provider);
  const { get, post } = apiOf(page.request, renting);
  const notebook = await simulator.order("my-notebook", "NVIDIA A100 80GB PCIe");
  // Another installation's, whose deadline is long over: that one's owner has to know.
  const other = await simulator.order("mph-zzzzzz-00000000-a1-000000-d1", "NVIDIA GeForce RTX 4090");
  const strangers = async () =>
    (await simulator.living()).map(({ id }) => id).filter((id) => [notebook, other].includes(id));
  const billOfOurs = async () => {
    const { pods } = await simulator.state();
    const ours = pods.filter(({ id }) => id !== notebook && id !== other);
    return ours.reduce((sum, pod) => sum + pod.billed_micro_usd, 0);
  };

  const id = await startRented(page, renting, { name: "Beside others", parameters: { n_steps: N_STEPS } });
  await page.goto(`${renting.url}/jobs/${id}`);
  const money = page.getByRole("region", { name: "Money" });
  await expect(money).toContainText("Live", { timeout: 60_000 });

  await test.step("they are counted beside ours, and in no budget", async () => {
    await page.goto(`${renting.url}/spend`);
    const providers = page.getByRole("region", { name: "Providers" });
    const told =
      /2 machines of the account were not rented by Morpheus: \$2\.0\d per hour. They count in no budget and are never touched/;
    await expect(async () => {
      await page.reload();
      await expect(providers).toContainText(told, { timeout: 1_000 });
    }).toPass({ timeout: 30_000 });
    const machines = page.getByRole("region", { name: "Machines" });
    await expect(machines.getByRole("link", { name: "Beside others" })).toBeVisible();
    await expect(machines).toContainText("1 not confirmed terminated");
    await expect(machines).not.toContainText("my-notebook");
    await expect(machines).not.toContainText("mph-zzzzzz");
    await checkInBothThemes(page, "spend-foreign");
  });

  await test.step("they outlive ours", async () => {
    await post(`/jobs/${id}/cancel`, {});
    await page.goto(`${renting.url}/jobs/${id}`);
    await expect(money).toContainText("Gone", { timeout: 60_000 });
    expect((await simulator.living()).map((pod) => pod.id).sort()).toEqual([notebook, other].sort());
    const { rate_micro_usd, instances } = await get("/spend");
    expect(rate_micro_usd, "ours cost nothing any more").toBe(0);
    const counted = instances.map((one: RentedInstance) => one.billed_micro_usd ?? one.accrued_micro_usd);
    const sum = counted.reduce((total: number, micro: number) => total + micro, 0);
    expect(sum).toBeGreaterThanOrEqual(await billOfOurs());
    // Half an hour of the provider's later.
    await simulator.pass(30);
    expect(await strangers()).toHaveLength(2);
    await simulator.end(notebook);
    await simulator.end(other);
  });
});

const BUDGETS = [
  { scope: "project", named: /the project zine/, refusedFor: "the project zine" },
  { scope: "user", named: /everything/, refusedFor: "the user" },
  { scope: "month", named: /[A-Z][a-z]+ \d{4}/, refusedFor: "the month \\d{4}-\\d\\d" },
] as const;

for (const { scope, named, refusedFor } of BUDGETS) {
  test(`a ${scope}'s budget that binds is named, and a job that it cannot pay is refused`, async ({
    page,
    renting,
  }) => {
    const { get } = apiOf(page.request, renting);
    const { budgets: known, month }: Spend = await get("/spend");
    const key = { project: "zine", user: "", month }[scope];
    const used = known.find((one) => one.scope === scope && one.key === key)?.spent_micro_usd ?? 0;
    const budgets = page.getByRole("region", { name: "Budgets" });
    const change = budgets.getByRole("button", {
      name: new RegExp(`^(Set|Change) limit of ${named.source}$`),
    });
    const dialog = page.getByRole("dialog");

    await page.goto(`${renting.url}/spend`);
    if (scope === "project") {
      await budgets.getByRole("button", { name: "Limit a project" }).click();
      await dialog.getByLabel("Project").fill(key);
    } else {
      await change.click();
    }
    // Ten cents more than what is spent: less than any machine needs to start.
    await dialog.getByLabel("Limit in dollars").fill(typedUsd(used + 100_000));
    await dialog.getByRole("button", { name: "Set the limit" }).click();
    await expect(dialog).toHaveCount(0);

    await page.goto(`${renting.url}/jobs/new?dataset=${renting.dataset}`);
    const where = page.getByRole("region", { name: "Where it runs" });
    await where.getByText("RunPod").click();
    await where.getByLabel("Cost limit").fill("2.50");
    await where.getByLabel("Project").fill("zine");
    const binding = page.getByRole("list", { name: "Limiting budgets" }).getByRole("listitem");
    await expect(binding).toHaveText([/^The budget of .* has \$0\.10 left: not enough to start\.$/]);
    await expect(binding).toContainText(named);
    await page.getByRole("button", { name: "Start training" }).click();
    const refused = page.getByRole("region", { name: "This job" }).getByRole("alert");
    await expect(refused).toContainText(
      new RegExp(
        `The job was not started: the budget of ${refusedFor} has \\$0\\.10 left, .* needs \\$0\\.\\d+ to start`,
      ),
    );
    await expect(page).toHaveURL(/\/jobs\/new/);
    if (scope === "project") await checkInBothThemes(page, "new-job-refused");

    await page.goto(`${renting.url}/spend`);
    await change.click();
    await dialog.getByRole("button", { name: "Remove the limit" }).click();
    await expect(dialog).toHaveCount(0);
    await expect(change).toHaveAccessibleName(/^Set/);
  });
}

test("a provider that refuses to be paid is halted until somebody has looked", async ({ page, renting }) => {
  test.setTimeout(180_000);
  const { post } = apiOf(page.request, renting);
  const sim = `${renting.provider.url}/__sim/faults`;
  await page.request.post(sim, { data: { what: { kind: "answer", route: "create", status: 402 } } });
  const unpaid = await startRented(page, renting, { name: "Unpaid" });

  const providers = page.getByRole("region", { name: "Providers" });
  await test.step("the halt is told where machines are, and where jobs are made", async () => {
    await page.goto(`${renting.url}/spend`);
    await expect(async () => {
      await page.reload();
      await expect(providers.getByRole("alert")).toContainText("Renting is paused.", {
        timeout: 1_000,
      });
    }).toPass({ timeout: 60_000 });
    await checkInBothThemes(page, "spend-halted");
    await page.goto(`${renting.url}/jobs/${unpaid}`);
    await expect(page.getByRole("region", { name: "Progress", exact: true })).toContainText("Queued");
    await checkInBothThemes(page, "job-halted");
    await page.goto(`${renting.url}/jobs/new?dataset=${renting.dataset}`);
    await page.getByRole("region", { name: "Where it runs" }).getByText("RunPod").click();
    await expect(page.getByRole("link", { name: "Go to Spend" })).toBeVisible();
    await checkInBothThemes(page, "new-job-halted");
  });

  await test.step("it goes on once somebody says so", async () => {
    await page.getByRole("link", { name: "Go to Spend" }).click();
    await post(`/jobs/${unpaid}/cancel`, {});
    await page.request.delete(sim);
    await providers.getByRole("button", { name: "Resume renting" }).click();
    await expect(providers.getByRole("alert")).toHaveCount(0);
  });
});

test("a lost machine is not replaced while its project has no money left", async ({ page, renting }) => {
  test.setTimeout(120_000);
  const simulator = new Simulator(page.request, renting.provider);
  const id = await startRented(page, renting, {
    name: "Lost",
    project: "zine",
    parameters: { n_steps: N_STEPS },
  });
  await page.goto(`${renting.url}/jobs/${id}`);
  const money = page.getByRole("region", { name: "Money" });
  await expect(money).toContainText("Live", { timeout: 60_000 });

  await page.goto(`${renting.url}/spend`);
  const budgets = page.getByRole("region", { name: "Budgets" });
  await budgets.getByRole("button", { name: /limit of the project zine$/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Limit in dollars").fill("0.01");
  await dialog.getByRole("button", { name: "Set the limit" }).click();
  await expect(dialog).toHaveCount(0);

  await page.goto(`${renting.url}/jobs/${id}`);
  const [ours] = await simulator.living();
  await simulator.end(ours?.id ?? "");
  const progress = page.getByRole("region", { name: "Progress", exact: true });
  await expect(progress).toContainText(
    /Waits for money: \$0\.00 of the \$0\.01 of the project zine is free, and a machine needs \$0\.\d+ to start with\./,
    { timeout: 60_000 },
  );
  await expect(progress).toContainText("Queued");
  await expect(money).toContainText("Gone");
  expect(await simulator.living()).toEqual([]);
  await checkInBothThemes(page, "job-waits-for-money");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Cancel the job" }).click();
  await expect(progress).toContainText("Canceled");
});

/** Starts a job on a rented machine through the API, with a limit of $5. */
async function startRented(page: Page, renting: Renting, change: Partial<CreateJob>): Promise<string> {
  const { post } = apiOf(page.request, renting);
  const job = {
    dataset_id: renting.dataset,
    base_model: "tiny-xl",
    provider: "runpod",
    parameters: { n_steps: 10 },
    ...change,
  };
  const { hash } = await post("/jobs/estimate", job);
  const { id } = await post("/jobs", { ...job, limit_micro_usd: 5_000_000, estimate_hash: hash });
  return id;
}

/** In both themes and both sizes; the page is as wide as before afterwards. */
async function checkInBothThemes(page: Page, name: string): Promise<void> {
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await checkLooks(page, `${name}-${theme}`);
  }
  await page.setViewportSize({ width: 1360, height: 860 });
}

/** Sets this month's limit, and sees it. */
async function limitTheMonth(page: Page): Promise<void> {
  const budgets = page.getByRole("region", { name: "Budgets" });
  await budgets.getByRole("button", { name: /Set limit of \w+ \d{4}/ }).click();
  const dialog = page.getByRole("dialog", { name: /Limit of \w+ \d{4}/ });
  await dialog.getByLabel("Limit in dollars").fill("20");
  await dialog.getByRole("button", { name: "Set the limit" }).click();
  await expect(budgets).toContainText("spent of $20.00");
}

const FORM = `
- region "Where it runs":
  - heading "Where it runs" [level=2]
  - group "Provider":
    - radio /This machine/
    - radio /RunPod/ [checked]
  - textbox "Cost limit in dollars"
  - text: Project
  - combobox "Project"
  - region "GPUs":
    - table:
      - rowgroup:
        - row "GPU Tier Per hour Time Cost"
      - rowgroup:
        - row /RTX 3090 .* Community in stock \\$0\\.\\d+ ≈ \\d+ min \\(\\d+–\\d+\\) rough estimate \\$0\\.\\d+–0\\.\\d+/:
          - cell /RTX 3090/:
            - checkbox /RTX 3090/
    - paragraph: /None chosen/
`;

const MONEY = `
- region "Money":
  - link "Ledger of this job"
  - button "Raise limit"
  - meter "Spent of the limit"
  - term: Spent of limit
  - definition: /\\$\\d+\\.\\d+ \\/ \\$2\\.50/
  - term: Current rate
  - definition: /\\$0\\.\\d+ per hour/
  - term: Forecast total
  - definition: /\\$\\d+\\.\\d+/
  - term: Reserved
  - definition: /\\$\\d+\\.\\d+/
`;

const SPEND = `
- main:
  - heading "Spend" [level=1]
  - region "Now":
    - term: Current rate
    - definition: /\\$0\\.\\d+ per hour/
    - term: Active machines
    - definition: "1"
  - region "Machines":
    - table:
      - rowgroup:
        - row "Machine For Phase Per hour Cost Deadline"
      - rowgroup:
        - row /NVIDIA L40S .* Zora attempt 1 Live \\$0\\.\\d+ .* not billed yet Must end by/:
          - cell /NVIDIA L40S/
          - cell /Zora/:
            - link "Zora"
  - region "Ledger":
    - region "Entries":
      - table:
        - rowgroup:
          - row "Time What Movement For Amount"
        - rowgroup:
          - row /Accrue reserved .*to spent Zora/
  - region "Budgets":
    - button "Limit a project"
    - list:
      - listitem:
        - heading "Everything" [level=3]
      - listitem:
        - heading /\\w+ \\d{4}/ [level=3]
      - listitem:
        - heading "panels" [level=3]
  - region "Providers":
    - list:
      - listitem:
        - heading "This machine" [level=3]
      - listitem:
        - heading "RunPod" [level=3]
`;

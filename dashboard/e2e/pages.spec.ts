// Every page: what it says to a screen reader, no accessibility error in either theme, and how it looks.
import { checkAccessibility, checkLooks, settled } from "./checks";
import { expect, test } from "./fixtures";
import type { Seeded } from "./server";

interface Place {
  name: string;
  path: (seeded: Seeded) => string;
  /** Landmarks, headings and controls that must be there, in this order. */
  aria: string;
}

const SHELL = `
  - link "Skip to content"
  - complementary:
    - link "Morpheus"
    - button /Search/
    - link "New job"
    - navigation "Main":
      - list:
        - listitem:
          - link "Jobs"
        - listitem:
          - link "Datasets"
        - listitem:
          - link "Models"
        - listitem:
          - link "Playground"
        - listitem:
          - link "Spend"
    - group "Theme":
      - button "System theme"
      - button "Light theme"
      - button "Dark theme"
`;

const PLACES: Place[] = [
  {
    name: "jobs",
    path: () => "/jobs",
    aria: `
- main:
  - heading "Jobs" [level=1]
  - searchbox "Search jobs"
  - group "Show":
    - button "All" [pressed]
    - button "Active"
    - button "Ended"
  - table:
    - rowgroup:
      - row "Compare Name Phase Progress Loss Time Created"
    - rowgroup:
      - row /Zora/:
        - cell /Zora/:
          - link "Zora"
        - cell "Succeeded"
        - cell /12 \\/ 12/:
          - progressbar "Progress of Zora"
`,
  },
  {
    name: "job",
    path: ({ job }) => `/jobs/${job}`,
    aria: `
- main:
  - link "Jobs"
  - heading "Zora" [level=1]
  - link "Open model"
  - region "Progress":
    - paragraph
    - progressbar "Progress of this job"
    - term: Epoch
    - definition
    - term: Step
    - definition: /12 \\/ 12/
  - tablist:
    - tab "Overview" [selected]
    - tab /Samples/
    - tab "Log"
    - tab "Configuration"
  - tabpanel "Overview":
    - region "Samples and checkpoints":
      - list "Samples and checkpoints by step":
        - listitem:
          - paragraph: Before training
    - region "Loss":
      - heading "Loss" [level=2]
      - group:
        - slider "Smoothing"
      - group "Loss axis"
      - group "Show loss as"
      - img /Training loss .* at step 12/
      - group:
        - slider "Step on the curve"
      - button "What this step saw"
`,
  },
  {
    name: "job-loss-table",
    path: ({ job }) => `/jobs/${job}?chart=table`,
    aria: `
- region "Loss by step":
  - table:
    - rowgroup:
      - row "Step Loss Smoothed Learning rate"
    - rowgroup:
      - row /^12/
`,
  },
  {
    name: "job-samples",
    path: ({ job }) => `/jobs/${job}?tab=samples`,
    aria: `
- region "Samples by prompt and step":
  - table:
    - rowgroup:
      - row /Prompt.*Start.*Step 4.*Step 12/
    - rowgroup:
      - row /lorelei ink comic portrait of zora/:
        - rowheader
        - cell:
          - button /lorelei/
`,
  },
  {
    name: "job-log",
    path: ({ job }) => `/jobs/${job}?tab=log`,
    aria: `
- region "Log":
  - region "Log lines"
`,
  },
  {
    name: "job-configuration",
    path: ({ job }) => `/jobs/${job}?tab=configuration`,
    aria: `
- region "Job":
  - term: Base model
  - definition: tiny-xl
- region "Parameters":
  - term
  - definition
`,
  },
  {
    name: "new-job",
    path: ({ dataset }) => `/jobs/new?dataset=${dataset}`,
    aria: `
- main:
  - heading "New job" [level=1]
  - region "Data and model":
    - combobox "Dataset"
    - combobox "Base model"
  - region "Purpose":
    - group "Preset":
      - radio /Character/ [checked]
      - radio /Style/
      - radio /Concept/
    - combobox "Settings for"
  - region "Naming":
    - textbox "Name": Zora
    - textbox "Trigger word"
  - region "Training":
    - group "Length":
      - textbox "Views"
      - textbox "Steps"
      - textbox "Epochs"
    - combobox "Engine"
    - textbox "Learning rate"
    - textbox "Batch size"
    - textbox "Rank"
    - textbox "Resolution"
    - textbox "Sample prompts"
  - region "Scheduling":
    - textbox "Priority": "0"
  - region "This job":
    - term: Trained on
    - definition: /pictures/
    - button "Start training"
`,
  },
  {
    name: "datasets",
    path: () => "/datasets",
    aria: `
- main:
  - heading "Datasets" [level=1]
  - searchbox "Search datasets"
  - button "New dataset"
  - list:
    - listitem:
      - link "Zora"
`,
  },
  {
    name: "dataset",
    path: ({ dataset }) => `/datasets/${dataset}`,
    aria: `
- main:
  - heading "Zora" [level=1]
  - button "Delete"
  - link "Train on this"
  - region "Add pictures":
    - button "Choose files"
  - navigation "Filters":
    - list "Pictures by what they have in common":
      - listitem:
        - button /^All/ [pressed]
    - list "Tags by frequency"
  - searchbox "Search captions"
  - combobox "Sort"
  - list "Pictures":
    - listitem:
      - img
      - button "Show 000.png large"
      - checkbox "Select 000.png"
      - textbox "Caption of 000.png"
      - group "Use of 000.png":
        - button "Train" [pressed]
        - button "Held out"
      - button "Delete 000.png"
`,
  },
  {
    name: "models",
    path: () => "/models",
    aria: `
- main:
  - heading "Models" [level=1]
  - searchbox "Search models"
  - button "Extract a LoRA"
  - list:
    - listitem:
      - link "Zora"
`,
  },
  {
    name: "model",
    path: ({ model }) => `/models/${model}`,
    aria: `
- main:
  - heading "Zora" [level=1]
  - button "Retire"
  - link "Download"
  - link "Try it"
  - region "Before and after":
    - slider /Compare/
  - region "File"
  - region "Make something of it":
    - button "Merge with…"
    - button "Resize…"
    - button "Weigh blocks…"
    - button "Download as…"
  - region "Verdict":
    - heading "Verdict" [level=2]
    - group: File is healthy (5 checks)
    - list "Result"
  - group: Modules and metadata
`,
  },
  {
    name: "playground",
    path: ({ version, generation }) => `/playground?lora=${version}&show=${JSON.stringify([generation])}`,
    aria: `
- main:
  - heading "Playground" [level=1]
  - textbox "Prompt"
  - textbox "Negative prompt"
  - checkbox "Read brackets as letters"
  - region "LoRAs":
    - group:
      - slider "Weight of Zora v1"
  - checkbox "Also show it without LoRAs" [checked]
  - button "Generate"
  - combobox "Base model"
  - textbox "Seed"
  - figure "Picture":
    - img "lorelei ink comic portrait of zora"
  - region "History"
`,
  },
  {
    name: "spend",
    path: () => "/spend",
    aria: `
- main:
  - heading "Spend" [level=1]
  - region "Now":
    - term: Current rate
    - definition: /\\$0.00 per hour/
  - region "Machines":
    - paragraph: No machine has been rented yet.
  - region "Ledger":
    - paragraph: No entries yet.
  - region "Budgets":
    - button "Limit a project"
    - list:
      - listitem:
        - heading "Everything" [level=3]
        - button "Set limit of everything"
  - region "Providers":
    - list:
      - listitem:
        - heading "This machine" [level=3]
      - listitem:
        - heading "Your own machines" [level=3]
`,
  },
  {
    name: "settings",
    path: () => "/settings",
    aria: `
- main:
  - heading "Settings" [level=1]
  - button "Sign out"
  - region "This browser":
    - group "Theme"
    - group "Single-key shortcuts"
  - region "When a job ends":
    - paragraph
    - textbox "Name"
    - textbox "URL of the webhook"
    - group "Tell of"
    - button "Add a webhook" [disabled]
  - region "Models that describe pictures":
    - paragraph
    - textbox "Name"
    - textbox "Base URL"
    - textbox "Model"
    - button "Add an endpoint" [disabled]
  - region "Base models":
    - form "Add a base model":
      - group "Source of the base model":
        - button "File on the server" [pressed]
        - button "Web address"
        - button "Hugging Face"
      - paragraph
      - textbox "Name"
      - textbox "Path"
      - combobox "Prediction"
      - textbox "VAE, if not its own"
      - button "Add and check" [disabled]
  - region "API tokens":
    - group "Who uses the token"
    - paragraph
    - textbox "What the token is for"
    - combobox "Expires"
    - button "Create a token" [disabled]
    - list
  - region "Signed-in browsers":
    - button "Sign out everywhere"
    - list:
      - listitem:
        - paragraph: /This browser/
  - region "Storage":
    - paragraph
  - region "Recently deleted"
  - region "Server"
`,
  },
  {
    name: "audit",
    path: () => "/audit",
    aria: `
- main:
  - link "Settings"
  - heading "Audit log" [level=1]
  - combobox "Category"
  - region "Entries":
    - table "Who did what, the newest first":
      - rowgroup:
        - row "Time What Who From"
`,
  },
  {
    name: "missing-job",
    path: () => "/jobs/01900000-0000-7000-8000-000000000000",
    aria: `
- alert:
  - heading "There is no job 01900000-0000-7000-8000-000000000000." [level=1]
  - button "Try again"
  - link "Go to jobs"
`,
  },
  { name: "missing-page", path: () => "/no-such-page", aria: `- heading "Page not found" [level=1]` },
];

for (const { name, path, aria } of PLACES) {
  test(`${name} says what it is`, async ({ app: page, server }) => {
    await page.goto(server.url + path(server.seeded));
    await expect(page.locator("body")).toMatchAriaSnapshot(aria);
    if (!name.startsWith("missing")) await expect(page.locator("body")).toMatchAriaSnapshot(SHELL);
  });

  for (const theme of ["light", "dark"] as const) {
    test(`${name} passes axe and fits, ${theme}`, async ({ app: page, server }) => {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await page.goto(server.url + path(server.seeded));
      await expect(page.locator("body")).toMatchAriaSnapshot("- heading [level=1]");
      await checkLooks(page, `${name}-${theme}`);
    });
  }
}

test("at 1024 × 768 the picture and its button are on the playground's first screen", async ({
  app: page,
  server,
}) => {
  await page.setViewportSize({ width: 1024, height: 768 });
  await page.goto(`${server.url}/playground?show=${JSON.stringify([server.seeded.generation])}`);
  await expect(page.getByRole("figure", { name: "Picture" }).getByRole("img")).toBeInViewport({ ratio: 0.9 });
  await expect(page.getByRole("button", { name: "Generate" })).toBeInViewport({ ratio: 1 });
});

for (const place of ["jobs", "datasets", "models", "playground", "jobs/new"]) {
  test(`an empty ${place} page says what to do next, and passes axe`, async ({ page, empty }) => {
    await page.goto(empty.loginUrl);
    await expect(page.getByRole("heading", { level: 1, name: "Jobs" })).toBeVisible();
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await page.goto(`${empty.url}/${place}`);
      await settled(page);
      await expect(
        page.getByRole("main").getByRole("button").or(page.getByRole("main").getByRole("link")).first(),
      ).toBeVisible();
      await page.screenshot({ path: `test-results/pages/empty-${place.replace("/", "-")}-${theme}.png` });
      await checkAccessibility(page);
    }
  });
}

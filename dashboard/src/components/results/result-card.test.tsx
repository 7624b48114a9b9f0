import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { client } from "~/api/client";
import type { Advice, Evidence, Judgement, ModelVersion } from "~/api/types";
import { aJob, anItem } from "~/testing";
import { ResultCard } from "./result-card";

const job = aJob();
const version = { id: "v", job_id: job.id } as ModelVersion;
const evidence = (name: string, weight: number, change: Partial<Evidence> = {}): Evidence => ({
  name,
  shows: `zora at ${weight}`,
  prompt: "portrait of zora",
  seed: 7,
  weight,
  ...change,
});
const judgement: Judgement = {
  stamp: "copies",
  sentence: "Three of eight pictures repeat one of the dataset.",
  advice: "add_pictures",
  score: 0.4,
  score_low: 0.3,
  score_high: 0.5,
  measures: [
    { name: "likeness", value: 0.7214, low: 0.6, high: 0.81, base: 0.2, by: "features of the base's U-Net" },
    { name: "n_copies", value: 3, by: "nearest training picture" },
  ],
  evidence: [
    evidence("with", 1, { nearest: "001.png" }),
    evidence("without", 0),
    evidence("lost", 1, { seed: 8 }),
  ],
  seconds: 12,
};
const pictures = ["with", "without"].map((name) => ({ name, url: `/${name}.png` }));

async function show(
  change: Partial<Judgement> = {},
  known: { job?: typeof job; version?: ModelVersion } = {},
) {
  vi.spyOn(client, "GET").mockResolvedValue({
    data: { items: [anItem(), anItem({ id: "j", file_name: "2.png" })] },
  } as never);
  const root = createRootRoute({
    component: () => (
      <ResultCard
        judgement={{ ...judgement, ...change }}
        pictures={pictures}
        job={known.job}
        version={known.version}
      />
    ),
  });
  const router = createRouter({ routeTree: root, history: createMemoryHistory() });
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
  return within(await screen.findByRole("region", { name: "Result" }));
}

test("the stamp stands beside its sentence, and says what it means", async () => {
  const card = await show();
  expect(card.getByText("Copies", { selector: "p" })).toBeTruthy();
  expect(card.getByText("It repeats pictures of its dataset.")).toBeTruthy();
  expect(card.getByText("Three of eight pictures repeat one of the dataset.")).toBeTruthy();
});

test("the base's picture stands before the LoRA's, and the nearest training picture beside them", async () => {
  const card = await show({}, { job });
  const strip = card.getByRole("list", { name: "Pictures that show it" });
  expect(within(strip).getAllByRole("listitem"), "what is not stored is not shown").toHaveLength(1);
  await within(strip).findByText("In the dataset: 001.png");
  const labels = within(strip)
    .getAllByRole("figure")
    .map((figure) => figure.textContent);
  expect(labels).toEqual(["Base", "LoRA", "In the dataset: 001.png"]);
});

test("measurements have their intervals, and say what measured them", async () => {
  const card = await show();
  const details = card.getByText("Details").closest("details");
  expect(details?.open).toBe(false);
  await userEvent.click(card.getByText("Details"));
  const [, likeness, copies] = card.getAllByRole("row", { hidden: true });
  expect(likeness?.textContent).toBe("Likeness0.721 (0.6 to 0.81)0.2features of the base's U-Net");
  expect(copies?.textContent).toContain("3 –");
});

test.each<[Advice, string, string]>([
  ["use", "Draw with it", "/playground?lora=v"],
  ["lower_weight", "Try a lower weight", "/playground?lora=v"],
  ["train_longer", "Train longer", `/jobs/new?again=${job.id}&change=longer`],
  ["train_shorter", "Train shorter", `/jobs/new?again=${job.id}&change=shorter`],
  ["lower_learning_rate", "Train with a lower rate", `/jobs/new?again=${job.id}&change=slower`],
  ["add_pictures", "Add pictures", `/datasets/${job.dataset_id}`],
  ["improve_captions", "Improve the captions", `/datasets/${job.dataset_id}`],
])("%s is one button", async (advice, name, href) => {
  const card = await show({ advice, evidence: [] }, { job, version });
  expect(card.getAllByRole("link").map((link) => [link.textContent, link.getAttribute("href")])).toEqual([
    [name, href],
  ]);
});

test("without a version there is nothing to draw with", async () => {
  const card = await show({ advice: "use", evidence: [] }, { job });
  expect(card.queryByRole("link")).toBeNull();
});

import { expect, test } from "vitest";
import type { CreateJob, Finding, JobEstimate, OfferEstimate, ProviderInfo } from "~/api/types";
import { aJob } from "~/testing";
import { inShort } from "../estimate-panel";
import {
  firstOffer,
  formatTime,
  HERE,
  kindsOf,
  limitError,
  toggled,
  toWanted,
  whatIsMissing,
  withEveryGpu,
  withMoney,
} from "./rented";

const provider = (name: string, is_rented: boolean): ProviderInfo => ({
  name,
  is_rented,
  max_running: 1,
  n_foreign: 0,
  foreign_rate_micro_usd: 0,
});
const PROVIDERS = [provider("local", false), provider("runpod", true)];

function anOffer(change: Partial<OfferEstimate>): OfferEstimate {
  return {
    gpu: "a",
    gpu_name: "A",
    n_gpus: 1,
    memory_gb: 24,
    cloud: "secure",
    is_in_stock: true,
    rate_micro_usd: 640_000,
    seconds: { low: 1200, likely: 2280, high: 4200 },
    cost_micro_usd: { low: 310_000, likely: 360_000, high: 420_000 },
    least_limit_micro_usd: 464_000,
    is_measured: false,
    ...change,
  };
}

function anEstimate(change: Partial<JobEstimate>): JobEstimate {
  return {
    recipe: aJob().recipe,
    n_train_items: 1,
    n_held_out_items: 0,
    n_steps_per_epoch: 1,
    n_epochs: 1,
    n_views: 1,
    buckets: [],
    memory_gb: 11,
    offers: [],
    least_limit_micro_usd: 464_000,
    budgets: [],
    hash: "seen",
    ...change,
  };
}

const request: CreateJob = {
  dataset_id: "d",
  base_model: "tiny-xl",
  name: "Zora",
  priority: 0,
  ...toWanted({ ...HERE, provider: "runpod", limit: "5", project: " panels ", gpus: ["b", "a"] }, PROVIDERS),
};

test("the card in a line says what matters, and no more than is known", () => {
  const known = anEstimate({ n_views: 1600, seconds: 720, offers: [anOffer({})] });
  expect(inShort(known, false)).toBe("1,600 views · 12 min 00 s");
  expect(inShort(known, true)).toBe("1,600 views · ≈ 38 min (20–70) · $0.31–0.42");
  expect(inShort(anEstimate({}), false)).toBe("1 view");
  const finding = { code: "enlarged", acknowledged: false } as Finding;
  const findings = [finding, { ...finding, acknowledged: true }, { ...finding, code: "changed" } as Finding];
  expect(inShort(anEstimate({ findings }), false)).toBe("1 view · 1 finding");
});

test("this machine needs nothing more, whatever was typed for a rented one", () => {
  expect(toWanted({ ...HERE, limit: "5", project: "panels", gpus: ["a"] }, PROVIDERS)).toEqual({
    provider: "local",
  });
});

test("a machine of the pool is asked for by its labels, and costs nothing", () => {
  const pooled = { ...request, ...toWanted({ ...HERE, provider: "agent", labels: ["quiet"] }, PROVIDERS) };
  expect(pooled.rental).toMatchObject({ gpus: [], labels: ["quiet"] });
  expect(withMoney(pooled, "", undefined)).toBe(pooled);
});

test("an estimate depends on project and GPUs, and not on the limit", () => {
  expect(request).toMatchObject({ provider: "runpod", project: "panels", rental: { gpus: ["b", "a"] } });
  expect(request).not.toHaveProperty("limit_micro_usd");
  expect(withEveryGpu(request)).toEqual({ ...request, rental: { ...request.rental, gpus: [] } });
});

test("a job starts with an exact limit and the estimate that was seen", () => {
  expect(withMoney(request, "4.35", anEstimate({}))).toEqual({
    ...request,
    limit_micro_usd: 4_350_000,
    estimate_hash: "seen",
  });
});

test.each([
  ["", anEstimate({})],
  ["0", anEstimate({})],
  ["0.46", anEstimate({})],
  ["five", anEstimate({})],
  ["5", undefined],
  ["5", anEstimate({ least_limit_micro_usd: null })],
])("with %j as the limit nothing is started", (limit, estimate) => {
  expect(withMoney(request, limit, estimate)).toBeNull();
});

test("a limit that is too small is told what would do, and an empty one is not complained about", () => {
  expect(limitError("0.1", anEstimate({}))).toBe("Enter at least $0.464.");
  expect(limitError("0", anEstimate({}))).toBe("Enter at least $0.464.");
  expect(limitError("", anEstimate({}))).toBeUndefined();
});

test("what is missing is named before the job can start", () => {
  expect(whatIsMissing(request, " ", undefined)).toBe("Enter a cost limit.");
  expect(whatIsMissing(request, "5", undefined)).toBeNull();
  expect(whatIsMissing(request, "0.1", anEstimate({}))).toBe("Correct the marked fields.");
  expect(whatIsMissing(null, "5", undefined)).toBe("Correct the marked fields.");
  const { rental: _, ...here } = request;
  expect(whatIsMissing(here, "", undefined)).toBeNull();
  expect(whatIsMissing({ ...request, name: "" }, "5", undefined)).toBe("Enter a name.");
});

test("offers are grouped by GPU, the cheaper tier first, what does not fit last", () => {
  const kinds = kindsOf([
    anOffer({ gpu: "small", unfit: "it has 8 GB" }),
    anOffer({ gpu: "a" }),
    anOffer({ gpu: "b" }),
    anOffer({ gpu: "a", cloud: "community", rate_micro_usd: 340_000 }),
  ]);
  expect(kinds.map(({ gpu, tiers }) => [gpu, tiers.map(({ cloud }) => cloud)])).toEqual([
    ["a", ["community", "secure"]],
    ["b", ["secure"]],
    ["small", ["secure"]],
  ]);
});

test("what fits and is in stock is asked for first", () => {
  const offers = [
    anOffer({ gpu: "small", unfit: "it has 8 GB" }),
    anOffer({ gpu: "out", is_in_stock: false }),
    anOffer({ gpu: "there" }),
  ];
  expect(firstOffer(offers)?.gpu).toBe("there");
  expect(firstOffer(offers.slice(0, 2))?.gpu).toBe("out");
  expect(firstOffer(offers.slice(0, 1))).toBeUndefined();
});

test("GPUs are asked for in the order in which they were chosen", () => {
  expect(toggled(toggled(toggled([], "a"), "b"), "a")).toEqual(["b"]);
  expect(toggled(["b"], "a")).toEqual(["b", "a"]);
});

test.each([
  [{ low: 1200, likely: 2280, high: 4200 }, "≈ 38 min (20–70)"],
  [{ low: 5, likely: 20, high: 80 }, "≈ 1 min (1–1)"],
  [{ low: 7200, likely: 16_200, high: 46_800 }, "≈ 4.5 h (2–13)"],
])("%j is %s", (seconds, text) => {
  expect(formatTime(seconds)).toBe(text);
});

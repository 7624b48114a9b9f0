import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import type { OfferEstimate } from "~/api/types";
import { OfferTable } from "./offer-table";

function anOffer(change: Partial<OfferEstimate>): OfferEstimate {
  return {
    gpu: "4090",
    gpu_name: "RTX 4090",
    n_gpus: 1,
    memory_gb: 24,
    cloud: "secure",
    is_in_stock: true,
    rate_micro_usd: 642_741,
    seconds: { low: 1200, likely: 2280, high: 4200 },
    cost_micro_usd: { low: 310_000, likely: 360_000, high: 420_000 },
    least_limit_micro_usd: 464_000,
    is_measured: true,
    ...change,
  };
}

const OFFERS = [
  anOffer({
    gpu: "small",
    gpu_name: "Small",
    unfit: "it has 8 GB of memory, and this training needs about 11",
  }),
  anOffer({}),
  anOffer({ cloud: "community", rate_micro_usd: 340_000, is_in_stock: false, is_measured: false }),
  anOffer({ gpu: "l40s", gpu_name: "L40S", memory_gb: 48 }),
];

function setup(gpus: string[]) {
  const onToggle = vi.fn();
  const onClear = vi.fn();
  render(<OfferTable offers={OFFERS} gpus={gpus} error={undefined} onToggle={onToggle} onClear={onClear} />);
  return { onToggle, onClear, user: userEvent.setup() };
}

test("each tier says its price, stock, time, cost and where that is from", () => {
  setup([]);
  const [, ...rows] = screen.getAllByRole("row").map((row) => row.textContent);
  expect(rows[0]).toMatch(
    /^RTX 409024 GBCommunitysold out\$0\.34≈ 38 min \(20–70\)rough estimate\$0\.31–0\.42/,
  );
  expect(rows[1]).toMatch(/^Securein stock\$0\.65≈ 38 min \(20–70\)measured/);
  expect(screen.getByText(/None chosen: every GPU that fits/)).toBeDefined();
});

test("a GPU that does not fit says why, comes last, and cannot be chosen", () => {
  setup([]);
  const rows = screen.getAllByRole("row");
  const last = within(rows.at(-1) as HTMLElement);
  expect(last.getByText(/8 GB of memory/)).toBeDefined();
  expect(last.getByRole("checkbox")).toHaveProperty("disabled", true);
});

test("chosen GPUs say in which order they are asked for", async () => {
  const { user, onToggle, onClear } = setup(["l40s", "4090"]);
  expect(screen.getByText("Tried in this order: L40S, then RTX 4090.")).toBeDefined();
  expect(screen.getByRole("checkbox", { name: /L40S 1st/ })).toHaveProperty("checked", true);
  await user.click(screen.getByRole("checkbox", { name: /RTX 4090 2nd/ }));
  expect(onToggle).toHaveBeenCalledExactlyOnceWith("4090");
  await user.click(screen.getByRole("button", { name: "Clear selection" }));
  expect(onClear).toHaveBeenCalledOnce();
});

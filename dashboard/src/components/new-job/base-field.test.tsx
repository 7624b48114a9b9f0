import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { BaseModel } from "~/api/types";
import { BaseField, detailOf } from "./base-field";

vi.mock("~/components/settings/bases/more-bases-link", () => ({ MoreBasesLink: () => null }));

const NOTE = "its header says epsilon, but it behaves like v-prediction; it is taken as epsilon";
const TINY: BaseModel = {
  name: "tiny-xl",
  class: "tiny",
  family: "tiny",
  family_reason: "it is as small as tiny-xl",
  native_resolution: 128,
  built_in: true,
};
const NOOB: BaseModel = {
  name: "noob",
  class: "sdxl",
  family: "noobai",
  family_reason: "`noob` is in its name `noob`",
  native_resolution: 1024,
  built_in: false,
  prediction: "epsilon",
  notes: [NOTE],
};

function show(value: string): void {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <BaseField bases={[TINY, NOOB]} value={value} error={undefined} onChange={vi.fn()} />
    </QueryClientProvider>,
  );
}

test("what contradicts itself is said beside the base that was chosen", () => {
  show("noob");
  expect(screen.getByRole("list", { name: "Notes on noob" }).textContent).toBe(
    "Its header says epsilon, but it behaves like v-prediction; it is taken as epsilon.",
  );
});

test("one of which nothing is to be said has no notes", () => {
  show("tiny-xl");
  expect(screen.queryByRole("list")).toBeNull();
});

test("each is offered with what it predicts", () => {
  expect(detailOf(TINY)).toBe("128 px, built in");
  expect(detailOf({ ...NOOB, prediction: "v-zero-snr" })).toBe(
    "1024 px, v-prediction with zero terminal SNR",
  );
});

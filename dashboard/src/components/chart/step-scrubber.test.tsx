import { fireEvent, render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { StepCursor } from "~/live/cursor";
import { Series } from "~/live/series";
import { StepScrubber } from "./step-scrubber";

test("keys move the cursor of the curve, and a button asks for the step", () => {
  const series = new Series();
  for (let step = 1; step <= 40; step++) {
    series.push({ step, loss: 0.1, average_loss: 0.1, learning_rate: 1e-3 } as never);
  }
  const cursor = new StepCursor();
  cursor.setMarks([0, 20, 40], 40);
  const onPick = vi.fn();
  render(<StepScrubber series={series} cursor={cursor} onPick={onPick} />);
  const slider = screen.getByRole("slider", { name: "Step on the curve" });
  expect(slider.getAttribute("aria-valuetext")).toBe("Step 40");
  fireEvent.change(slider, { target: { value: "20" } });
  expect(cursor.step).toBe(20);
  expect(cursor.lit()).toBe(20);
  expect(cursor.isOnCurve, "the legend follows").toBe(false);
  fireEvent.blur(slider);
  expect(cursor.lit(), "no row stays lit").toBeNull();
  expect(slider.getAttribute("aria-valuetext")).toBe("Step 20");
  fireEvent.click(screen.getByRole("button", { name: "What this step saw" }));
  expect(onPick).toHaveBeenCalledWith(20);
});

test("there is nothing to choose before the first step", () => {
  render(<StepScrubber series={new Series()} cursor={new StepCursor()} onPick={vi.fn()} />);
  const slider = screen.getByRole("slider", { name: "Step on the curve" });
  expect((slider as HTMLInputElement).disabled).toBe(true);
  const button = screen.getByRole("button", { name: "What this step saw" });
  expect((button as HTMLButtonElement).disabled).toBe(true);
});

import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { aJob } from "~/testing";
import { ParameterGroups } from "./parameter-groups";
import type { Typed } from "./parameters";

const preset = { ...aJob().recipe.parameters, huber_c: 0.1, min_snr_gamma: 5 };

function groups(typed: Typed, errors: Record<string, string> = {}) {
  const start = { group: "network", label: "Start from", isChanged: true, isWrong: false, field: null };
  return (
    <ParameterGroups typed={typed} preset={preset} errors={errors} extras={[start]}>
      {(name) => <input key={name} aria-label={name} />}
    </ParameterGroups>
  );
}

const summary = (title: string) => screen.getByText(title).closest("summary")?.textContent;
const isOpen = (title: string) => screen.getByText(title).closest("details")?.open;

test("a group says how many of its settings differ from the preset, and which", () => {
  // As settings of another trainer say the preset's value once more.
  render(groups({ huber_c: "0.2", min_snr_gamma: "5", debiased: "true", shuffle_tags: "false" }));
  expect(summary("Loss")).toMatch(/^Loss2 changed(Huber c, Debiased|Debiased, Huber c)$/);
  expect(summary("Network")).toBe("Network1 changedStart from");
  expect(summary("Captions")).not.toContain("changed");
  expect(summary("Captions")).toContain("Shuffle tags");
});

test("a fault opens its group, and correcting it does not close it", async () => {
  const user = userEvent.setup();
  const page = render(groups({ huber_c: "0.2" }));
  expect(isOpen("Loss")).toBe(false);
  page.rerender(groups({ huber_c: "many" }));
  expect(isOpen("Loss")).toBe(true);
  expect(summary("Loss")).toContain("1 to correct");
  page.rerender(groups({ huber_c: "0.2" }, { "parameters.tag_dropout": "needs shuffled tags" }));
  expect(isOpen("Loss")).toBe(true);
  expect(summary("Loss")).not.toContain("to correct");
  expect(isOpen("Captions")).toBe(true);
  await user.click(screen.getByText("Loss"));
  expect(isOpen("Loss")).toBe(false);
});

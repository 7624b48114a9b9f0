import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { aJob } from "~/testing";
import type { Values } from "./form";
import { LengthFields } from "./length-fields";

const preset = { ...aJob().recipe.parameters, n_views: 1600, batch_size: 4 };

function show(change: Partial<Values>) {
  const onChange = vi.fn();
  const values = { n_epochs: "", parameters: {}, ...change } as Values;
  render(
    <LengthFields values={values} preset={preset} estimate={undefined} errors={{}} onChange={onChange} />,
  );
  return onChange;
}

test.each<[string, Partial<Values>]>([
  ["steps", { parameters: { n_steps: "100", rank: "8" } }],
  ["views", { parameters: { n_views: "100", rank: "8" } }],
  ["epochs", { n_epochs: "10", parameters: { rank: "8" } }],
])("a length in %s goes back to the preset's views, and nothing else does", async (_, typed) => {
  const onChange = show(typed);
  await userEvent.setup().click(screen.getByRole("button", { name: "Preset: 1600 views" }));
  expect(onChange).toHaveBeenCalledExactlyOnceWith({ n_epochs: "", parameters: { rank: "8" } });
});

test("what nobody typed follows, and has nothing to go back to", () => {
  show({});
  expect(screen.getByLabelText("Steps")).toHaveProperty("value", "400");
  expect(screen.queryByRole("button")).toBeNull();
});

import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import type { Label } from "~/api/types";
import { LabelFilter } from "./label-filter";
import type { LabelView } from "./labels";

const label = (starred: boolean, tags: string[]): Label => ({
  id: "l",
  kind: "model",
  subject_id: "s",
  starred,
  tags,
  note: "",
  updated_at: "",
});

function show(labels: Label[], view: LabelView = {}) {
  const onChange = vi.fn();
  render(<LabelFilter labels={labels} view={view} onChange={onChange} />);
  return { onChange, user: userEvent.setup() };
}

test("there is no filter while nothing has a star or a tag", () => {
  show([label(false, [])]);
  expect(screen.queryByRole("group", { name: "Stars and tags" })).toBeNull();
});

test("stars and a tag narrow together, and a second press takes each away", async () => {
  const first = show([label(true, ["ink"])], { tag: "ink" });
  await first.user.click(screen.getByRole("button", { name: "Starred only 1" }));
  expect(first.onChange).toHaveBeenLastCalledWith({ tag: "ink", starred: true });
  await first.user.click(screen.getByRole("button", { name: "ink 1" }));
  expect(first.onChange).toHaveBeenLastCalledWith({});
});

test("a tag that nothing has any more can still be taken away", async () => {
  const { onChange, user } = show([label(true, ["ink"])], { starred: true, tag: "gone" });
  await user.click(screen.getByRole("button", { name: "gone 0" }));
  expect(onChange).toHaveBeenLastCalledWith({ starred: true });
});

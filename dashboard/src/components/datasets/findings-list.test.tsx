import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import type { Finding } from "~/api/types";
import { FindingsList } from "./findings-list";

function finding(change: Partial<Finding>): Finding {
  return {
    code: "no_caption",
    severity: "warning",
    about: "captions",
    message: "2 pictures have no caption.",
    repair: "Describe each picture.",
    content: "a",
    acknowledged: false,
    ...change,
  };
}

test("each finding has its repair and its pictures, and warnings can be acknowledged", async () => {
  const onAcknowledge = vi.fn();
  const missing = finding({
    pictures: [
      { id: "1", file_name: "a.png", detail: "has no caption" },
      { id: "2", file_name: "b.png", detail: "has no caption" },
    ],
  });
  const note = finding({ code: "trigger_late", severity: "note", message: "It is late.", content: "b" });
  render(<FindingsList findings={[missing, note]} onAcknowledge={onAcknowledge} />);
  const rows = within(screen.getByRole("list", { name: "What the checks of the dataset found" }));
  expect(screen.getByRole("img", { name: "Warning" })).toBeDefined();
  expect(rows.getByText("2 pictures have no caption.")).toBeDefined();
  expect(screen.getAllByText(/Describe each picture\./)).toHaveLength(2);
  expect(screen.getByText("b.png:", { exact: false })).toBeDefined();
  const buttons = screen.getAllByRole("button");
  expect(buttons).toHaveLength(1);
  await userEvent.setup().click(buttons[0] as HTMLElement);
  expect(onAcknowledge).toHaveBeenCalledWith(missing);
});

test("what is acknowledged is counted, and what was changed at upload is left out", () => {
  const { container } = render(
    <FindingsList
      findings={[
        finding({ acknowledged: true }),
        finding({ code: "changed", severity: "note", content: "c" }),
      ]}
      onAcknowledge={() => undefined}
    />,
  );
  expect(container.textContent).toBe("1 acknowledged finding");
  const nothing = render(<FindingsList findings={[]} onAcknowledge={() => undefined} />);
  expect(nothing.container.textContent).toBe("");
});

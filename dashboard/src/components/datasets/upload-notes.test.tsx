import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import type { UploadReport } from "~/api/types";
import { UploadNotes } from "./upload-notes";

const SEVERAL = "its caption has several lines";
const TURNED = "rotated as its EXIF tag says";

function report(notes: string[][]): UploadReport {
  const accepted = notes.map((notes, index) => ({ file_name: `${index}.png`, notes }));
  return { accepted, refused: [] } as unknown as UploadReport;
}

test("what was changed is said once, with the files", async () => {
  const onDismiss = vi.fn();
  const several = Array.from({ length: 5 }, () => [SEVERAL]);
  render(<UploadNotes report={report([[TURNED, SEVERAL], [], ...several])} onDismiss={onDismiss} />);
  const told = screen.getAllByRole("listitem").map(({ textContent }) => textContent);
  expect(told).toEqual([
    "0.pngRotated as its EXIF tag says.",
    "0.png, 2.png, 3.png and 3 moreIts caption has several lines.",
  ]);
  await userEvent.setup().click(screen.getByRole("button", { name: "Dismiss" }));
  expect(onDismiss).toHaveBeenCalledOnce();
});

test("where nothing was changed, nothing is said", () => {
  render(<UploadNotes report={report([[], []])} onDismiss={vi.fn()} />);
  expect(screen.queryByRole("status")).toBeNull();
});

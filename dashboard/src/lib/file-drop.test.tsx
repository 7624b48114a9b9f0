import { fireEvent, render, renderHook, screen, waitFor } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { FileDrops, useFileDrop } from "./file-drop";

const picture = new File(["x"], "a.png", { type: "image/png" });

function transfer(types: string[], files: File[] = []) {
  return { types, files, items: [], dropEffect: "copy" };
}

function setup() {
  const onUnwanted = vi.fn();
  render(
    <>
      <FileDrops onUnwanted={onUnwanted} />
      <p>page</p>
      <textarea aria-label="Caption" />
    </>,
  );
  return { onUnwanted, page: screen.getByText("page"), field: screen.getByLabelText("Caption") };
}

test("a file that no page wants is not opened", () => {
  const { onUnwanted, page, field } = setup();
  for (const target of [page, field]) {
    expect(fireEvent.dragOver(target, { dataTransfer: transfer(["Files"]) })).toBe(false);
    expect(fireEvent.drop(target, { dataTransfer: transfer(["Files"], [picture]) })).toBe(false);
  }
  expect(onUnwanted).toHaveBeenCalledTimes(2);
});

test("a page that wants files gets those of the whole window, and says so", async () => {
  const { onUnwanted, page } = setup();
  const take = vi.fn();
  renderHook(() => useFileDrop("Zora", take));
  fireEvent.dragOver(page, { dataTransfer: transfer(["Files"]) });
  expect(screen.getByText("Drop to add to Zora")).toBeDefined();
  fireEvent.drop(page, { dataTransfer: transfer(["Files"], [picture]) });
  await waitFor(() => expect(take).toHaveBeenCalledExactlyOnceWith([picture]));
  expect(screen.queryByText("Drop to add to Zora")).toBeNull();
  expect(onUnwanted).not.toHaveBeenCalled();
});

test("a page may say in its own words what dropping does there", () => {
  const { page } = setup();
  renderHook(() => useFileDrop("the playground", vi.fn(), "Drop to use the settings of this picture"));
  fireEvent.dragOver(page, { dataTransfer: transfer(["Files"]) });
  expect(screen.getByText("Drop to use the settings of this picture")).toBeDefined();
});

test("a link is followed by no drop, and text can be dragged into a field", () => {
  const { onUnwanted, page, field } = setup();
  const link = { dataTransfer: transfer(["text/uri-list", "text/plain"]) };
  expect(fireEvent.drop(page, link)).toBe(false);
  expect(fireEvent.drop(field, link)).toBe(true);
  expect(onUnwanted).not.toHaveBeenCalled();
});

test("a pasted picture is taken under a name of its own, and pasted text stays text", async () => {
  const { field } = setup();
  const take = vi.fn<(files: File[]) => void>();
  renderHook(() => useFileDrop("Zora", take));
  const image = new File(["x"], "image.png", { type: "image/png" });
  fireEvent.paste(field, { clipboardData: { files: [image], types: ["Files"] } });
  expect(take.mock.calls[0]?.[0][0]?.name).toMatch(/^pasted-\d{14}\.png$/);
  fireEvent.paste(field, { clipboardData: { files: [image], types: ["text/plain", "Files"] } });
  fireEvent.paste(field, { clipboardData: { files: [], types: ["text/plain"] } });
  expect(take).toHaveBeenCalledOnce();
});

import { expect, test } from "vitest";
import { FORMS, type Kind, toOperation } from "./operation";

function operation(kind: Kind, text: string, replacement = "") {
  return toOperation({ kind, text, replacement, ignoreCase: true });
}

test("each kind of edit sends what it needs", () => {
  expect(operation("add_first", "zora")).toEqual({ kind: "add_first", text: "zora" });
  expect(operation("remove_tag", "hat")).toEqual({ kind: "remove_tag", tag: "hat" });
  expect(operation("rename_tag", "hat", "cap")).toEqual({ kind: "rename_tag", tag: "hat", new_tag: "cap" });
  expect(operation("merge_tags", "grin, smile,", "smiling")).toEqual({
    kind: "merge_tags",
    tags: ["grin", " smile"],
    new_tag: "smiling",
  });
  expect(operation("replace", "  ")).toEqual({
    kind: "replace",
    find: "  ",
    replacement: "",
    ignore_case: true,
  });
  expect(operation("replace_pattern", "(a)", "$1")).toEqual({
    kind: "replace_pattern",
    pattern: "(a)",
    replacement: "$1",
    ignore_case: true,
  });
});

test("nothing is sent while something is missing", () => {
  for (const { kind } of FORMS) expect(operation(kind, "")).toBeUndefined();
  expect(operation("rename_tag", "hat", " ")).toBeUndefined();
  expect(operation("merge_tags", ",", "hat")).toBeUndefined();
});

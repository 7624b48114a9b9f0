// What is typed into the form for many captions, as the API takes it.
import type { CaptionOperation } from "~/api/types";

export type Kind = CaptionOperation["kind"];

export interface Values {
  kind: Kind;
  /** What is added, looked for or removed. */
  text: string;
  /** What takes its place. */
  replacement: string;
  ignoreCase: boolean;
}

interface Form {
  kind: Kind;
  label: string;
  text: string;
  help?: string;
  replacement?: string;
  /** The replacement may be empty. */
  canRemove?: boolean;
}

export const FORMS: readonly Form[] = [
  { kind: "add_first", label: "Put first", text: "Tags or words" },
  { kind: "add_last", label: "Put last", text: "Tags or words" },
  { kind: "remove_tag", label: "Remove a tag", text: "Tag" },
  { kind: "rename_tag", label: "Rename a tag", text: "Tag", replacement: "New name" },
  {
    kind: "merge_tags",
    label: "Merge tags",
    text: "Tags",
    help: "Separate them by commas.",
    replacement: "Tag that they become",
  },
  { kind: "replace", label: "Replace text", text: "Find", replacement: "Replace by", canRemove: true },
  {
    kind: "replace_pattern",
    label: "Replace a pattern",
    text: "Regular expression",
    help: "The syntax is that of Rust. $1 in the replacement is what the first group has matched.",
    replacement: "Replace by",
    canRemove: true,
  },
];

export function formOf(kind: Kind): Form {
  const form = FORMS.find((one) => one.kind === kind);
  if (!form) throw new Error(`there is no form for ${kind}`);
  return form;
}

/** The operation; nothing while something is missing. */
export function toOperation({ kind, text, replacement, ignoreCase }: Values): CaptionOperation | undefined {
  const isText = kind === "replace" || kind === "replace_pattern";
  if (isText ? text === "" : text.trim() === "") return undefined;
  const { replacement: needsOther, canRemove } = formOf(kind);
  if (needsOther && !canRemove && replacement.trim() === "") return undefined;
  switch (kind) {
    case "add_first":
    case "add_last":
      return { kind, text };
    case "remove_tag":
      return { kind, tag: text };
    case "rename_tag":
      return { kind, tag: text, new_tag: replacement };
    case "merge_tags": {
      const tags = text.split(",").filter((tag) => tag.trim() !== "");
      return tags.length === 0 ? undefined : { kind, tags, new_tag: replacement };
    }
    case "replace":
      return { kind, find: text, replacement, ignore_case: ignoreCase };
    case "replace_pattern":
      return { kind, pattern: text, replacement, ignore_case: ignoreCase };
  }
}

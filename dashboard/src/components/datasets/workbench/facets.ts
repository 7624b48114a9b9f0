// The facets of a dataset: what its pictures have in common, by the list of pictures and by what the checks found.
import type { Finding, Item } from "~/api/types";

export const SECTIONS = ["Captions", "Pictures", "Use", "Groups"] as const;
export type Section = (typeof SECTIONS)[number];

export interface Facet {
  /** As the address has it. */
  id: string;
  label: string;
  section: Section;
  ids: ReadonlySet<string>;
  /** What the checks say about each picture. */
  details: ReadonlyMap<string, string>;
  /** It is listed although no picture has it. */
  always: boolean;
  /** The checks decide it, and not the list of pictures. */
  isChecked: boolean;
}

/** The findings that are about single pictures. */
const FOUND: { code: Finding["code"]; label: string; section: Section }[] = [
  { code: "trigger_missing", label: "No trigger word", section: "Captions" },
  { code: "trigger_late", label: "Trigger word late", section: "Captions" },
  { code: "trigger_repeated", label: "Trigger word repeated", section: "Captions" },
  { code: "caption_too_long", label: "Too long", section: "Captions" },
  { code: "same_caption", label: "Same caption", section: "Captions" },
  { code: "contradicting_tags", label: "Contradicting tags", section: "Captions" },
  { code: "caption_encoding", label: "Garbled characters", section: "Captions" },
  { code: "blurred", label: "Blurred", section: "Pictures" },
  { code: "too_dark", label: "Too dark", section: "Pictures" },
  { code: "too_bright", label: "Too bright", section: "Pictures" },
  { code: "blank", label: "One color", section: "Pictures" },
  { code: "framed", label: "Bars or a frame", section: "Pictures" },
  { code: "whole_page", label: "Whole pages", section: "Pictures" },
  { code: "enlarged", label: "Too small", section: "Pictures" },
  { code: "cropped_away", label: "Extreme shape", section: "Pictures" },
  { code: "near_duplicate", label: "Near-duplicates", section: "Pictures" },
  { code: "held_out_duplicate", label: "Trained and held out", section: "Pictures" },
  { code: "changed", label: "Changed at upload", section: "Pictures" },
];

const NOTHING: ReadonlyMap<string, string> = new Map();

/** Whether a caption says nothing: it is empty, or nothing but commas. */
export function isEmptyCaption(caption: string): boolean {
  return /^[\s,]*$/.test(caption);
}

/** The facet of a finding; nothing for findings about the whole dataset. */
export function facetOfCode(code: Finding["code"]): string | undefined {
  if (code === "no_caption") return code;
  return FOUND.find((one) => one.code === code)?.code;
}

/** The facets by section, those that no picture has included. */
export function facetsOf(items: readonly Item[], findings: readonly Finding[]): Facet[] {
  const listed = (id: string, label: string, section: Section, has: (item: Item) => boolean): Facet => ({
    id,
    label,
    section,
    ids: new Set(items.filter(has).map((item) => item.id)),
    details: NOTHING,
    always: id === "no_caption" || id === "held_out",
    isChecked: false,
  });
  const here = new Set(items.map((item) => item.id));
  const found = FOUND.map(({ code, label, section }): Facet => {
    const details = new Map<string, string>();
    for (const finding of findings) {
      if (finding.code !== code) continue;
      for (const { id, detail } of finding.pictures ?? []) if (id && here.has(id)) details.set(id, detail);
    }
    return {
      id: code,
      label,
      section,
      ids: new Set(details.keys()),
      details,
      always: false,
      isChecked: true,
    };
  });
  const facets = [
    listed("no_caption", "No caption", "Captions", (item) => isEmptyCaption(item.caption)),
    ...found,
    listed("held_out", "Held out", "Use", (item) => item.split === "held_out"),
    listed("masks", "With a mask", "Use", (item) => item.has_mask === true),
    listed("regularization", "For regularization", "Use", (item) => item.regularization === true),
    listed("panels", "Panels of pages", "Use", (item) => item.panel != null),
    listed("set_aside", "Split into panels", "Use", (item) => item.set_aside === true),
    listed("damaged", "Lost or damaged", "Use", (item) => item.damage != null),
    ...groupFacets(items),
  ];
  return SECTIONS.flatMap((section) => facets.filter((facet) => facet.section === section));
}

function groupFacets(items: readonly Item[]): Facet[] {
  const groups = new Map<string, Set<string>>();
  for (const { id, group } of items) {
    const ids = groups.get(group ?? "");
    if (ids) ids.add(id);
    else groups.set(group ?? "", new Set([id]));
  }
  // Where no picture has a group, there is nothing to choose.
  if (groups.size === 0 || (groups.size === 1 && groups.has(""))) return [];
  return [...groups]
    .toSorted(([a], [b]) => (a === "" || b === "" ? b.length - a.length : a.localeCompare(b)))
    .map(([group, ids]) => ({
      id: `group:${group}`,
      label: group === "" ? "No group" : group,
      section: "Groups",
      ids,
      details: NOTHING,
      always: false,
      isChecked: false,
    }));
}

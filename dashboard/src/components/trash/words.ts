// Words for what can be deleted.
import type { TrashItem, TrashKind } from "~/api/types";
import { formatPlural } from "~/lib/format";

export const KINDS: Record<TrashKind, string> = {
  model: "Model",
  model_version: "Version",
  generation: "Picture",
  job: "Job",
};

const NOUNS: Record<TrashKind, string> = {
  model: "model",
  model_version: "version",
  generation: "picture",
  job: "job",
};

/** How many of each kind: `2 versions, 1 job`. */
export function counted(items: readonly TrashItem[]): string {
  const kinds = Object.keys(NOUNS) as TrashKind[];
  return kinds
    .map((kind) => [kind, items.filter((item) => item.kind === kind).length] as const)
    .filter(([, n]) => n > 0)
    .map(([kind, n]) => formatPlural(n, NOUNS[kind]))
    .join(", ");
}

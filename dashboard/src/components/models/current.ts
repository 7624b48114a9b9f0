// Which version of a model is the one to use.
import type { Model, ModelVersion } from "~/api/types";

/** The newest approved version; the newest that is not retired where none is approved; else the newest. */
export function currentOf({ versions }: Pick<Model, "versions">): ModelVersion | undefined {
  const newest = versions.toSorted((a, b) => b.version - a.version);
  return (
    newest.find(({ stage }) => stage === "approved") ??
    newest.find(({ stage }) => stage !== "retired") ??
    newest[0]
  );
}

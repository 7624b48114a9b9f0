// Which version of a model is the one to use.
import type { Model, ModelVersion } from "~/api/types";

/** The server says which: the one that its owner chose, or the newest approved one. */
export function currentOf({
  versions,
  current_version_id,
}: Pick<Model, "versions" | "current_version_id">): ModelVersion | undefined {
  return versions.find(({ id }) => id === current_version_id) ?? versions[0];
}

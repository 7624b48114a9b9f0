// Where a version lies for other programs, or why it does not yet.
import { useQuery } from "@tanstack/react-query";
import { loraCopiesQuery } from "~/api/copies";
import type { ModelVersion } from "~/api/types";
import { Property } from "~/components/ui/misc";

export function CopyProperty({ version }: { version: ModelVersion }) {
  const { data } = useQuery(loraCopiesQuery());
  if (!data?.folder || version.stage !== "approved") return null;
  const copy = data.copies.find((one) => one.model_version_id === version.id);
  const problem = data.problem ?? copy?.problem;
  return (
    <Property name="Copied to">
      {problem ? (
        <span className="wrap-anywhere text-warning">Not copied yet: {problem}. It is tried again.</span>
      ) : copy ? (
        <code className="wrap-anywhere font-mono text-xs">
          {data.folder}/{copy.file_name}
        </code>
      ) : (
        "It is being copied"
      )}
    </Property>
  );
}

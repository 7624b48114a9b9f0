// On the page of a model: what a version was found to be.
import { useQuery } from "@tanstack/react-query";
import { jobQuery } from "~/api/queries";
import type { ModelVersion } from "~/api/types";
import { ResultCard } from "./result-card";

export function VersionResult({ version }: { version: ModelVersion }) {
  const { judgement, evidence = [], job_id } = version;
  const { data: job } = useQuery({
    ...jobQuery(job_id ?? ""),
    enabled: judgement != null && job_id != null,
  });
  if (!judgement) return null;
  return <ResultCard judgement={judgement} pictures={evidence} job={job} version={version} />;
}

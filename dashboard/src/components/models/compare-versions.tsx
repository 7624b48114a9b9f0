// Two versions beside each other: settings that differ, samples of the same prompts, and the fixed-seed pictures.
import { useQueries } from "@tanstack/react-query";
import { jobQuery, samplesQuery } from "~/api/queries";
import type { ModelVersion } from "~/api/types";
import { SamplesPanel, SettingsPanel } from "~/components/jobs/compare/compare-panels";
import { Panel } from "~/components/ui/panel";
import { Comparison } from "./comparison";

interface Props {
  versions: [ModelVersion, ModelVersion];
}

export function CompareVersions({ versions }: Props) {
  const jobs = useQueries({
    queries: versions.map(({ job_id }) => ({ ...jobQuery(job_id ?? ""), enabled: job_id != null })),
  });
  const samples = useQueries({
    queries: versions.map(({ job_id }) => ({ ...samplesQuery(job_id ?? ""), enabled: job_id != null })),
  });
  const columns = versions.flatMap(({ version }, i) => {
    const job = jobs[i]?.data;
    return job ? [{ job, label: `Version ${version}` }] : [];
  });
  const [first, second] = versions;
  return (
    <section
      aria-label={`Versions ${first.version} and ${second.version}`}
      className="mb-4 flex flex-col gap-4"
    >
      {first.after_url && second.after_url && (
        <Panel title="The same picture" bodyClassName="p-1">
          <div className="mx-auto max-w-lg">
            <Comparison
              before={first.after_url}
              after={second.after_url}
              beforeLabel={`Version ${first.version}`}
              afterLabel={`Version ${second.version}`}
            />
          </div>
        </Panel>
      )}
      {columns.length === versions.length ? (
        <>
          <SettingsPanel columns={columns} />
          <SamplesPanel columns={columns} samples={samples.map(({ data }) => data ?? [])} />
        </>
      ) : (
        jobs.every(({ isLoading }) => !isLoading) && (
          <p className="text-muted">
            Only versions that were trained here have settings and samples to compare.
          </p>
        )
      )}
    </section>
  );
}

// Where a version is from: base model, dataset, job, step, and the version whose training it went on from.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { datasetsQuery, jobQuery } from "~/api/queries";
import type { ModelVersion } from "~/api/types";
import { Property } from "~/components/ui/misc";
import { Panel } from "~/components/ui/panel";
import { formatCount, formatDate, formatName } from "~/lib/format";

const LINK = "text-accent underline underline-offset-2";

export function LineagePanel({ version }: { version: ModelVersion }) {
  const { data: job } = useQuery({ ...jobQuery(version.job_id ?? ""), enabled: version.job_id != null });
  const { data: datasets = [] } = useQuery(datasetsQuery());
  const dataset = datasets.find(({ id }) => id === job?.dataset_id);
  const trainer = version.metadata["modelspec.implementation"] ?? version.metadata.ss_sd_scripts_commit_hash;
  const row = (name: string, value: ReactNode) => value != null && <Property name={name}>{value}</Property>;
  return (
    <Panel title="Where it is from">
      <dl>
        {row("Base model", version.base_model)}
        {job && (
          <>
            {row(
              "Dataset",
              <>
                {dataset ? (
                  <Link to="/datasets/$datasetId" params={{ datasetId: dataset.id }} className={LINK}>
                    {dataset.name}
                  </Link>
                ) : (
                  "A deleted dataset"
                )}{" "}
                <span className="text-muted">(version …{job.dataset_version_id.slice(-6)})</span>
              </>,
            )}
            {row(
              "Settings",
              <Link
                to="/jobs/$jobId"
                params={{ jobId: job.id }}
                search={{ tab: "configuration" }}
                className={LINK}
              >
                {formatName(job.recipe.preset)}
              </Link>,
            )}
            {row("Engine", [formatName(job.recipe.engine), trainer].filter(Boolean).join(", "))}
            {job.version_of &&
              row(
                "Checkpoint",
                <>
                  Step {formatCount(job.checkpoint_step ?? 0)} of{" "}
                  <Link to="/jobs/$jobId" params={{ jobId: job.version_of }} className={LINK}>
                    another job
                  </Link>
                </>,
              )}
            {row("Started from", job.recipe.start_from)}
          </>
        )}
        {row("Trained for", version.n_steps != null ? `${formatCount(version.n_steps)} steps` : null)}
        {row(
          "Job",
          version.job_id ? (
            <Link to="/jobs/$jobId" params={{ jobId: version.job_id }} className={LINK}>
              Open the job
            </Link>
          ) : null,
        )}
        {row(
          version.imported && !version.imported.made ? "Imported" : "Created",
          formatDate(version.created_at),
        )}
      </dl>
    </Panel>
  );
}

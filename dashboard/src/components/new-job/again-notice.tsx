// What another training changes against the job that it repeats: its settings, and the dataset.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { datasetChangesQuery } from "~/api/jobs";
import type { DatasetChanges, Job, JobEstimate } from "~/api/types";
import { differences } from "~/components/jobs/differences";
import { formatPlural } from "~/lib/format";

interface Props {
  job: Job;
  /** Of what is in the form now. */
  estimate: JobEstimate | undefined;
  /** The form has the dataset of the job. */
  hasItsDataset: boolean;
}

export function AgainNotice({ job, estimate, hasItsDataset }: Props) {
  const { data: changes } = useQuery(datasetChangesQuery(job.id));
  const lines = estimate ? differences([job.recipe, estimate.recipe]) : [];
  return (
    <section aria-label="Compared with the job" className="rounded-lg border bg-surface p-3">
      <p>
        Again with the settings of{" "}
        <Link
          to="/jobs/$jobId"
          params={{ jobId: job.id }}
          className="text-accent underline underline-offset-2"
        >
          {job.recipe.name}
        </Link>
        . {estimate && lines.length === 0 && "No setting differs yet."}
      </p>
      {lines.length > 0 && (
        <ul aria-label="Changed settings" className="mt-2 space-y-0.5">
          {lines.map(({ field, label, values: [before, now] }) => (
            <li key={field} className="wrap-anywhere">
              <span className="text-muted">{label}:</span> {before} → <strong>{now}</strong>
            </li>
          ))}
        </ul>
      )}
      {!hasItsDataset ? (
        <p className="mt-2 text-muted">It trains on another dataset.</p>
      ) : (
        changes && <p className="mt-2 text-muted">{changesSentence(changes)}</p>
      )}
    </section>
  );
}

/** `Since then: 2 pictures added, 1 with another caption.` */
export function changesSentence(changes: DatasetChanges): string {
  const { n_added, n_removed, n_recaptioned, n_shown_otherwise } = changes;
  const parts = [
    n_added > 0 && `${formatPlural(n_added, "picture")} added`,
    n_removed > 0 && `${formatPlural(n_removed, "picture")} deleted`,
    n_recaptioned > 0 && `${formatPlural(n_recaptioned, "caption")} changed`,
    n_shown_otherwise > 0 && `${formatPlural(n_shown_otherwise, "picture")} repeated differently`,
  ].filter(Boolean);
  return parts.length === 0 ? "The dataset is as it was." : `In the dataset since then: ${parts.join(", ")}.`;
}

// What jobs that are compared show beside their curves: settings that differ, and samples.
import { useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { datasetsQuery } from "~/api/queries";
import type { Job, Sample } from "~/api/types";
import { STROKES } from "~/components/chart/compare-chart";
import { PhaseBadge } from "~/components/phase";
import { Panel } from "~/components/ui/panel";
import { formatCount, formatDate } from "~/lib/format";
import { datasetLine, differences } from "../differences";
import { sharedSamples } from "./shared-samples";

export interface Column {
  job: Job;
  label: string;
}

/** Names of jobs that tell them apart: with a number where two are called the same. */
export function labelsOf(jobs: Job[]): string[] {
  return jobs.map(({ recipe: { name } }, i) => {
    const same = jobs.filter((job) => job.recipe.name === name);
    const n = jobs.slice(0, i + 1).filter((job) => job.recipe.name === name).length;
    return same.length > 1 ? `${name} (${n})` : name;
  });
}

export function SettingsPanel({ columns }: { columns: Column[] }) {
  const { data: datasets } = useSuspenseQuery(datasetsQuery());
  const jobs = columns.map(({ job }) => job);
  const lines = [...datasetLine(jobs, datasets), ...differences(jobs.map(({ recipe }) => recipe))];
  return (
    <Panel title="What differs" bodyClassName="p-0">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard */}
      <section aria-label="Settings that differ" tabIndex={0} className="overflow-x-auto">
        <table className="w-full text-left">
          <thead>
            <tr className="border-b [&>th]:px-3 [&>th]:py-2 [&>th]:font-medium">
              <td />
              {columns.map(({ job, label }, i) => (
                <th key={job.id} scope="col">
                  <Mark index={i} />
                  <Link
                    to="/jobs/$jobId"
                    params={{ jobId: job.id }}
                    className="text-accent underline underline-offset-2"
                  >
                    {label}
                  </Link>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <Line label="Phase">
              {columns.map(({ job }) => (
                <td key={job.id}>
                  <PhaseBadge phase={job.phase} />
                </td>
              ))}
            </Line>
            <Line label="Created">
              {columns.map(({ job }) => (
                <td key={job.id}>{formatDate(job.created_at)}</td>
              ))}
            </Line>
            {columns.some(({ job }) => job.note) && (
              <Line label="Note">
                {columns.map(({ job }) => (
                  <td key={job.id}>{job.note ?? "–"}</td>
                ))}
              </Line>
            )}
            {lines.map(({ field, label, values }) => (
              <Line key={field} label={label}>
                {columns.map(({ job }, i) => (
                  <td key={job.id} className="wrap-anywhere">
                    {values[i]}
                  </td>
                ))}
              </Line>
            ))}
          </tbody>
        </table>
      </section>
      {lines.length === 0 && <p className="border-t p-3 text-muted">All settings are the same.</p>}
    </Panel>
  );
}

function Line({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <tr className="border-b align-top last:border-b-0 [&>*]:px-3 [&>*]:py-1.5">
      <th scope="row" className="font-normal text-muted">
        {label}
      </th>
      {children}
    </tr>
  );
}

/** The color of a job's curve. */
function Mark({ index }: { index: number }) {
  const stroke = STROKES[index] ?? STROKES[0];
  return (
    <span
      aria-hidden
      className="mr-1.5 inline-block h-1 w-4 rounded-sm align-middle"
      style={{ background: `var(${stroke.color})` }}
    />
  );
}

export function SamplesPanel({ columns, samples }: { columns: Column[]; samples: Sample[][] }) {
  const rows = sharedSamples(samples);
  return (
    <Panel title="Samples" bodyClassName="p-0">
      {rows.length === 0 ? (
        <p className="p-3 text-muted">No two of these jobs have a sample of the same prompt and seed.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
        <section aria-label="Samples side by side" tabIndex={0} className="overflow-x-auto">
          <table className="border-separate border-spacing-1 text-left">
            <thead>
              <tr>
                <td />
                {columns.map(({ job, label }, i) => (
                  <th key={job.id} scope="col" className="px-1 font-medium">
                    <Mark index={i} />
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map(({ prompt, seed, step, cells }) => (
                <tr key={JSON.stringify([prompt, seed, step])} className="align-top">
                  <th scope="row" className="w-28 max-w-28 pr-2 font-normal sm:w-40 sm:max-w-40">
                    <span className="block font-medium">
                      {step === null ? "Last" : step === 0 ? "Start" : `Step ${formatCount(step)}`}
                    </span>
                    <span className="line-clamp-5 text-muted text-xs">{prompt}</span>
                  </th>
                  {columns.map(({ job }, i) => {
                    const sample = cells[i];
                    return (
                      <td key={job.id} className="p-0">
                        {sample ? (
                          <a href={sample.url} target="_blank" rel="noreferrer" className="block">
                            <img
                              src={sample.url}
                              alt={`Step ${sample.step}: ${sample.prompt}`}
                              loading="lazy"
                              className="size-36 max-w-none rounded-sm border object-cover sm:size-52"
                            />
                            {step === null && (
                              <span className="text-muted text-xs">Step {formatCount(sample.step)}</span>
                            )}
                          </a>
                        ) : (
                          <div className="hatch size-36 sm:size-52" />
                        )}
                      </td>
                    );
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </Panel>
  );
}

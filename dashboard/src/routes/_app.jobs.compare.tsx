// Two to four jobs beside each other: curves, the settings that differ, samples.
import { useSuspenseQueries } from "@tanstack/react-query";
import { createFileRoute, Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { comparedMetricsQuery } from "~/api/jobs";
import { datasetsQuery, jobQuery, samplesQuery } from "~/api/queries";
import { CompareChart } from "~/components/chart/compare-chart";
import { AXES, type Axis } from "~/components/chart/compare-data";
import { LossAxis, type LossScale } from "~/components/chart/loss-axis";
import { DEFAULT_SMOOTHING } from "~/components/chart/loss-panel";
import { labelsOf, SamplesPanel, SettingsPanel } from "~/components/jobs/compare/compare-panels";
import { MOST_COMPARED } from "~/components/jobs/compare/picked";
import { ButtonLink } from "~/components/ui/button";
import { Empty } from "~/components/ui/empty";
import { Page } from "~/components/ui/page";
import { Panel } from "~/components/ui/panel";
import { Segmented } from "~/components/ui/segmented";

interface View {
  ids?: string;
  by?: Axis;
  scale?: LossScale;
}

export const Route = createFileRoute("/_app/jobs/compare")({
  validateSearch: (search: Record<string, unknown>): View => {
    const by = AXES.find((one) => one === search.by);
    return {
      ...(typeof search.ids === "string" && { ids: search.ids }),
      ...(by && by !== "step" && { by }),
      ...(search.scale === "log" && { scale: "log" as const }),
    };
  },
  loaderDeps: ({ search: { ids } }) => ({ ids }),
  loader: ({ context, deps: { ids } }) =>
    Promise.all([
      context.queries.ensureQueryData(datasetsQuery()),
      ...idsOf(ids).flatMap((id) => [
        context.queries.ensureQueryData(jobQuery(id)),
        context.queries.ensureQueryData(comparedMetricsQuery(id)),
        context.queries.ensureQueryData(samplesQuery(id)),
      ]),
    ]),
  component: Compare,
});

function idsOf(ids = ""): string[] {
  return [...new Set(ids.split(",").filter((id) => id !== ""))].slice(0, MOST_COMPARED);
}

function Compare() {
  const ids = idsOf(Route.useSearch().ids);
  return (
    <Page
      title="Compare jobs"
      above={
        <Link to="/jobs" className="underline-offset-2 hover:underline">
          Jobs
        </Link>
      }
    >
      {ids.length < 2 ? (
        <Empty title="Choose jobs to compare" action={<ButtonLink to="/jobs">Open the jobs</ButtonLink>}>
          Tick two to four jobs in the list, then press “Compare”.
        </Empty>
      ) : (
        <Compared key={ids.join()} ids={ids} />
      )}
    </Page>
  );
}

function Compared({ ids }: { ids: string[] }) {
  const { by = "step", scale = "linear" } = Route.useSearch();
  const navigate = Route.useNavigate();
  const see = (view: Omit<View, "ids">) =>
    void navigate({ search: (before) => ({ ...before, ...view }), replace: true, resetScroll: false });
  const jobs = useSuspenseQueries({ queries: ids.map(jobQuery) }).map(({ data }) => data);
  const metrics = useSuspenseQueries({ queries: ids.map((id) => comparedMetricsQuery(id)) }).map(
    ({ data }) => data,
  );
  const samples = useSuspenseQueries({ queries: ids.map(samplesQuery) }).map(({ data }) => data);
  const labels = labelsOf(jobs);
  const columns = jobs.map((job, i) => ({ job, label: labels[i] ?? job.recipe.name }));
  // biome-ignore lint/correctness/useExhaustiveDependencies: the lists are new in every render, what they hold is not
  const all = useMemo(
    () => jobs.flatMap((job, i) => (metrics[i] ? [{ job, metrics: metrics[i] }] : [])),
    [...jobs, ...metrics],
  );
  return (
    <div className="flex flex-col gap-4">
      <Panel
        title="Loss"
        aside={
          <div className="flex flex-wrap items-center gap-2">
            <Segmented
              label="Along"
              value={by}
              onValueChange={(value) => see({ by: value })}
              options={[
                { value: "step", label: "Steps" },
                { value: "epoch", label: "Epochs" },
                { value: "time", label: "Time" },
              ]}
            />
            <LossAxis value={scale} onValueChange={(value) => see({ scale: value })} />
          </div>
        }
      >
        <CompareChart
          all={all}
          labels={labels}
          axis={by}
          smoothing={DEFAULT_SMOOTHING}
          log={scale === "log"}
        />
      </Panel>
      <SettingsPanel columns={columns} />
      <SamplesPanel columns={columns} samples={samples} />
    </div>
  );
}

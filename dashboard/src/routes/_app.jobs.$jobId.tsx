// One job, live.
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute, Link } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { jobQuery, modelVersionQuery, samplesQuery } from "~/api/queries";
import type { Job, Sample } from "~/api/types";
import type { LossScale } from "~/components/chart/loss-axis";
import { JobActions } from "~/components/jobs/job-actions";
import { JobConfig } from "~/components/jobs/job-config";
import { JobHeader } from "~/components/jobs/job-header";
import { JobLog } from "~/components/jobs/job-log";
import { Overview } from "~/components/jobs/overview";
import { SampleViewer } from "~/components/jobs/sample-viewer";
import { Samples } from "~/components/jobs/samples";
import { LabelBar } from "~/components/labels/label-bar";
import { isEnded, phaseWord } from "~/components/phase";
import { JobResult } from "~/components/results/job-result";
import { isRented } from "~/components/spend/job-money";
import { MoneyPanel } from "~/components/spend/money-panel";
import { Page } from "~/components/ui/page";
import { TabPanel, Tabs } from "~/components/ui/tabs";
import { formatCount, formatName } from "~/lib/format";
import { markSeen } from "~/lib/just-finished";
import { type Shortcut, useShortcuts, useShortcutsEnabled } from "~/lib/shortcuts";
import { useJobLive } from "~/live/use-job-live";

const TABS = ["overview", "samples", "log", "configuration"] as const;
type Tab = (typeof TABS)[number];

interface View {
  tab?: Tab;
  smoothing?: number;
  scale?: LossScale;
  chart?: "curve" | "table";
  /** The step whose batch is shown. */
  step?: number;
}

export const Route = createFileRoute("/_app/jobs/$jobId")({
  validateSearch: (search: Record<string, unknown>): View => {
    const tab = TABS.find((one) => one === search.tab);
    const smoothing = Number(search.smoothing);
    const step = Number(search.step);
    return {
      ...(tab && { tab }),
      ...(search.smoothing !== undefined && smoothing >= 0 && smoothing < 1 && { smoothing }),
      ...(search.scale === "log" && { scale: "log" as const }),
      ...(search.chart === "table" && { chart: "table" as const }),
      ...(Number.isSafeInteger(step) && step > 0 && { step }),
    };
  },
  loader: ({ context, params }) => context.queries.ensureQueryData(jobQuery(params.jobId)),
  component: JobPage,
});

function JobPage() {
  const { jobId } = Route.useParams();
  return <LiveJob key={jobId} id={jobId} />;
}

function LiveJob({ id }: { id: string }) {
  const { tab = "overview" } = Route.useSearch();
  const navigate = Route.useNavigate();
  const { data: job } = useSuspenseQuery(jobQuery(id));
  const { data: samples = [] } = useQuery(samplesQuery(id));
  const { series, stage, forecast } = useJobLive(id);
  const [shown, setShown] = useState<Sample | null>(null);
  const hasEnded = isEnded(job.phase);
  useEffect(() => {
    if (hasEnded) markSeen(id);
  }, [hasEnded, id]);
  const { data: version } = useQuery({
    ...modelVersionQuery(job.model_version_id ?? ""),
    enabled: job.model_version_id != null,
  });
  const see = (next: Tab) =>
    void navigate({ search: (before) => ({ ...before, tab: next }), resetScroll: false });
  useTabKeys(tab, see);

  return (
    <Page
      title={job.recipe.name}
      tabTitle={tabTitle(job)}
      above={
        <>
          <Link to="/jobs" className="underline-offset-2 hover:underline">
            Jobs
          </Link>{" "}
          / {formatName(job.recipe.preset)} on {job.recipe.base_model}
        </>
      }
      description={
        <>
          <Origin job={job} />
          <LabelBar kind="job" id={job.id} name={job.recipe.name} note={job.note ?? ""} className="mt-1" />
        </>
      }
      actions={<JobActions job={job} version={version} />}
    >
      <JobHeader job={job} stage={stage} />
      {isRented(job) && <MoneyPanel job={job} forecast={forecast} />}
      <Tabs
        value={tab}
        onValueChange={see}
        tabs={[
          { value: "overview", label: "Overview" },
          { value: "samples", label: "Samples", count: samples.length },
          { value: "log", label: "Log" },
          { value: "configuration", label: "Configuration" },
        ]}
      >
        <TabPanel value="overview">
          <JobResult job={job} version={version} />
          <Overview job={job} samples={samples} series={series} onOpen={setShown} />
        </TabPanel>
        <TabPanel value="samples">
          <Samples job={job} samples={samples} onOpen={setShown} />
        </TabPanel>
        <TabPanel value="log">
          <JobLog id={id} />
        </TabPanel>
        <TabPanel value="configuration">
          <JobConfig job={job} />
        </TabPanel>
      </Tabs>
      {shown && <SampleViewer samples={samples} shown={shown} onShow={setShown} />}
    </Page>
  );
}

/** The job whose checkpoint this one makes a version of. */
function Origin({ job }: { job: Job }) {
  if (!job.version_of) return null;
  return (
    <>
      Makes a version of step {formatCount(job.checkpoint_step ?? 0)} of{" "}
      <Link
        to="/jobs/$jobId"
        params={{ jobId: job.version_of }}
        className="text-accent underline underline-offset-2"
      >
        another job
      </Link>
    </>
  );
}

function tabTitle(job: Job): string {
  const { progress, phase, recipe } = job;
  if (phase !== "running" || !progress) return `${phaseWord(phase)} · ${recipe.name}`;
  return `${Math.floor((100 * progress.step) / progress.n_steps)}% · ${recipe.name}`;
}

function useTabKeys(tab: Tab, see: (tab: Tab) => void): void {
  const [enabled] = useShortcutsEnabled();
  // biome-ignore lint/correctness/useExhaustiveDependencies: `see` does the same in every render
  const shortcuts = useMemo<Shortcut[]>(() => {
    const at = TABS.indexOf(tab);
    const go = (by: number) => see(TABS[(at + by + TABS.length) % TABS.length] ?? "overview");
    return [
      { keys: "[", description: "Previous tab", run: () => go(-1) },
      { keys: "]", description: "Next tab", run: () => go(1) },
    ];
  }, [tab]);
  useShortcuts(shortcuts, enabled);
}

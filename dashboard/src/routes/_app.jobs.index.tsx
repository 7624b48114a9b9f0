// All jobs, live.
import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { ChartLine, Plus } from "lucide-react";
import { jobsQuery } from "~/api/queries";
import type { Job } from "~/api/types";
import { pickedOf, togglePicked } from "~/components/jobs/compare/picked";
import { JobTable } from "~/components/jobs/job-table";
import { isEnded } from "~/components/phase";
import { ButtonLink } from "~/components/ui/button";
import { Empty } from "~/components/ui/empty";
import { Page } from "~/components/ui/page";
import { SearchField } from "~/components/ui/search-field";
import { Segmented } from "~/components/ui/segmented";
import { formatPlural } from "~/lib/format";
import { useRowKeys } from "~/lib/use-rows";

const SHOWS = ["all", "active", "ended"] as const;
type Show = (typeof SHOWS)[number];

interface View {
  show?: Show;
  q?: string;
  /** Ids of the jobs that are ticked, with commas between them. */
  picked?: string;
}

export const Route = createFileRoute("/_app/jobs/")({
  validateSearch: (search: Record<string, unknown>): View => {
    const show = SHOWS.find((one) => one === search.show);
    return {
      ...(show && show !== "all" && { show }),
      ...(typeof search.q === "string" && search.q && { q: search.q }),
      ...(typeof search.picked === "string" && search.picked && { picked: search.picked }),
    };
  },
  loader: ({ context }) => context.queries.ensureQueryData(jobsQuery()),
  component: Jobs,
});

function Jobs() {
  const { show = "all", q = "", picked: ticked } = Route.useSearch();
  const navigate = Route.useNavigate();
  const { data: jobs } = useSuspenseQuery(jobsQuery());
  useRowKeys();
  const n_active = jobs.filter((job) => !isEnded(job.phase)).length;
  const shown = jobs.filter((job) => matches(job, show, q));
  const picked = pickedOf(ticked).filter((id) => jobs.some((job) => job.id === id));
  const see = (view: View) => void navigate({ search: (before) => ({ ...before, ...view }), replace: true });
  const pick = (id: string) =>
    void navigate({
      search: ({ picked: _, ...before }) => {
        const next = togglePicked(picked, id);
        return { ...before, ...(next && { picked: next }) };
      },
      replace: true,
      resetScroll: false,
    });

  return (
    <Page
      title="Jobs"
      tabTitle={n_active > 0 ? `${n_active} active · Jobs` : "Jobs"}
      description={
        jobs.length > 0 &&
        (shown.length < jobs.length
          ? `${shown.length} of ${formatPlural(jobs.length, "job")}`
          : `${formatPlural(jobs.length, "job")}, ${n_active} active`)
      }
      actions={
        jobs.length > 0 && (
          <>
            {picked.length > 0 && (
              <ButtonLink
                to="/jobs/compare"
                search={{ ids: picked.join(",") }}
                disabled={picked.length < 2}
                title={picked.length < 2 ? "Tick another job to compare with." : undefined}
              >
                <ChartLine aria-hidden />
                Compare {picked.length}
              </ButtonLink>
            )}
            <SearchField label="Search jobs" value={q} onValueChange={(value) => see({ q: value })} />
            <Segmented
              label="Show"
              value={show}
              onValueChange={(value) => see({ show: value })}
              options={[
                { value: "all", label: "All" },
                { value: "active", label: "Active" },
                { value: "ended", label: "Ended" },
              ]}
            />
          </>
        )
      }
    >
      {jobs.length === 0 ? (
        <Empty
          title="Nothing has been trained yet"
          action={
            <>
              <ButtonLink to="/jobs/new" variant="primary">
                <Plus aria-hidden />
                New job
              </ButtonLink>
              <ButtonLink to="/datasets">Upload pictures first</ButtonLink>
            </>
          }
        >
          A job teaches a base model your character, style or concept. It needs a dataset: 15 to 30 pictures
          with captions are enough for a character.
        </Empty>
      ) : shown.length === 0 ? (
        <Empty title="No job matches">Change the search or show all jobs.</Empty>
      ) : (
        <JobTable jobs={shown} picked={picked} onPick={pick} />
      )}
    </Page>
  );
}

function matches(job: Job, show: Show, q: string): boolean {
  if (show !== "all" && isEnded(job.phase) !== (show === "ended")) return false;
  const { name, base_model, trigger_word, preset } = job.recipe;
  return [name, base_model, trigger_word ?? "", preset].join(" ").toLowerCase().includes(q.toLowerCase());
}

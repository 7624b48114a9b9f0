// All jobs, live.
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { ChartLine, Plus } from "lucide-react";
import { datasetsQuery, jobsQuery, labelsQuery } from "~/api/queries";
import type { Job } from "~/api/types";
import { DemoDataset } from "~/components/datasets/demo-dataset";
import { pickedOf, togglePicked } from "~/components/jobs/compare/picked";
import { JobTable } from "~/components/jobs/job-table";
import { JustFinished } from "~/components/jobs/just-finished";
import { LabelFilter } from "~/components/labels/label-filter";
import { bySubject, fitsLabel, type LabelView, readLabelView, searchedOf } from "~/components/labels/labels";
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

interface View extends LabelView {
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
      ...readLabelView(search),
    };
  },
  loader: ({ context }) =>
    Promise.all([
      context.queries.ensureQueryData(jobsQuery()),
      context.queries.ensureQueryData(labelsQuery("job")),
    ]),
  component: Jobs,
});

function Jobs() {
  const { show = "all", q = "", picked: ticked, ...labelView } = Route.useSearch();
  const navigate = Route.useNavigate();
  const { data: jobs } = useSuspenseQuery(jobsQuery());
  const { data: datasets } = useQuery({ ...datasetsQuery(), enabled: jobs.length === 0 });
  const hasPictures = datasets?.some(({ n_items }) => n_items > 0) ?? false;
  const { data: labels } = useSuspenseQuery(labelsQuery("job"));
  const labeled = bySubject(labels);
  useRowKeys();
  const n_active = jobs.filter((job) => !isEnded(job.phase)).length;
  const shown = jobs.filter((job) => {
    const label = labeled.get(job.id);
    return fitsLabel(label, labelView) && matches(job, show, `${searchedOf(label)} ${job.note ?? ""}`, q);
  });
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
      <JustFinished jobs={jobs} />
      <div className="mb-3 empty:hidden">
        <LabelFilter
          labels={labels}
          view={labelView}
          onChange={(view) =>
            void navigate({
              search: ({ starred: _, tag: __, ...before }) => ({ ...before, ...view }),
              replace: true,
            })
          }
        />
      </div>
      {jobs.length === 0 ? (
        <Empty
          title="Nothing has been trained yet"
          action={
            hasPictures ? (
              <ButtonLink to="/jobs/new" variant="primary">
                <Plus aria-hidden />
                New job
              </ButtonLink>
            ) : (
              <>
                <ButtonLink to="/datasets" search={{ create: true }} variant="primary">
                  <Plus aria-hidden />
                  New dataset
                </ButtonLink>
                <DemoDataset />
              </>
            )
          }
        >
          A job teaches a base model your character, style or concept.{" "}
          {hasPictures
            ? "Choose a dataset and what the LoRA is for; everything else has a value that fits."
            : "It needs a dataset: 15 to 30 pictures with captions are enough for a character."}
        </Empty>
      ) : shown.length === 0 ? (
        <Empty title="No job matches">Change the search or show all jobs.</Empty>
      ) : (
        <JobTable jobs={shown} labels={labeled} picked={picked} onPick={pick} />
      )}
    </Page>
  );
}

function matches(job: Job, show: Show, said: string, q: string): boolean {
  if (show !== "all" && isEnded(job.phase) !== (show === "ended")) return false;
  const { name, base_model, trigger_word, preset } = job.recipe;
  return [name, base_model, trigger_word ?? "", preset, said]
    .join(" ")
    .toLowerCase()
    .includes(q.toLowerCase());
}

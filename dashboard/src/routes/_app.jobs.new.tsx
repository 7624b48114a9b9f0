// Submitting a job.
import { type QueryClient, useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute, Link } from "@tanstack/react-router";
import { Sparkles } from "lucide-react";
import { fields } from "~/api/fields";
import { estimateQuery, useCreateJob } from "~/api/jobs";
import { describeError, isConflict, isUnanswered, ProblemError } from "~/api/problem";
import { baseModelsQuery, datasetsQuery, jobQuery, presetsQuery } from "~/api/queries";
import { providersQuery } from "~/api/spend";
import type { BaseModel, Dataset, Job, ProviderInfo } from "~/api/types";
import { DemoDataset } from "~/components/datasets/demo-dataset";
import { againOf, CHANGES, type Change } from "~/components/new-job/again";
import { AgainNotice } from "~/components/new-job/again-notice";
import { EstimatePanel, inShort } from "~/components/new-job/estimate-panel";
import { toRequest, type Values, wrongFields } from "~/components/new-job/form";
import { Missing } from "~/components/new-job/missing";
import { NewJobForm } from "~/components/new-job/new-job-form";
import {
  HERE,
  isRented,
  limitError,
  toWanted,
  type Where,
  whatIsMissing,
  withEveryGpu,
  withMoney,
} from "~/components/new-job/where/rented";
import { BindingBudgets, RentedProperties } from "~/components/new-job/where/rented-estimate";
import { WhereItRuns } from "~/components/new-job/where/where-it-runs";
import { ButtonLink } from "~/components/ui/button";
import { CarefulForm } from "~/components/ui/careful-form";
import { DraftNotice } from "~/components/ui/draft-notice";
import { Empty } from "~/components/ui/empty";
import { Page } from "~/components/ui/page";
import { Said } from "~/components/ui/said";
import { StartButton } from "~/components/ui/start-button";
import { announceError } from "~/components/ui/toast";
import { stillWrong } from "~/lib/still-wrong";
import { useDraft } from "~/lib/use-draft";
import { useSettled } from "~/lib/use-settled";

interface View {
  dataset?: string;
  /** The job whose training is made once more. */
  again?: string;
  /** What is different then. */
  change?: Change;
  /** The version whose LoRA it begins with. */
  from?: string;
}

export const Route = createFileRoute("/_app/jobs/new")({
  validateSearch: (search: Record<string, unknown>): View => {
    const change = CHANGES.find((one) => one === search.change);
    return {
      ...(typeof search.dataset === "string" && { dataset: search.dataset }),
      ...(typeof search.again === "string" && { again: search.again }),
      ...(change && { change }),
      ...(typeof search.from === "string" && { from: search.from }),
    };
  },
  loaderDeps: ({ search: { again, change } }) => ({ again, change }),
  loader: ({ context, deps: { again, change } }) =>
    Promise.all([
      again === undefined ? undefined : repeated(context.queries, again, change),
      // The form begins with a dataset of this list: one from before the last upload may lack it, or its pictures.
      context.queries.fetchQuery({ ...datasetsQuery(), staleTime: 0 }),
      context.queries.ensureQueryData(baseModelsQuery()),
      context.queries.ensureQueryData(providersQuery()),
    ]),
  component: NewJob,
});

const SETTLE_MS = 350;
const NOT_STARTED = "The job was not started";
const MISSING = "what-is-missing";

/** What is typed belongs to what the form began with. */
function draftKey(dataset = "", again?: string, ...differences: (string | undefined)[]): string {
  return again ? ["again", again, ...differences].filter(Boolean).join(":") : `new-job:${dataset}`;
}

/** The job to train again, and what the form begins with for it. */
async function repeated(
  queries: QueryClient,
  id: string,
  change: Change | undefined,
): Promise<{ job: Job; values: Partial<Values> }> {
  const job = await queries.ensureQueryData(jobQuery(id));
  const presets = await queries.ensureQueryData(presetsQuery(job.recipe.base_model, ""));
  const preset = presets.find((info) => info.preset === job.recipe.preset);
  return { job, values: againOf(job, preset?.parameters ?? job.recipe.parameters, change) };
}

function NewJob() {
  const { dataset: wanted, again, change, from } = Route.useSearch();
  const [repeats] = Route.useLoaderData();
  const navigate = Route.useNavigate();
  const { data: all } = useSuspenseQuery(datasetsQuery());
  const { data: bases } = useSuspenseQuery(baseModelsQuery());
  const { data: providers } = useSuspenseQuery(providersQuery());
  const datasets = all.filter((dataset) => dataset.n_items > 0);
  const first =
    datasets.find((dataset) => dataset.id === wanted) ?? (datasets.length === 1 ? datasets[0] : undefined);
  const draft = useDraft<Draft>(draftKey(wanted, again, change, from), () => ({
    dataset_id: first?.id ?? "",
    base_model: bases[0]?.name ?? "",
    preset: "character",
    family: "",
    name: first?.name ?? "",
    trigger_word: "",
    engine: fields.CreateJob.engine.options[0],
    priority: String(fields.CreateJob.priority.default),
    sample_prompts: "",
    samples: [],
    start_from: "",
    n_epochs: "",
    parameters: {},
    answers: {},
    note: "",
    where: HERE,
    ...repeats?.values,
    ...(from !== undefined && { start_from: from }),
  }));
  const { values, where } = offered(draft.values, datasets, bases, providers);
  const { data: presets = [] } = useQuery(presetsQuery(values.base_model, values.family));
  const create = useCreateJob();

  const trained = toRequest(values);
  const rents = isRented(where.provider, providers);
  const request = trained && { ...trained, ...toWanted(where, providers) };
  const named = request && { ...request, name: request.name || "unnamed" };
  const settled = useSettled(named, SETTLE_MS);
  const estimate = useQuery(estimateQuery(settled));
  const everyGpu = useQuery(estimateQuery(settled && rents ? withEveryGpu(settled) : null));
  const isOfThis = JSON.stringify(named) === JSON.stringify(settled) && !estimate.isPlaceholderData;
  const seen = estimate.error ? undefined : estimate.data;
  const complete = request && withMoney(request, where.limit, isOfThis ? seen : undefined);
  const hasBasis = values.dataset_id !== "" && values.base_model !== "";
  const missing = hasBasis ? whatIsMissing(request, where.limit, seen) : null;
  const errors = {
    ...(values.dataset_id !== "" && values.name.trim() === "" && { name: "Enter a name." }),
    ...fieldErrors(estimate.error),
    ...stillWrong(fieldErrors(create.error), create.variables, complete, BESIDE),
  };

  const start = () => {
    if (!complete || create.isPending) return;
    create.mutate(complete, {
      onSuccess: ({ id }) => {
        draft.done();
        void navigate({ to: "/jobs/$jobId", params: { jobId: id } });
      },
      onError: (error) => {
        if (isConflict(error)) return;
        // It is unknown whether it arrived; the same key prevents a second job.
        const title = isUnanswered(error)
          ? "No response came. Press start again: no second job will be created"
          : NOT_STARTED;
        announceError(title, error);
      },
    });
  };

  /** The button, with what keeps it from starting or kept it. */
  const begin = (place: "beside" | "below") => (
    <>
      {isConflict(create.error) && (
        <p role="alert" className="my-3 rounded-md border border-warning bg-warning-soft p-2.5">
          <Said>{`The job was not started: ${describeError(create.error)}.`}</Said>
        </p>
      )}
      <StartButton
        onStart={start}
        variant="primary"
        className="w-full"
        disabled={!complete || complete.name === "" || create.isPending || create.isSuccess}
        aria-describedby={missing ? `${MISSING}-${place}` : undefined}
      >
        <Sparkles aria-hidden />
        {create.isPending ? "Starting…" : "Start training"}
      </StartButton>
      {missing && (
        <Missing
          id={`${MISSING}-${place}`}
          text={missing}
          fields={[...wrongFields(values), ...(limitError(where.limit, seen) ? ["Cost limit"] : [])]}
        />
      )}
    </>
  );

  return (
    <Page
      title={repeats ? "Train again" : "New job"}
      above={
        <Link to="/jobs" className="underline-offset-2 hover:underline">
          Jobs
        </Link>
      }
    >
      {datasets.length === 0 ? (
        <Empty
          title="A job needs pictures"
          action={
            <>
              <ButtonLink to="/datasets" search={{ create: true }} variant="primary">
                New dataset
              </ButtonLink>
              <DemoDataset />
            </>
          }
        >
          Make a dataset and upload pictures with captions, or take those of the demo; then come back.
        </Empty>
      ) : (
        <CarefulForm>
          <div className="grid items-start gap-x-8 gap-y-6 min-[60rem]:grid-cols-[minmax(0,1fr)_17rem] xl:grid-cols-[minmax(0,1fr)_20rem]">
            <div className="flex min-w-0 flex-col gap-6">
              <DraftNotice
                from={draft.restoredFrom}
                onDiscard={() => {
                  create.reset();
                  draft.discard();
                }}
              />
              {repeats && (
                <AgainNotice
                  job={repeats.job}
                  estimate={seen}
                  hasItsDataset={values.dataset_id === repeats.job.dataset_id}
                />
              )}
              <NewJobForm
                values={values}
                onChange={draft.change}
                datasets={datasets}
                bases={bases}
                presets={presets}
                estimate={isOfThis ? seen : undefined}
                errors={errors}
              >
                {providers.some(({ is_rented, machines }) => is_rented || machines?.length) && (
                  <WhereItRuns
                    where={where}
                    onChange={(where) => draft.change({ where })}
                    providers={providers}
                    estimate={seen}
                    everyGpu={everyGpu.data}
                    errors={errors}
                  />
                )}
              </NewJobForm>
            </div>
            <div className="min-[60rem]:sticky min-[60rem]:top-5">
              <EstimatePanel
                dataset={datasets.find((dataset) => dataset.id === values.dataset_id)}
                estimate={seen}
                problem={estimate.error ? describeError(estimate.error) : undefined}
                rented={seen && rents && <RentedProperties estimate={seen} />}
              >
                {seen && settled?.rental && <BindingBudgets estimate={seen} limit={where.limit} />}
                <div className="hidden min-[60rem]:block">{begin("beside")}</div>
              </EstimatePanel>
            </div>
          </div>
          {/* Where there is no room beside the form, it stays at the bottom of the window, above a phone's bar. */}
          <div className="sticky bottom-[calc(3.5rem+env(safe-area-inset-bottom))] z-10 -mx-4 mt-6 border-t bg-bg px-4 py-2 md:bottom-0 md:-mx-6 md:px-6 min-[60rem]:hidden">
            {seen && <p className="mb-1.5 text-center text-muted text-xs">{inShort(seen, rents)}</p>}
            {begin("below")}
          </div>
        </CarefulForm>
      )}
    </Page>
  );
}

/** The form's values, and where the job is to run. */
type Draft = Values & { where: Where };

/** Earlier choices may no longer exist. */
function offered(
  { where, ...values }: Draft,
  datasets: Dataset[],
  bases: BaseModel[],
  providers: ProviderInfo[],
): { values: Values; where: Where } {
  const has = (all: { id?: string; name: string }[], key: string) =>
    all.some(({ id, name }) => (id ?? name) === key);
  return {
    values: {
      ...values,
      dataset_id: has(datasets, values.dataset_id) ? values.dataset_id : "",
      base_model: has(bases, values.base_model) ? values.base_model : (bases[0]?.name ?? ""),
    },
    where:
      where.provider === HERE.provider || has(providers, where.provider)
        ? where
        : { ...where, provider: HERE.provider },
  };
}

/** What is right for these depends on more than themselves. */
const BESIDE = { base_model: ["provider"], start_from: ["base_model"] };

function fieldErrors(error: unknown): Record<string, string> {
  return error instanceof ProblemError ? error.fields : {};
}

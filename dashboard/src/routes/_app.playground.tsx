// Pictures from prompts, with LoRAs at any weight.
import { useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import { useEffect, useRef } from "react";
import { drawingSessionsQuery } from "~/api/drawing";
import { useGenerate } from "~/api/generations";
import { isUnanswered, ProblemError } from "~/api/problem";
import { baseModelsQuery, generationQuery, modelsQuery } from "~/api/queries";
import { Controls } from "~/components/playground/controls";
import {
  fromRequest,
  hasWrongSeed,
  initial,
  nextSeed,
  offered,
  refusedStill,
  toRequests,
  withLora,
} from "~/components/playground/form";
import { PictureButton, PictureNotice, usePictureSettings } from "~/components/playground/from-picture";
import { MOST_OPEN } from "~/components/playground/gallery/chosen-bar";
import { Gallery } from "~/components/playground/gallery/gallery";
import { type GalleryView, readGalleryView } from "~/components/playground/gallery/view";
import { SessionPanel } from "~/components/playground/session/session-panel";
import { places } from "~/components/playground/session/sessions";
import { Stage } from "~/components/playground/stage";
import { Button } from "~/components/ui/button";
import { Page } from "~/components/ui/page";
import { announceError } from "~/components/ui/toast";
import { scrollBehavior } from "~/lib/motion";
import { useDraft } from "~/lib/use-draft";

interface View extends GalleryView {
  /** The pictures that are shown large: one, or some that are compared. */
  show?: string[];
  /** A model version to begin with. */
  lora?: string;
}

export const Route = createFileRoute("/_app/playground")({
  validateSearch: (search: Record<string, unknown>): View => ({
    ...(Array.isArray(search.show) && {
      show: search.show.filter((id): id is string => typeof id === "string").slice(0, MOST_OPEN),
    }),
    ...(typeof search.lora === "string" && { lora: search.lora }),
    ...readGalleryView(search),
  }),
  loader: ({ context }) =>
    Promise.all([
      context.queries.ensureQueryData(baseModelsQuery()),
      context.queries.ensureQueryData(modelsQuery()),
    ]),
  component: Playground,
});

function Playground() {
  const { show = [], lora, ...view } = Route.useSearch();
  const navigate = Route.useNavigate();
  const queries = useQueryClient();
  const { data: bases } = useSuspenseQuery(baseModelsQuery());
  const { data: models } = useSuspenseQuery(modelsQuery());
  const versions = models.flatMap((model) => model.versions);
  const wanted = versions.find((version) => version.id === lora);
  const draft = useDraft("playground", () => initial(bases[0]?.name ?? ""), {
    arrive: (before) => (wanted ? withLora(before, wanted) : before),
  });
  const { change } = draft;
  const { data: sessions } = useQuery(drawingSessionsQuery());
  const values = offered(draft.values, bases, versions);
  const stage = useRef<HTMLDivElement>(null);
  const generate = useGenerate();
  const busy = useBusy(show) || generate.isPending;
  const pictures = usePictureSettings({
    bases,
    versions,
    base_model: values.base_model,
    onRestore: change,
  });
  const see = (ids: string[]) =>
    void navigate({ search: { ...view, show: ids }, replace: true, resetScroll: false });

  // A picture that has just finished belongs in the history.
  useEffect(() => {
    if (!busy) void queries.invalidateQueries({ queryKey: ["generations"], exact: true });
  }, [busy, queries]);

  const start = () => {
    if (busy || values.prompt.trim() === "" || hasWrongSeed(values)) return;
    // An unanswered request is repeated unchanged, so that the picture is made once.
    const seed = nextSeed(values, isUnanswered(generate.error));
    change({ seed });
    generate.mutate(toRequests({ ...values, seed }), {
      onSuccess: (made) => {
        see(made.map((one) => one.id));
        stage.current?.scrollIntoView({ block: "nearest", behavior: scrollBehavior() });
      },
      onError: (error) => announceError("No picture was rendered", error),
    });
  };

  const refused = generate.error instanceof ProblemError ? generate.error.fields : {};
  const errors = refusedStill(refused, generate.variables, toRequests(values));

  return (
    <Page
      title="Playground"
      description={
        <>
          Pictures from a prompt, with your LoRAs at any weight.
          <span className="hidden md:inline"> Ctrl + Enter renders.</span>
        </>
      }
      actions={
        <>
          <PictureButton take={pictures.take} />
          {draft.isChanged && (
            <Button onClick={draft.discard}>
              <RotateCcw aria-hidden />
              Start over
            </Button>
          )}
        </>
      }
    >
      <PictureNotice told={pictures.told} dismiss={pictures.dismiss} />
      <div className="grid items-start gap-6 min-[60rem]:grid-cols-[17rem_minmax(0,1fr)] lg:grid-cols-[20rem_minmax(0,1fr)]">
        <Controls
          values={values}
          onChange={change}
          bases={bases}
          versions={versions}
          places={places(sessions, values.session)}
          errors={errors}
          busy={busy}
          onGenerate={start}
        />
        <div ref={stage} className="min-w-0 scroll-mt-14">
          <SessionPanel sessions={sessions ?? []} onRented={(session) => change({ session })} />
          <Stage
            ids={show}
            versions={versions}
            onReuse={({ request }) => change(fromRequest(values, request))}
          />
          <Gallery
            view={view}
            onView={(next) =>
              void navigate({
                search: { ...next, ...(show.length > 0 && { show }), ...(lora && { lora }) },
                replace: true,
                resetScroll: false,
              })
            }
            versions={versions}
            open={show}
            onOpen={(ids) => {
              see(ids);
              stage.current?.scrollIntoView({ block: "nearest", behavior: scrollBehavior() });
            }}
          />
        </div>
      </div>
    </Page>
  );
}

/** Whether a picture that is shown is still being made. */
function useBusy(ids: string[]): boolean {
  const first = useQuery({ ...generationQuery(ids[0] ?? ""), enabled: ids[0] !== undefined });
  const second = useQuery({ ...generationQuery(ids[1] ?? ""), enabled: ids[1] !== undefined });
  return [first.data, second.data].some((one) => one?.phase === "queued" || one?.phase === "running");
}

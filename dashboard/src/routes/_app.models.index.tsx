// All LoRAs: trained here, or imported.
import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { Import, Plus, SquareMinus } from "lucide-react";
import { useCallback, useState } from "react";
import { asImport } from "~/api/models";
import { baseModelsQuery, labelsQuery, modelsQuery } from "~/api/queries";
import { LabelFilter } from "~/components/labels/label-filter";
import { bySubject, fitsLabel, type LabelView, readLabelView, searchedOf } from "~/components/labels/labels";
import { currentOf } from "~/components/models/current";
import { ExtractDialog } from "~/components/models/edits/extract-dialog";
import { Extractions } from "~/components/models/edits/extractions";
import { ImportLora } from "~/components/models/import-lora";
import { ModelCard } from "~/components/models/model-card";
import { Button, ButtonLink } from "~/components/ui/button";
import { Empty } from "~/components/ui/empty";
import { Page } from "~/components/ui/page";
import { SearchField } from "~/components/ui/search-field";
import { useFileDrop } from "~/lib/file-drop";
import { formatPlural } from "~/lib/format";
import { useRowKeys } from "~/lib/use-rows";

export const Route = createFileRoute("/_app/models/")({
  validateSearch: (search: Record<string, unknown>): { q?: string } & LabelView => ({
    ...(typeof search.q === "string" && search.q && { q: search.q }),
    ...readLabelView(search),
  }),
  loader: ({ context }) =>
    Promise.all([
      context.queries.ensureQueryData(modelsQuery()),
      context.queries.ensureQueryData(labelsQuery("model")),
      context.queries.ensureQueryData(baseModelsQuery()),
    ]),
  component: Models,
});

function Models() {
  const { q = "", ...labelView } = Route.useSearch();
  const navigate = Route.useNavigate();
  const { data: models } = useSuspenseQuery(modelsQuery());
  const { data: labels } = useSuspenseQuery(labelsQuery("model"));
  const labeled = bySubject(labels);
  useRowKeys();
  const [importing, setImporting] = useState(false);
  const [extracting, setExtracting] = useState(false);
  const [files, setFiles] = useState(asImport([]));
  const choose = useCallback((chosen: File[]) => setFiles(asImport(chosen)), []);
  const take = useCallback(
    (dropped: File[]) => {
      choose(dropped);
      setImporting(true);
    },
    [choose],
  );
  useFileDrop("your models", take);
  const importButton = (
    <Button onClick={() => setImporting(true)}>
      <Import aria-hidden />
      Import a LoRA
    </Button>
  );
  const shown = models.filter((model) => {
    const [current, label] = [currentOf(model), labeled.get(model.id)];
    const searched = [model.name, current?.trigger_word, current?.base_model, searchedOf(label)];
    return fitsLabel(label, labelView) && searched.join(" ").toLowerCase().includes(q.toLowerCase());
  });
  return (
    <Page
      title="Models"
      description={
        models.length > 0 &&
        (shown.length < models.length
          ? `${shown.length} of ${formatPlural(models.length, "model")}`
          : "LoRAs that were trained here, and imported ones")
      }
      actions={
        models.length > 0 && (
          <>
            <SearchField
              label="Search models"
              value={q}
              onValueChange={(value) =>
                void navigate({ search: (before) => ({ ...before, q: value }), replace: true })
              }
            />
            <Button onClick={() => setExtracting(true)}>
              <SquareMinus aria-hidden />
              Extract a LoRA
            </Button>
            {importButton}
          </>
        )
      }
    >
      {extracting && <ExtractDialog onClose={() => setExtracting(false)} />}
      <Extractions />
      <div className="mb-3 empty:hidden">
        <LabelFilter
          labels={labels}
          view={labelView}
          onChange={(view) => void navigate({ search: { ...(q && { q }), ...view }, replace: true })}
        />
      </div>
      <ImportLora open={importing} onOpenChange={setImporting} {...files} onFiles={choose} />
      {models.length === 0 ? (
        <Empty
          title="No model yet"
          action={
            <div className="flex flex-wrap justify-center gap-2">
              <ButtonLink to="/jobs/new" variant="primary">
                <Plus aria-hidden />
                New job
              </ButtonLink>
              {importButton}
            </div>
          }
        >
          When a job succeeds, its LoRA is checked and appears here, with pictures of before and after. A LoRA
          from elsewhere can be imported.
        </Empty>
      ) : shown.length === 0 ? (
        <Empty title="No model matches">Change the search, or take tags and stars out of it.</Empty>
      ) : (
        <ul className="grid grid-cols-[repeat(auto-fill,minmax(min(100%,18rem),1fr))] gap-3">
          {shown.map((model) => (
            <ModelCard key={model.id} model={model} label={labeled.get(model.id)} />
          ))}
        </ul>
      )}
    </Page>
  );
}

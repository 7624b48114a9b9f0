// All LoRAs: trained here, or imported.
import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute, Link } from "@tanstack/react-router";
import { Import, Plus, SquareMinus } from "lucide-react";
import { useCallback, useState } from "react";
import { asImport } from "~/api/models";
import { baseModelsQuery, modelsQuery } from "~/api/queries";
import type { Model } from "~/api/types";
import { DamageBadge, StageBadge, VerdictBadge } from "~/components/models/badges";
import { currentOf } from "~/components/models/current";
import { ExtractDialog } from "~/components/models/edits/extract-dialog";
import { Extractions } from "~/components/models/edits/extractions";
import { ImportLora } from "~/components/models/import-lora";
import { Button, ButtonLink } from "~/components/ui/button";
import { Empty } from "~/components/ui/empty";
import { Page } from "~/components/ui/page";
import { SearchField } from "~/components/ui/search-field";
import { useFileDrop } from "~/lib/file-drop";
import { formatAgo, formatBytes, formatPlural } from "~/lib/format";
import { useRowKeys } from "~/lib/use-rows";

export const Route = createFileRoute("/_app/models/")({
  validateSearch: (search: Record<string, unknown>): { q?: string } =>
    typeof search.q === "string" && search.q ? { q: search.q } : {},
  loader: ({ context }) =>
    Promise.all([
      context.queries.ensureQueryData(modelsQuery()),
      context.queries.ensureQueryData(baseModelsQuery()),
    ]),
  component: Models,
});

function Models() {
  const { q = "" } = Route.useSearch();
  const navigate = Route.useNavigate();
  const { data: models } = useSuspenseQuery(modelsQuery());
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
  const shown = models.filter(({ name, versions }) =>
    `${name} ${versions[0]?.trigger_word ?? ""} ${versions[0]?.base_model ?? ""}`
      .toLowerCase()
      .includes(q.toLowerCase()),
  );
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
              onValueChange={(value) => void navigate({ search: { q: value }, replace: true })}
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
        <Empty title="No model matches">Change the search.</Empty>
      ) : (
        <ul className="grid grid-cols-[repeat(auto-fill,minmax(min(100%,18rem),1fr))] gap-3">
          {shown.map((model) => (
            <Card key={model.id} model={model} />
          ))}
        </ul>
      )}
    </Page>
  );
}

function Card({ model }: { model: Model }) {
  const current = currentOf(model);
  return (
    <li className="relative overflow-hidden rounded-lg border bg-surface transition-colors focus-within:border-accent hover:border-line-strong">
      {current?.imported ? (
        <div className="hatch grid aspect-[2/1] place-items-center border-b bg-sunken text-muted">
          <Import aria-hidden className="size-6" />
        </div>
      ) : (
        <div className="grid grid-cols-2 gap-1 border-b p-1">
          <Half url={current?.before_url} label="Without" />
          <Half url={current?.after_url} label="With" />
        </div>
      )}
      <div className="px-3 py-2.5">
        <div className="flex items-center justify-between gap-2">
          <Link
            data-row
            to="/models/$modelId"
            params={{ modelId: model.id }}
            className="truncate font-medium after:absolute after:inset-0"
          >
            {model.name}
          </Link>
          {current && <StageBadge stage={current.stage} />}
          {current?.damage && <DamageBadge damage={current.damage} />}
        </div>
        {current && (
          <>
            <p className="mt-0.5 truncate text-muted text-xs">
              {[current.base_model, current.trigger_word, formatBytes(current.size_bytes)]
                .filter(Boolean)
                .join(" · ")}
            </p>
            <div className="mt-2 flex items-center justify-between gap-2 text-muted text-xs">
              <VerdictBadge verdict={current.verdict} isMade={current.imported?.made != null} />
              <span>
                Version {current.version} of {model.versions.length} · {formatAgo(current.created_at)}
              </span>
            </div>
          </>
        )}
      </div>
    </li>
  );
}

function Half({ url, label }: { url: string | null | undefined; label: string }) {
  return (
    <figure className="relative aspect-square overflow-hidden bg-sunken">
      {url ? (
        <img src={url} alt="" loading="lazy" className="size-full object-cover" />
      ) : (
        <div className="hatch size-full" />
      )}
      <figcaption className="absolute bottom-1 left-1 rounded-sm bg-viewer px-1 text-2xs text-on-viewer">
        {label}
      </figcaption>
    </figure>
  );
}

// All datasets.
import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute, Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { datasetsQuery } from "~/api/queries";
import type { Dataset } from "~/api/types";
import { CreateDataset } from "~/components/datasets/create-dataset";
import { DemoDataset } from "~/components/datasets/demo-dataset";
import { Mosaic } from "~/components/datasets/mosaic";
import { Button } from "~/components/ui/button";
import { Empty } from "~/components/ui/empty";
import { Page } from "~/components/ui/page";
import { SearchField } from "~/components/ui/search-field";
import { formatAgo, formatPlural } from "~/lib/format";
import { useRowKeys } from "~/lib/use-rows";

interface View {
  q?: string;
  create?: boolean;
}

export const Route = createFileRoute("/_app/datasets/")({
  validateSearch: (search: Record<string, unknown>): View => ({
    ...(typeof search.q === "string" && search.q && { q: search.q }),
    ...(search.create === true && { create: true }),
  }),
  loader: ({ context }) => context.queries.ensureQueryData(datasetsQuery()),
  component: Datasets,
});

function Datasets() {
  const { q = "", create = false } = Route.useSearch();
  const navigate = Route.useNavigate();
  const { data: datasets } = useSuspenseQuery(datasetsQuery());
  useRowKeys();
  const see = (view: View) => void navigate({ search: (before) => ({ ...before, ...view }), replace: true });
  const shown = datasets.filter(({ name }) => name.toLowerCase().includes(q.toLowerCase()));
  const start = (
    <Button variant="primary" onClick={() => see({ create: true })}>
      <Plus aria-hidden />
      New dataset
    </Button>
  );
  return (
    <Page
      title="Datasets"
      description={
        datasets.length > 0 &&
        (shown.length < datasets.length
          ? `${shown.length} of ${formatPlural(datasets.length, "dataset")}`
          : "Pictures with captions, checked and normalized when they are uploaded")
      }
      actions={
        datasets.length > 0 && (
          <>
            <SearchField label="Search datasets" value={q} onValueChange={(value) => see({ q: value })} />
            {start}
          </>
        )
      }
    >
      {datasets.length === 0 ? (
        <Empty
          title="No pictures yet"
          action={
            <>
              {start}
              <DemoDataset />
            </>
          }
        >
          A dataset is what a LoRA learns from: 15 to 30 pictures of a character, or 50 and more of a style.
          Make one and drop pictures on it; captions may stand beside them (<code>001.png</code> and{" "}
          <code>001.txt</code>) or be written here. Zip archives work too. To try everything first, begin with
          the demo's pictures of a comic character.
        </Empty>
      ) : shown.length === 0 ? (
        <Empty title="No dataset matches">Change the search.</Empty>
      ) : (
        <ul className="grid grid-cols-[repeat(auto-fill,minmax(min(100%,16rem),1fr))] gap-3">
          {shown.map((dataset) => (
            <Card key={dataset.id} dataset={dataset} />
          ))}
        </ul>
      )}
      <CreateDataset open={create} onOpenChange={(open) => see({ create: open })} />
    </Page>
  );
}

function Card({ dataset }: { dataset: Dataset }) {
  const { id, name, n_items, n_captioned, n_damaged = 0, preview_urls, created_at } = dataset;
  return (
    <li className="relative overflow-hidden rounded-lg border bg-surface transition-colors focus-within:border-accent hover:border-line-strong">
      <Mosaic urls={preview_urls} className="border-b p-1" />
      <div className="px-3 py-2.5">
        <Link
          data-row
          to="/datasets/$datasetId"
          params={{ datasetId: id }}
          className="font-medium after:absolute after:inset-0"
        >
          {name}
        </Link>
        <p className="text-muted text-xs">
          {n_items === 0
            ? "Empty"
            : `${formatPlural(n_items, "picture")} · ${captioned(n_items, n_captioned)}`}
          <span className="float-right">{formatAgo(created_at)}</span>
        </p>
        {n_damaged > 0 && (
          <p className="text-bad text-xs">{formatPlural(n_damaged, "picture")} lost or damaged</p>
        )}
      </div>
    </li>
  );
}

function captioned(n_items: number, n_captioned: number): string {
  return n_captioned === n_items ? "all captioned" : `${n_captioned} captioned`;
}

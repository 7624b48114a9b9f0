// One dataset: its pictures, their captions, and what they are used for.
import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute, Link } from "@tanstack/react-router";
import { Sparkles, Trash2 } from "lucide-react";
import { useCallback, useRef } from "react";
import { useDeleteDataset, useDeleteItem, useDeleteMask, useSetGroup, useSetSplit } from "~/api/datasets";
import { datasetQuery, itemsQuery } from "~/api/queries";
import type { Item } from "~/api/types";
import { useCaptions, useTypedCaptions } from "~/captions/captions";
import { CaptionEditsPanel } from "~/components/datasets/caption-edits/caption-edits-panel";
import { Dropzone } from "~/components/datasets/dropzone";
import { GroupsPanel } from "~/components/datasets/groups/groups-panel";
import { ItemCard } from "~/components/datasets/item-card";
import { LostCaptions } from "~/components/datasets/lost-captions";
import { RefusedFiles } from "~/components/datasets/refused-files";
import { UploadNotes } from "~/components/datasets/upload-notes";
import { Button, ButtonLink } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { Empty } from "~/components/ui/empty";
import { Page } from "~/components/ui/page";
import { SearchField } from "~/components/ui/search-field";
import { Segmented } from "~/components/ui/segmented";
import { announceError } from "~/components/ui/toast";
import { useFileDrop } from "~/lib/file-drop";
import { formatPlural } from "~/lib/format";
import { useUploader } from "~/uploads/provider";
import { useUploads } from "~/uploads/uploads";

/** The id of the list of groups. */
const GROUPS = "groups-of-dataset";

const SHOWS = ["all", "uncaptioned", "held_out"] as const;
type Show = (typeof SHOWS)[number];

interface View {
  show?: Show;
  q?: string;
  masks?: boolean;
}

export const Route = createFileRoute("/_app/datasets/$datasetId")({
  validateSearch: (search: Record<string, unknown>): View => {
    const show = SHOWS.find((one) => one === search.show);
    return {
      ...(show && show !== "all" && { show }),
      ...(typeof search.q === "string" && search.q && { q: search.q }),
      ...(search.masks === true && { masks: true }),
    };
  },
  loader: ({ context, params }) =>
    Promise.all([
      context.queries.ensureQueryData(datasetQuery(params.datasetId)),
      context.queries.ensureQueryData(itemsQuery(params.datasetId)),
    ]),
  component: DatasetPage,
});

function DatasetPage() {
  const { datasetId: id } = Route.useParams();
  const { show = "all", q = "", masks = false } = Route.useSearch();
  const navigate = Route.useNavigate();
  const { data: dataset } = useSuspenseQuery(datasetQuery(id));
  const { data: items } = useSuspenseQuery(itemsQuery(id));
  const uploader = useUploader();
  const uploads = useUploads(uploader, id);
  const captions = useCaptions();
  const setSplit = useSetSplit(id);
  const setGroup = useSetGroup(id);
  const removeMask = useDeleteMask(id);
  const remove = useDeleteItem(id);
  const add = useCallback((files: File[]) => uploader.add(id, files), [uploader, id]);
  useFileDrop(dataset.name, add);
  const shown = useShown(items, show, q);
  const see = (view: View) => void navigate({ search: (before) => ({ ...before, ...view }), replace: true });

  return (
    <Page
      title={dataset.name}
      above={
        <Link to="/datasets" className="underline-offset-2 hover:underline">
          Datasets
        </Link>
      }
      description={items.length > 0 && summary(items)}
      actions={
        <>
          <DeleteDataset id={id} name={dataset.name} />
          {items.length > 0 && (
            <ButtonLink to="/jobs/new" search={{ dataset: id }} variant="primary">
              <Sparkles aria-hidden />
              Train on this
            </ButtonLink>
          )}
        </>
      }
    >
      <Dropzone
        uploads={uploads}
        large={items.length === 0}
        onFiles={add}
        onCancel={() => uploader.cancel(id)}
        onRetry={() => uploader.retry(id)}
        onDismiss={() => uploader.dismiss(id)}
      />
      {uploads.report && uploads.report.refused.length > 0 && (
        <RefusedFiles files={uploads.report.refused} onDismiss={() => uploader.dismiss(id)} />
      )}
      {uploads.report && <UploadNotes report={uploads.report} onDismiss={() => uploader.dismiss(id)} />}
      <LostCaptions dataset={id} items={items} />
      {items.length > 0 && (
        <>
          <GroupsPanel dataset={id} items={items} />
          <datalist id={GROUPS}>
            {groupNames(items).map((group) => (
              <option key={group} value={group} />
            ))}
          </datalist>
          <div className="my-3 flex flex-wrap items-center justify-between gap-2">
            <Segmented
              label="Show"
              value={show}
              onValueChange={(value) => see({ show: value })}
              options={[
                { value: "all", label: "All" },
                { value: "uncaptioned", label: "Without caption" },
                { value: "held_out", label: "Held out" },
              ]}
            />
            {items.some((item) => item.has_mask) && (
              <Segmented
                label="Loss masks"
                value={masks ? "shown" : "hidden"}
                onValueChange={(value) => see({ masks: value === "shown" })}
                options={[
                  { value: "hidden", label: "Pictures" },
                  { value: "shown", label: "With their masks" },
                ]}
              />
            )}
            <SearchField label="Search captions" value={q} onValueChange={(value) => see({ q: value })} />
          </div>
          <CaptionEditsPanel dataset={id} shown={shown} n_items={items.length} />
          {shown.length === 0 ? (
            <Empty title="No picture matches">Change the search or show all pictures.</Empty>
          ) : (
            <ul className="grid grid-cols-[repeat(auto-fill,minmax(min(46%,12.5rem),1fr))] gap-3">
              {shown.map((item) => (
                <ItemCard
                  key={item.id}
                  dataset={id}
                  item={item}
                  groups={GROUPS}
                  masks={masks}
                  onDeleteMask={() =>
                    removeMask.mutate(item.id, {
                      onError: (error) =>
                        announceError(`The mask of ${item.file_name} was not deleted`, error),
                    })
                  }
                  onGroup={(group) =>
                    setGroup.mutate(
                      { item: item.id, group },
                      { onError: (error) => announceError(`${item.file_name} was not changed`, error) },
                    )
                  }
                  onSplit={(split) =>
                    setSplit.mutate(
                      { item: item.id, split },
                      { onError: (error) => announceError(`${item.file_name} was not changed`, error) },
                    )
                  }
                  onDelete={() =>
                    remove.mutate(item.id, {
                      onSuccess: () => captions.discard({ dataset: id, item: item.id }),
                      onError: (error) => announceError(`${item.file_name} was not deleted`, error),
                    })
                  }
                />
              ))}
            </ul>
          )}
        </>
      )}
    </Page>
  );
}

function DeleteDataset({ id, name }: { id: string; name: string }) {
  const navigate = Route.useNavigate();
  const remove = useDeleteDataset();
  return (
    <Confirm
      trigger={
        <Button variant="danger">
          <Trash2 aria-hidden />
          Delete
        </Button>
      }
      title={`Delete ${name}?`}
      description="Its pictures and captions are deleted. Existing jobs keep their frozen copy."
      action="Delete the dataset"
      onConfirm={() =>
        remove.mutate(id, {
          onSuccess: () => void navigate({ to: "/datasets" }),
          onError: (error) => announceError("The dataset was not deleted", error),
        })
      }
    />
  );
}

function groupNames(items: Item[]): string[] {
  return [...new Set(items.map((item) => item.group))].filter((group) => group !== "");
}

function summary(items: Item[]): string {
  const n_captioned = items.filter((item) => item.caption !== "").length;
  const n_held_out = items.filter((item) => item.split === "held_out").length;
  return [
    formatPlural(items.length, "picture"),
    `${n_captioned} captioned`,
    n_held_out > 0 ? `${n_held_out} held out` : "some are held out automatically when a job starts",
  ].join(" · ");
}

/** The pictures that match. One that is being edited stays although it no longer matches: it must not vanish from
 * under the person who types. */
function useShown(items: Item[], show: Show, q: string): Item[] {
  const typed = useTypedCaptions();
  const view = `${show}\n${q}`;
  const kept = useRef({ view, ids: new Set<string>() });
  if (kept.current.view !== view) kept.current = { view, ids: new Set() };
  for (const { item } of typed) {
    const one = items.find(({ id }) => id === item);
    if (one && matches(one, show, q)) kept.current.ids.add(item);
  }
  return items.filter((item) => kept.current.ids.has(item.id) || matches(item, show, q));
}

function matches(item: Item, show: Show, q: string): boolean {
  if (show === "uncaptioned" && item.caption !== "") return false;
  if (show === "held_out" && item.split !== "held_out") return false;
  return `${item.caption} ${item.file_name}`.toLowerCase().includes(q.toLowerCase());
}

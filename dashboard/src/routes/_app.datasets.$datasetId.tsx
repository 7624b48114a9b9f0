// One dataset: its pictures, their captions, and what they are used for.
import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute, Link } from "@tanstack/react-router";
import { Sparkles, Trash2 } from "lucide-react";
import { useCallback } from "react";
import { useDeleteDataset } from "~/api/datasets";
import { datasetQuery, itemsQuery } from "~/api/queries";
import type { Item } from "~/api/types";
import { Dropzone } from "~/components/datasets/dropzone";
import { ExportMenu } from "~/components/datasets/export-menu";
import { LostCaptions } from "~/components/datasets/lost-captions";
import { RefusedFiles } from "~/components/datasets/refused-files";
import { UploadNotes } from "~/components/datasets/upload-notes";
import { parseView } from "~/components/datasets/workbench/view";
import { Workbench } from "~/components/datasets/workbench/workbench";
import { Button, ButtonLink } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { Page } from "~/components/ui/page";
import { announceError } from "~/components/ui/toast";
import { useFileDrop } from "~/lib/file-drop";
import { formatPlural } from "~/lib/format";
import { useUploader } from "~/uploads/provider";
import { useUploads } from "~/uploads/uploads";

export const Route = createFileRoute("/_app/datasets/$datasetId")({
  validateSearch: parseView,
  loader: ({ context, params }) =>
    Promise.all([
      context.queries.ensureQueryData(datasetQuery(params.datasetId)),
      context.queries.ensureQueryData(itemsQuery(params.datasetId)),
    ]),
  component: DatasetPage,
});

function DatasetPage() {
  const { datasetId } = Route.useParams();
  // What is selected, typed or under way belongs to one dataset.
  return <Dataset key={datasetId} id={datasetId} />;
}

function Dataset({ id }: { id: string }) {
  const view = Route.useSearch();
  const navigate = Route.useNavigate();
  const { data: dataset } = useSuspenseQuery(datasetQuery(id));
  const { data: items } = useSuspenseQuery(itemsQuery(id));
  const uploader = useUploader();
  const uploads = useUploads(uploader, id);
  const add = useCallback((files: File[]) => uploader.add(id, files), [uploader, id]);
  useFileDrop(dataset.name, add);
  const see = (change: Record<string, unknown>) =>
    void navigate({
      search: (before) => parseView({ ...before, ...change }),
      replace: true,
      resetScroll: false,
    });

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
          {items.length > 0 && <ExportMenu dataset={id} items={items} />}
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
      {items.length > 0 && <Workbench dataset={id} items={items} view={view} onView={see} />}
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

function summary(items: Item[]): string {
  const n_captioned = items.filter((item) => item.caption !== "").length;
  const n_held_out = items.filter((item) => item.split === "held_out").length;
  return [
    formatPlural(items.length, "picture"),
    `${n_captioned} captioned`,
    n_held_out > 0 ? `${n_held_out} held out` : "some are held out automatically when a job starts",
  ].join(" · ");
}

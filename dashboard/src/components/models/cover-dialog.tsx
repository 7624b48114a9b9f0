// Chooses the cover of a model among its samples, and pictures that were drawn with it.
import { useQueries, useQuery } from "@tanstack/react-query";
import { pictureThumbnail } from "~/api/generations";
import { useChooseOfModel } from "~/api/models";
import { generationsQuery, samplesQuery } from "~/api/queries";
import type { Model, ModelChoices } from "~/api/types";
import { Button } from "~/components/ui/button";
import { Dialog } from "~/components/ui/dialog";
import { announce, announceError } from "~/components/ui/toast";

/** Of each kind, the newest. */
const MOST = 60;

export function CoverDialog({ model, onClose }: { model: Model; onClose: () => void }) {
  const choose = useChooseOfModel(model.id);
  const jobs = [...new Set(model.versions.flatMap(({ job_id }) => job_id ?? []))];
  const samples = useQueries({ queries: jobs.map(samplesQuery) })
    .flatMap(({ data }) => data ?? [])
    .toSorted((a, b) => b.step - a.step)
    .slice(0, MOST);
  const { data: generations = [] } = useQuery(generationsQuery());
  const versions = new Set(model.versions.map(({ id }) => id));
  const pictures = generations
    .filter(
      ({ image_url, request }) =>
        image_url && request.loras?.some((lora) => lora.weight !== 0 && versions.has(lora.model_version_id)),
    )
    .slice(0, MOST);
  const take = (cover: ModelChoices) =>
    choose.mutate(
      { ...(model.is_pinned && { version_id: model.current_version_id }), ...cover },
      {
        onSuccess: () => {
          announce("The cover was changed");
          onClose();
        },
        onError: (error) => announceError("The cover was not changed", error),
      },
    );
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title="Choose a cover"
      description="A sample, or a picture from the playground. Without a choice, it is the newest sample."
      className="max-w-3xl"
    >
      <div className="flex flex-col gap-4 p-4">
        <Pictures
          title="Samples"
          pictures={samples.map(({ artifact_id, url, prompt, step }) => ({
            id: artifact_id,
            url,
            says: `Step ${step}: ${prompt}`,
          }))}
          onTake={(id) => take({ cover_artifact_id: id })}
        />
        <Pictures
          title="From the playground"
          pictures={pictures.map(({ id, request }) => ({
            id,
            url: pictureThumbnail(id),
            says: request.prompt,
          }))}
          onTake={(id) => take({ cover_generation_id: id })}
        />
        {model.cover_artifact_id && (
          <div>
            <Button onClick={() => take({})}>Use the newest sample again</Button>
          </div>
        )}
      </div>
    </Dialog>
  );
}

interface PicturesProps {
  title: string;
  pictures: { id: string; url: string; says: string }[];
  onTake: (id: string) => void;
}

function Pictures({ title, pictures, onTake }: PicturesProps) {
  return (
    <section aria-label={title}>
      <h3 className="mb-2 font-medium">{title}</h3>
      {pictures.length === 0 ? (
        <p className="text-muted">None yet.</p>
      ) : (
        <ul className="grid grid-cols-[repeat(auto-fill,minmax(6rem,1fr))] gap-2">
          {pictures.map(({ id, url, says }) => (
            <li key={id}>
              <button
                type="button"
                onClick={() => onTake(id)}
                title={says}
                className="block w-full overflow-hidden rounded-md border bg-sunken transition-colors hover:border-accent"
              >
                <img src={url} alt={says} loading="lazy" className="aspect-square w-full object-cover" />
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

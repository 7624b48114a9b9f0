// The picture, or the two of them: without the LoRAs and with them.
import { Download, ImageIcon, SlidersHorizontal } from "lucide-react";
import { pictureHref } from "~/api/generations";
import type { Generation, ModelVersion, Preview } from "~/api/types";
import { LabelBar } from "~/components/labels/label-bar";
import { Button, buttonClass } from "~/components/ui/button";
import { Said } from "~/components/ui/said";
import { formatSentence } from "~/lib/format";
import { useGeneration } from "~/live/use-generation";
import { factsOf, labelOf, lorasOf } from "./facts";

interface Props {
  ids: string[];
  versions: ModelVersion[];
  onReuse: (generation: Generation) => void;
}

export function Stage({ ids, versions, onReuse }: Props) {
  if (ids.length === 0) {
    return (
      <div className="hatch grid aspect-[4/3] place-items-center rounded-lg border border-dashed p-6 text-muted">
        <p className="flex max-w-sm items-start gap-2 rounded-md bg-bg p-3">
          <ImageIcon aria-hidden className="mt-0.5 size-4 shrink-0" />
          <span>
            Describe a picture and press Generate. With a LoRA in the list it is drawn twice, without and with
            it, so that you see what the LoRA does.
          </span>
        </p>
      </div>
    );
  }
  return (
    <div className={ids.length > 1 ? "grid items-start gap-2 sm:grid-cols-2" : "max-w-2xl"}>
      {ids.map((id, index) => (
        <Picture key={id} id={id} at={index} n={ids.length} versions={versions} onReuse={onReuse} />
      ))}
    </div>
  );
}

interface PictureProps {
  id: string;
  /** Its place among the `n` that are shown. */
  at: number;
  n: number;
  versions: ModelVersion[];
  onReuse: (generation: Generation) => void;
}

function Picture({ id, at, n, versions, onReuse }: PictureProps) {
  const { generation: data, preview } = useGeneration(id);
  const label = labelOf(data, at, n);
  return (
    <figure
      aria-label={label}
      className="min-w-0 overflow-hidden rounded-lg border bg-surface"
      data-phase={data?.phase}
    >
      <figcaption className="flex h-9 items-center justify-between gap-2 border-b px-3">
        <span className="shrink-0 font-medium">{label}</span>
        {data && (
          <span title={factsOf(data)} className="truncate text-muted text-xs">
            {factsOf(data)}
          </span>
        )}
      </figcaption>
      <div className="grid min-h-56 place-items-center bg-sunken">
        {data?.image_url ? (
          <img src={data.image_url} alt={data.request.prompt} className="w-full" />
        ) : data?.phase === "failed" ? (
          <p role="alert" className="max-w-sm p-6 text-bad">
            <Said>{formatSentence(data.error ?? "The picture could not be rendered.")}</Said>
          </p>
        ) : (
          <Rendering generation={data} preview={preview} />
        )}
      </div>
      {data && lorasOf(data, versions).length > 0 && (
        <p className="wrap-anywhere border-t px-3 py-1.5 text-xs">{lorasOf(data, versions).join(" · ")}</p>
      )}
      {data?.notes && data.notes.length > 0 && (
        <ul aria-label="Notes" className="space-y-1 border-t px-3 py-2 text-muted text-xs">
          {[...new Set(data.notes)].map((note) => (
            <li key={note}>
              <Said>{formatSentence(note)}</Said>
            </li>
          ))}
        </ul>
      )}
      {data?.image_url && (
        <div className="flex items-center gap-1 border-t p-1">
          <Button variant="ghost" size="sm" onClick={() => onReuse(data)}>
            <SlidersHorizontal aria-hidden />
            Use these settings
          </Button>
          <a
            href={pictureHref(data.id)}
            download
            aria-label={`Download: ${label}`}
            className={buttonClass({ variant: "ghost", size: "icon-sm" }, "ml-auto")}
          >
            <Download aria-hidden />
          </a>
        </div>
      )}
      {data?.image_url && (
        <LabelBar kind="generation" id={data.id} name={label.toLowerCase()} className="border-t p-1" />
      )}
    </figure>
  );
}

interface RenderingProps {
  generation: Generation | undefined;
  preview: Preview | null;
}

/** What the picture looks like so far, and what is done or waited for. */
function Rendering({ generation, preview }: RenderingProps) {
  const words =
    generation?.phase === "queued"
      ? "Waiting for the renderer…"
      : `${capitalized(generation?.stage ?? "rendering")}…`;
  return (
    <div className="relative w-full">
      {preview ? (
        <img
          src={`data:image/png;base64,${preview.png}`}
          // The words below say it.
          alt=""
          className="w-full"
        />
      ) : (
        <div className="hatch aspect-square w-full" />
      )}
      <div className="absolute inset-x-0 bottom-0 flex justify-between gap-3 bg-surface px-3 py-1.5 text-muted text-xs">
        <p role="status">{words}</p>
        {preview && (
          <p className="shrink-0 tabular-nums">
            Step {preview.step} of {preview.n_steps}
          </p>
        )}
      </div>
    </div>
  );
}

/** The beginning of a sentence, of words of an agent. */
function capitalized(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

// The picture, or the two of them: without the LoRAs and with them.
import { Download, ImageIcon, SlidersHorizontal } from "lucide-react";
import { pictureHref } from "~/api/generations";
import type { Generation, Preview } from "~/api/types";
import { Button, buttonClass } from "~/components/ui/button";
import { formatDuration, formatName, formatPlural } from "~/lib/format";
import { useGeneration } from "~/live/use-generation";

interface Props {
  ids: string[];
  onReuse: (generation: Generation) => void;
}

export function Stage({ ids, onReuse }: Props) {
  if (ids.length === 0) {
    return (
      <div className="hatch grid aspect-[4/3] place-items-center rounded-lg border border-dashed text-muted">
        <p className="flex items-center gap-2">
          <ImageIcon aria-hidden className="size-4" />
          The picture appears here.
        </p>
      </div>
    );
  }
  const labels = ids.length === 2 ? ["Without the LoRA", "With the LoRA"] : ["Picture"];
  return (
    <div className={ids.length === 2 ? "grid gap-2 sm:grid-cols-2" : "max-w-2xl"}>
      {ids.map((id, index) => (
        <Picture key={id} id={id} label={labels[index] ?? ""} onReuse={onReuse} />
      ))}
    </div>
  );
}

interface PictureProps {
  id: string;
  label: string;
  onReuse: (generation: Generation) => void;
}

function Picture({ id, label, onReuse }: PictureProps) {
  const { generation: data, preview } = useGeneration(id);
  return (
    <figure
      aria-label={label}
      className="min-w-0 overflow-hidden rounded-lg border bg-surface"
      data-phase={data?.phase}
    >
      <figcaption className="flex h-9 items-center justify-between gap-2 border-b px-3">
        <span className="shrink-0 font-medium">{label}</span>
        {data && (
          <span title={caption(data)} className="truncate text-muted text-xs">
            {caption(data)}
          </span>
        )}
      </figcaption>
      <div className="grid min-h-56 place-items-center bg-sunken">
        {data?.image_url ? (
          <img src={data.image_url} alt={data.request.prompt} className="w-full" />
        ) : data?.phase === "failed" ? (
          <p role="alert" className="max-w-sm p-6 text-bad">
            {data.error ?? "The picture could not be rendered."}
          </p>
        ) : (
          <Rendering generation={data} preview={preview} />
        )}
      </div>
      {data?.notes && data.notes.length > 0 && (
        <ul aria-label="Notes" className="space-y-1 border-t px-3 py-2 text-muted text-xs">
          {[...new Set(data.notes)].map((note) => (
            <li key={note}>{capitalized(note)}.</li>
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
            download={`${data.id}.png`}
            aria-label={`Download: ${label}`}
            className={buttonClass({ variant: "ghost", size: "icon-sm" }, "ml-auto")}
          >
            <Download aria-hidden />
          </a>
        </div>
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
      ? "Waiting for an agent…"
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

function caption({ request, duration_ms }: Generation): string {
  return [
    `seed ${request.seed}`,
    `${formatPlural(request.n_steps, "step")} of ${formatName(request.sampler ?? "euler")}`,
    duration_ms != null &&
      (duration_ms < 10_000 ? `${(duration_ms / 1000).toFixed(1)} s` : formatDuration(duration_ms / 1000)),
  ]
    .filter(Boolean)
    .join(" · ");
}

// The picture, or the two of them: without the LoRAs and with them.
import { useQuery } from "@tanstack/react-query";
import { Download, ImageIcon, SlidersHorizontal } from "lucide-react";
import { pictureHref } from "~/api/generations";
import { generationQuery } from "~/api/queries";
import type { Generation } from "~/api/types";
import { Button, buttonClass } from "~/components/ui/button";
import { formatDuration, formatName, formatPlural } from "~/lib/format";

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
  const { data } = useQuery(generationQuery(id));
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
          <div role="status" className="hatch grid aspect-square w-full place-items-center text-muted">
            {data?.phase === "queued" ? "Waiting for an agent…" : "Rendering…"}
          </div>
        )}
      </div>
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

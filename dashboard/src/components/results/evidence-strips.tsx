// Evidence side by side: the base model's picture, the LoRA's, and the training picture that it resembles most.
import { useQuery } from "@tanstack/react-query";
import { itemsQuery } from "~/api/queries";
import type { Evidence, Item } from "~/api/types";
import { formatCount } from "~/lib/format";
import type { Strip } from "./evidence";

interface Props {
  strips: Strip[];
  /** Where the training pictures are, if it is known. */
  datasetId: string | undefined;
}

export function EvidenceStrips({ strips, datasetId }: Props) {
  const isCompared = strips.some(({ nearest }) => nearest !== null);
  const { data: items = [] } = useQuery({
    ...itemsQuery(datasetId ?? ""),
    enabled: isCompared && datasetId !== undefined,
  });
  return (
    <ul aria-label="Pictures that show it" className="flex flex-col gap-4">
      {strips.map((strip) => (
        <li key={strip.key}>
          <div className="grid grid-cols-2 gap-1 sm:grid-cols-3">
            {strip.shots.map(({ evidence, url }) => (
              <Shown key={evidence.name} url={url} label={labelOf(evidence)} alt={evidence.shows} />
            ))}
            {nearestOf(strip, items).map((item) => (
              <Shown
                key={item.id}
                url={item.url}
                label={`In the dataset: ${item.file_name}`}
                alt={`The training picture ${item.file_name}`}
              />
            ))}
          </div>
          <p className="mt-1 line-clamp-2 text-muted text-xs" title={strip.prompt}>
            {strip.prompt || "Without a prompt"} · seed {strip.seed}
          </p>
        </li>
      ))}
    </ul>
  );
}

function Shown({ url, label, alt }: { url: string; label: string; alt: string }) {
  return (
    <figure className="relative aspect-square overflow-hidden rounded-md bg-sunken">
      <a href={url} target="_blank" rel="noreferrer">
        <img src={url} alt={alt} loading="lazy" className="size-full object-contain" />
      </a>
      <figcaption className="pointer-events-none absolute bottom-1 left-1 max-w-[calc(100%-0.5rem)] truncate rounded-sm bg-viewer px-1 text-2xs text-on-viewer">
        {label}
      </figcaption>
    </figure>
  );
}

export function labelOf({ weight }: Evidence): string {
  if (weight === 0) return "Base";
  return weight === 1 ? "LoRA" : `LoRA at ${Number(weight.toFixed(2))}`;
}

/** The training picture that a strip's pictures are closest to, if the dataset still has it. */
function nearestOf({ nearest }: Strip, items: Item[]): Item[] {
  return items.filter(({ id, file_name }) => id === nearest || file_name === nearest);
}

/** `3 pictures more` */
export function moreLabel(n: number): string {
  return n === 1 ? "One prompt more" : `${formatCount(n)} prompts more`;
}

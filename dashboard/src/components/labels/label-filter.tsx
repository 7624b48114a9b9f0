// Narrows a list to what has a star or a tag.
import { Star } from "lucide-react";
import type { ReactNode } from "react";
import type { Label } from "~/api/types";
import { cn } from "~/lib/cn";
import { type LabelView, tagsOf } from "./labels";

/** More make the bar a wall; a search finds the others. */
const MOST_TAGS = 12;

interface Props {
  labels: readonly Label[];
  view: LabelView;
  onChange: (view: LabelView) => void;
}

/** Nothing, while nothing has a star or a tag. */
export function LabelFilter({ labels, view, onChange }: Props) {
  const tags = tagsOf(labels);
  const shown = tags.slice(0, MOST_TAGS);
  if (view.tag !== undefined && !shown.some(({ tag }) => tag === view.tag))
    shown.push({ tag: view.tag, n: tags.find(({ tag }) => tag === view.tag)?.n ?? 0 });
  const n_starred = labels.filter(({ starred }) => starred).length;
  if (n_starred === 0 && shown.length === 0 && !view.starred) return null;
  const { starred: _, ...unstarred } = view;
  const { tag: __, ...untagged } = view;
  return (
    <fieldset aria-label="Stars and tags" className="flex min-w-0 flex-wrap items-center gap-1.5">
      <Chip
        pressed={view.starred ?? false}
        onPress={() => onChange(view.starred ? unstarred : { ...view, starred: true })}
      >
        <Star aria-hidden className="size-3" />
        Starred only <Count n={n_starred} />
      </Chip>
      {shown.map(({ tag, n }) => (
        <Chip
          key={tag}
          pressed={view.tag === tag}
          onPress={() => onChange(view.tag === tag ? untagged : { ...view, tag })}
        >
          {tag} <Count n={n} />
        </Chip>
      ))}
    </fieldset>
  );
}

function Count({ n }: { n: number }) {
  return <span className="text-muted in-aria-pressed:text-text">{n}</span>;
}

interface ChipProps {
  pressed: boolean;
  onPress: () => void;
  children: ReactNode;
}

export function Chip({ pressed, onPress, children }: ChipProps) {
  return (
    <button
      type="button"
      aria-pressed={pressed}
      onClick={onPress}
      className={cn(
        "inline-flex h-6 items-center gap-1 rounded-full border px-2 text-xs transition-colors hover:border-line-strong",
        pressed ? "border-accent bg-accent-soft text-text" : "bg-surface",
      )}
    >
      {children}
    </button>
  );
}

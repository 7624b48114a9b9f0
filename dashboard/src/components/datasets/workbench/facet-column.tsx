// What the pictures of a dataset have in common, with counts; a click filters. On a narrow window, rows of chips.
import { Pencil } from "lucide-react";
import { useState } from "react";
import { Button } from "~/components/ui/button";
import { cn } from "~/lib/cn";
import { formatCount } from "~/lib/format";
import { type Facet, SECTIONS } from "./facets";
import { type TagCount, tagKey } from "./tags";

/** Tags that are listed at first, and with each further click. */
const N_TAGS = 40;

interface Props {
  facets: readonly Facet[];
  tags: readonly TagCount[];
  n_items: number;
  show: string | undefined;
  tag: string | undefined;
  /** Takes all filters away. */
  onAll: () => void;
  onShow: (id: string | undefined) => void;
  onTag: (tag: string | undefined) => void;
  /** Renames or removes a tag. */
  onEditTag: (tag: string) => void;
}

export function FacetColumn(props: Props) {
  const { facets, tags, n_items, show, tag, onAll, onShow, onTag, onEditTag } = props;
  const listed = facets.filter((facet) => facet.always || facet.ids.size > 0 || facet.id === show);
  return (
    <nav
      aria-label="Filters"
      className="flex min-w-0 flex-col gap-2 lg:sticky lg:top-3 lg:self-start lg:max-h-[calc(100dvh-1.5rem)] lg:gap-4 lg:overflow-y-auto lg:pr-1 lg:pb-2"
    >
      <ul aria-label="Pictures by what they have in common" className={ROW}>
        <li className="shrink-0">
          <Choice
            label="All"
            count={n_items}
            isChosen={show === undefined && tag === undefined}
            onClick={onAll}
          />
        </li>
        {SECTIONS.flatMap((section) =>
          listed
            .filter((facet) => facet.section === section)
            .map(({ id, label, ids }, index) => (
              <li key={id} className="shrink-0">
                {index === 0 && (
                  <p aria-hidden className="eyebrow mt-3 mb-1 hidden px-2 lg:block">
                    {section}
                  </p>
                )}
                <Choice
                  label={label}
                  count={ids.size}
                  isChosen={show === id}
                  onClick={() => onShow(show === id ? undefined : id)}
                />
              </li>
            )),
        )}
      </ul>
      {(tags.length > 0 || tag !== undefined) && (
        <Tags tags={tags} tag={tag} onTag={onTag} onEditTag={onEditTag} />
      )}
    </nav>
  );
}

const ROW = "flex gap-1 overflow-x-auto p-0.5 lg:flex-col lg:gap-0.5 lg:overflow-x-visible";

function Tags({ tags, tag, onTag, onEditTag }: Pick<Props, "tags" | "tag" | "onTag" | "onEditTag">) {
  const [n_shown, setShown] = useState(N_TAGS);
  const chosen = tag === undefined ? undefined : tagKey(tag);
  const first = tags.slice(0, n_shown);
  // What is chosen is listed wherever it stands, and although no caption has it any more.
  const isListed = chosen === undefined || first.some(({ key }) => key === chosen);
  const found = tags.find(({ key }) => key === chosen);
  const hidden = isListed ? undefined : (found ?? { tag: tag ?? "", key: chosen, n_captions: 0 });
  return (
    <div className="min-w-0">
      <h2 className="eyebrow mb-1 px-2 max-lg:sr-only">Tags</h2>
      {tag !== undefined && (
        <Button size="sm" className="mb-1 max-w-full" onClick={() => onEditTag(tag)}>
          <Pencil aria-hidden />
          <span className="truncate">Rename or remove {tag}</span>
        </Button>
      )}
      <ul aria-label="Tags by frequency" className={ROW}>
        {[...first, ...(hidden ? [hidden] : [])].map((one) => (
          <li key={one.key} className="min-w-0 shrink-0 max-lg:max-w-60">
            <Choice
              label={one.tag}
              count={one.n_captions}
              isChosen={one.key === chosen}
              onClick={() => onTag(one.key === chosen ? undefined : one.tag)}
            />
          </li>
        ))}
        {tags.length > n_shown && (
          <li className="shrink-0">
            <button
              type="button"
              onClick={() => setShown(n_shown + N_TAGS)}
              className="h-7 whitespace-nowrap rounded-md px-2 text-muted text-xs underline-offset-2 hover:underline"
            >
              More tags ({formatCount(tags.length - n_shown)})
            </button>
          </li>
        )}
      </ul>
    </div>
  );
}

interface ChoiceProps {
  label: string;
  count: number;
  isChosen: boolean;
  onClick: () => void;
}

function Choice({ label, count, isChosen, onClick }: ChoiceProps) {
  return (
    <button
      type="button"
      aria-pressed={isChosen}
      onClick={onClick}
      title={label}
      className={cn(
        "flex h-8 w-full min-w-0 items-center justify-between gap-2 rounded-md border px-2 text-left text-xs transition-colors lg:h-7",
        isChosen ? "border-accent bg-accent-soft font-medium" : "hover:bg-hover lg:border-transparent",
      )}
    >
      <span className="truncate">{label}</span>
      <span data-figures className="shrink-0 text-muted">
        {formatCount(count)}
      </span>
    </button>
  );
}

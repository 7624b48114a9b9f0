// Earlier pictures, the newest first: searched, narrowed, and several of them chosen at once.
import { useQuery } from "@tanstack/react-query";
import { type MouseEvent, useMemo, useState } from "react";
import { generationsQuery, labelsQuery } from "~/api/queries";
import type { ModelVersion } from "~/api/types";
import { extended, NOTHING, toggled } from "~/components/datasets/workbench/selection";
import { LabelFilter } from "~/components/labels/label-filter";
import { bySubject } from "~/components/labels/labels";
import { SearchField } from "~/components/ui/search-field";
import { Segmented } from "~/components/ui/segmented";
import { Select } from "~/components/ui/select";
import { formatPlural } from "~/lib/format";
import { useNow } from "~/lib/use-now";
import { ChosenBar } from "./chosen-bar";
import { GalleryGrid } from "./gallery-grid";
import { type Age, type GalleryView, shownPictures, versionsIn } from "./view";

interface Props {
  view: GalleryView;
  onView: (view: GalleryView) => void;
  versions: ModelVersion[];
  /** Those that are shown large. */
  open: string[];
  onOpen: (ids: string[]) => void;
}

/** Of whichever LoRA, or of whatever age. */
const ANY = "any";

export function Gallery({ view, onView, versions, open, onOpen }: Props) {
  const { data: generations = [] } = useQuery(generationsQuery());
  const { data: labels = [] } = useQuery(labelsQuery("generation"));
  const now = useNow(60_000);
  const labeled = useMemo(() => bySubject(labels), [labels]);
  const shown = useMemo(
    () => shownPictures(generations, labeled, view, now),
    [generations, labeled, view, now],
  );
  const [selection, setSelection] = useState(NOTHING);
  const select = (id: string, event: MouseEvent) => {
    const order = shown.map((one) => one.id);
    setSelection((before) => (event.shiftKey ? extended(before, id, order) : toggled(before, id)));
  };
  const pictures = generations.filter((one) => one.image_url);
  if (pictures.length === 0) return null;
  const used = versionsIn(pictures).flatMap((id) => versions.find((version) => version.id === id) ?? []);
  const without = <K extends keyof GalleryView>(key: K) => {
    const { [key]: _, ...rest } = view;
    return rest;
  };
  return (
    <section aria-label="History" className="mt-5">
      <div className="mb-2 flex flex-wrap items-center justify-between gap-2">
        <h2 className="font-medium">
          History{" "}
          <span className="font-normal text-muted text-xs">{formatPlural(shown.length, "picture")}</span>
        </h2>
        <SearchField
          label="Search pictures"
          value={view.q ?? ""}
          onValueChange={(q) => onView({ ...without("q"), ...(q && { q }) })}
        />
      </div>
      <div className="mb-2 flex flex-wrap items-center gap-2">
        <Segmented
          label="Age"
          value={view.since ?? ANY}
          onValueChange={(since: Age | typeof ANY) =>
            onView({ ...without("since"), ...(since !== ANY && { since }) })
          }
          options={[
            { value: ANY, label: "All" },
            { value: "day", label: "Day" },
            { value: "week", label: "Week" },
            { value: "month", label: "Month" },
          ]}
        />
        {used.length > 0 && (
          <Select
            label="Drawn with"
            value={view.with ?? ANY}
            onValueChange={(id: string) => onView({ ...without("with"), ...(id !== ANY && { with: id }) })}
            options={[
              { value: ANY, label: "Any LoRA" },
              ...used.map(({ id, name, version }) => ({ value: id, label: `${name} v${version}` })),
            ]}
            className="w-44"
          />
        )}
        <label className="flex items-center gap-1.5 text-xs">
          <input
            type="checkbox"
            checked={view.baselines ?? false}
            onChange={({ target }) =>
              onView({ ...without("baselines"), ...(target.checked && { baselines: true }) })
            }
            className="size-4 accent-accent"
          />
          Also at weight 0
        </label>
        <LabelFilter
          labels={labels}
          view={view}
          onChange={({ starred, tag }) => {
            const { starred: _, tag: __, ...rest } = view;
            onView({ ...rest, ...(starred && { starred }), ...(tag && { tag }) });
          }}
        />
      </div>
      <ChosenBar
        chosen={generations.filter(({ id }) => selection.ids.has(id))}
        labels={labeled}
        onOpen={onOpen}
        onNone={() => setSelection(NOTHING)}
      />
      {shown.length === 0 ? (
        <p className="py-6 text-center text-muted">No picture matches.</p>
      ) : (
        <GalleryGrid
          pictures={shown}
          labels={labeled}
          open={open}
          selected={selection.ids}
          onOpen={(id) => onOpen([id])}
          onSelect={select}
        />
      )}
    </section>
  );
}

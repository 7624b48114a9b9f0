// The pictures of a dataset: filtered, sorted, selected, and edited one by one or many at once.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { checkQuery, itemsQuery } from "~/api/queries";
import type { Item } from "~/api/types";
import { CaptionEditsPanel } from "~/components/datasets/caption-edits/caption-edits-panel";
import { CaptioningPanel } from "~/components/datasets/captioning/captioning-panel";
import { GroupsPanel } from "~/components/datasets/groups/groups-panel";
import { SplitDialog } from "~/components/datasets/panels/split-dialog";
import { Empty } from "~/components/ui/empty";
import { useSettled } from "~/lib/use-settled";
import { ChecksPanel } from "./checks-panel";
import { useDensity } from "./density";
import { FacetColumn } from "./facet-column";
import { type Facet, facetsOf } from "./facets";
import { PictureGrid } from "./picture-grid";
import { PictureView } from "./picture-view";
import { SelectionBar } from "./selection-bar";
import { TagDialog } from "./tag-dialog";
import { tagCounts } from "./tags";
import { Toolbar } from "./toolbar";
import { useSelection } from "./use-selection";
import { useShown } from "./use-shown";
import { checkOf, type OnView, type View } from "./view";

/** The id of the list of groups. */
const GROUPS = "groups-of-dataset";
/** The checks are made again when nothing was changed for so long. */
const SETTLE_MS = 1500;
interface Props {
  dataset: string;
  /** At least one. */
  items: Item[];
  view: View;
  onView: OnView;
}

export function Workbench({ dataset, items, view, onView }: Props) {
  const asked = checkOf(view);
  const check = useChecks(dataset, asked);
  const findings = check.data?.findings;
  const facets = useMemo(() => facetsOf(items, findings ?? []), [items, findings]);
  const tags = useMemo(() => tagCounts(items), [items]);
  const groups = useMemo(() => [...new Set(items.map(({ group }) => group))].filter(Boolean), [items]);
  const facet = view.show === undefined ? undefined : (facets.find(({ id }) => id === view.show) ?? NO_FACET);
  const shown = useShown(items, facet, view);
  const selection = useSelection(items, shown);
  const density = useDensity();
  const [edited, setEdited] = useState<string>();
  /** The page that is being split into panels. */
  const [dividedId, setDivided] = useState<string>();
  const divided = items.find(({ id }) => id === dividedId);
  const masks = view.masks === true;
  const picture = view.picture && items.find(({ id }) => id === view.picture);
  const n_hidden = useMemo(() => {
    const visible = new Set(shown.map(({ id }) => id));
    return selection.selected.filter(({ id }) => !visible.has(id)).length;
  }, [shown, selection.selected]);
  const isWaiting = facet?.isChecked === true && check.isPending;
  return (
    <div className="mt-3 grid grid-cols-[minmax(0,1fr)] gap-x-5 gap-y-3 lg:grid-cols-[13rem_minmax(0,1fr)]">
      <FacetColumn
        facets={facets}
        tags={tags}
        n_items={items.length}
        show={view.show}
        tag={view.tag}
        onAll={() => onView({ show: undefined, tag: undefined, q: undefined })}
        onShow={(show) => onView({ show })}
        onTag={(tag) => onView({ tag })}
        onEditTag={setEdited}
      />
      <div className="min-w-0">
        <ChecksPanel
          dataset={dataset}
          asked={asked}
          findings={findings}
          n_unmeasured={check.data?.n_unmeasured ?? 0}
          isMeasuring={check.data?.isMeasuring ?? false}
          error={check.error}
          onView={onView}
          onSplit={setDivided}
        />
        <GroupsPanel dataset={dataset} items={items} />
        <datalist id={GROUPS}>
          {groups.map((group) => (
            <option key={group} value={group} />
          ))}
        </datalist>
        <CaptioningPanel dataset={dataset} shown={shown} n_items={items.length} />
        <CaptionEditsPanel dataset={dataset} shown={shown} n_items={items.length} />
        <Toolbar
          view={view}
          n_shown={shown.length}
          n_items={items.length}
          hasMasks={items.some((item) => item.has_mask)}
          onView={onView}
        />
        <div className="flex flex-col">
          <SelectionBar
            dataset={dataset}
            selected={selection.selected}
            n_shown={shown.length}
            n_hidden={n_hidden}
            n_items={items.length}
            groups={GROUPS}
            onAll={selection.all}
            onNone={selection.none}
          />
          {shown.length === 0 ? (
            <Empty title={isWaiting ? "Checking the pictures…" : "No picture matches"}>
              {isWaiting
                ? "They appear when the checks are done."
                : "Change the search or show all pictures."}
            </Empty>
          ) : (
            <PictureGrid
              dataset={dataset}
              shown={shown}
              density={density}
              masks={masks}
              groups={GROUPS}
              selected={selection.ids}
              details={facet?.details}
              onSelect={selection.click}
              onOpen={({ id }) => onView({ picture: id })}
            />
          )}
        </div>
      </div>
      <TagDialog dataset={dataset} items={items} tag={edited} onClose={() => setEdited(undefined)} />
      {divided && <SplitDialog dataset={dataset} item={divided} onClose={() => setDivided(undefined)} />}
      {picture && !divided && (
        <PictureView
          dataset={dataset}
          item={picture}
          shown={shown}
          detail={facet?.details.get(picture.id)}
          max_tokens={asked.max_tokens}
          onShow={(item) => onView({ picture: item?.id })}
          onSplit={() => setDivided(picture.id)}
        />
      )}
    </div>
  );
}

/** A facet that no picture has: a group that is gone. */
const NO_FACET: Facet = {
  id: "",
  label: "",
  section: "Groups",
  ids: new Set(),
  details: new Map(),
  always: false,
  isChecked: false,
};

/** What the checks find, again after each change once it has settled. */
function useChecks(dataset: string, asked: ReturnType<typeof checkOf>) {
  const queries = useQueryClient();
  const { dataUpdatedAt } = useQuery({ ...itemsQuery(dataset), notifyOnChangeProps: ["dataUpdatedAt"] });
  const changed = useSettled(dataUpdatedAt, SETTLE_MS);
  useEffect(() => {
    const queryKey = ["datasets", dataset, "check"];
    const isOlder = queries
      .getQueryCache()
      .findAll({ queryKey })
      .some(({ state }) => state.dataUpdatedAt < changed);
    if (isOlder) void queries.invalidateQueries({ queryKey });
  }, [changed, dataset, queries]);
  const check = useQuery(checkQuery(dataset, asked));
  const isMeasuring = check.data?.isMeasuring;
  // The first answer may come after it measured all of them.
  const wasMeasuring = useRef(true);
  useEffect(() => {
    if (isMeasuring === undefined) return;
    const isDone = wasMeasuring.current && !isMeasuring;
    wasMeasuring.current = isMeasuring;
    const { queryKey } = itemsQuery(dataset);
    const isOld = queries.getQueryData(queryKey)?.some(({ sharpness }) => sharpness == null);
    if (isDone && isOld) void queries.invalidateQueries({ queryKey });
  }, [isMeasuring, dataset, queries]);
  return check;
}

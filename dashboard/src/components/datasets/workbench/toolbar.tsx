// What the pictures are searched for, their order and size, and how many are shown.
import { Grid3x3, LayoutGrid, Square } from "lucide-react";
import type { ReactNode } from "react";
import { SearchField } from "~/components/ui/search-field";
import { Segmented } from "~/components/ui/segmented";
import { Select } from "~/components/ui/select";
import { formatCount } from "~/lib/format";
import { DENSITIES, type Density, setDensity, useDensity } from "./density";
import { type OnView, SORTS, type View } from "./view";

const ICONS: Record<Density, ReactNode> = {
  large: <Square aria-hidden />,
  medium: <LayoutGrid aria-hidden />,
  small: <Grid3x3 aria-hidden />,
};

interface Props {
  view: View;
  n_shown: number;
  n_items: number;
  /** There are loss masks to lay over the pictures. */
  hasMasks: boolean;
  onView: OnView;
}

export function Toolbar({ view, n_shown, n_items, hasMasks, onView }: Props) {
  const density = useDensity();
  return (
    <div className="my-3 flex flex-wrap items-center gap-2">
      <SearchField
        label="Search captions"
        value={view.q ?? ""}
        onValueChange={(q) => onView({ q: q === "" ? undefined : q })}
      />
      <div className="w-48">
        <Select
          label="Sort"
          value={view.sort ?? "added"}
          onValueChange={(sort) => onView({ sort })}
          options={[...SORTS]}
        />
      </div>
      <Segmented
        label="Size of the pictures"
        value={density}
        onValueChange={setDensity}
        options={DENSITIES.map((value) => ({
          value,
          label: `${value.charAt(0).toUpperCase()}${value.slice(1)} pictures`,
          icon: ICONS[value],
        }))}
      />
      {hasMasks && (
        <Segmented
          label="Loss masks"
          value={view.masks ? "shown" : "hidden"}
          onValueChange={(value) => onView({ masks: value === "shown" ? true : undefined })}
          options={[
            { value: "hidden", label: "Pictures" },
            { value: "shown", label: "With their masks" },
          ]}
        />
      )}
      <p role="status" className="ml-auto text-muted text-xs tabular-nums">
        {n_shown === n_items
          ? `All ${formatCount(n_items)} shown`
          : `${formatCount(n_shown)} of ${formatCount(n_items)} shown`}
      </p>
    </div>
  );
}

// The cursor of the curve for keys and fingers, and the way to what a step saw.
import { useState, useSyncExternalStore } from "react";
import { Button } from "~/components/ui/button";
import { Slider } from "~/components/ui/slider";
import { formatCount } from "~/lib/format";
import type { StepCursor } from "~/live/cursor";
import type { Series } from "~/live/series";

interface Props {
  series: Series;
  cursor: StepCursor;
  onPick: (step: number) => void;
}

export function StepScrubber({ series, cursor, onPick }: Props) {
  const last = useSyncExternalStore(
    (listener) => series.subscribe(listener),
    () => series.lastStep,
  );
  const pointed = useSyncExternalStore(cursor.subscribe, () => cursor.step);
  const [chosen, setChosen] = useState<number | null>(null);
  const step = Math.min(Math.max(1, pointed ?? chosen ?? last), last);
  return (
    <div className="mt-2 flex flex-wrap items-center gap-x-3 gap-y-2 border-t pt-2">
      <Slider
        label="Step on the curve"
        value={step}
        onValueChange={(next) => {
          setChosen(next);
          cursor.point(next, "keys");
        }}
        onBlur={() => cursor.leave("keys")}
        disabled={last === 0}
        min={1}
        max={Math.max(2, last)}
        step={1}
        format={(value) => `Step ${formatCount(value)}`}
        className="min-w-48 flex-1"
      />
      <Button size="sm" disabled={last === 0} onClick={() => onPick(step)}>
        What this step saw
      </Button>
    </div>
  );
}

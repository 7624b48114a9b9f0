// Preview pictures, prompt by step: the same prompt and seed, row by row, as the training goes on.
import { useSyncExternalStore } from "react";
import type { Sample } from "~/api/types";
import { formatCount } from "~/lib/format";
import { groupBy } from "~/lib/group-by";

interface Props {
  samples: Sample[];
  onOpen: (sample: Sample) => void;
}

/** Samples by prompt, each row in the order of steps. */
export function rows(samples: Sample[]): Sample[][] {
  return [...groupBy(samples, (sample) => sample.prompt_index)]
    .sort(([a], [b]) => a - b)
    .map(([, row]) => row.toSorted((a, b) => a.step - b.step));
}

export function SampleGrid({ samples, onOpen }: Props) {
  const isNarrow = useIsNarrow();
  // Where one column fits, it is the newest.
  const steps = [...new Set(samples.map((sample) => sample.step))].sort((a, b) => (isNarrow ? b - a : a - b));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
    <section aria-label="Samples by prompt and step" tabIndex={0} className="overflow-x-auto pb-2">
      <table className="border-separate border-spacing-1">
        <thead>
          <tr>
            <th
              scope="col"
              className="sticky left-0 z-10 min-w-26 bg-surface sm:min-w-36 text-left align-bottom"
            >
              <span className="eyebrow">Prompt</span>
            </th>
            {steps.map((step) => (
              <th key={step} scope="col" className="eyebrow px-1 text-left">
                {step === 0 ? "Start" : `Step ${formatCount(step)}`}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows(samples).map((row) => (
            <tr key={row[0]?.prompt_index}>
              <th
                scope="row"
                className="sticky left-0 z-10 w-28 max-w-28 bg-surface pr-2 text-left align-top sm:w-36 sm:max-w-36"
              >
                <span className="line-clamp-5 font-normal text-muted text-xs">{row[0]?.prompt}</span>
              </th>
              {steps.map((step) => {
                const sample = row.find((one) => one.step === step);
                return (
                  <td key={step} className="p-0">
                    {sample ? (
                      <Thumb sample={sample} onOpen={onOpen} />
                    ) : (
                      <div className="hatch size-28 sm:size-36" />
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const NARROW = "(max-width: 40rem)";

export function useIsNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      const query = matchMedia(NARROW);
      query.addEventListener("change", listener);
      return () => query.removeEventListener("change", listener);
    },
    () => matchMedia(NARROW).matches,
  );
}

export function Thumb({ sample, onOpen }: { sample: Sample; onOpen: (sample: Sample) => void }) {
  return (
    <button
      type="button"
      onClick={() => onOpen(sample)}
      className="block overflow-hidden rounded-sm border bg-sunken transition-colors hover:border-accent"
    >
      <img
        src={sample.url}
        alt={`${sample.step === 0 ? "Before training" : `Step ${sample.step}`}: ${sample.prompt}`}
        loading="lazy"
        className="size-28 max-w-none object-cover sm:size-36"
      />
    </button>
  );
}

// What an imported file is, where it is from, and what of it is not applied.
import { TriangleAlert } from "lucide-react";
import type { Imported, LoraFileKind, LoraFormat } from "~/api/types";
import { Property } from "~/components/ui/misc";
import { Panel } from "~/components/ui/panel";
import { formatCount, formatPlural } from "~/lib/format";
import { VerdictBadge } from "./badges";
import { MadeOf } from "./made-of";

const KINDS: Record<LoraFileKind, string> = {
  lora: "LoRA",
  locon: "LoCon",
  loha: "LoHa",
  lokr: "LoKr",
  dora: "DoRA",
  glora: "GLoRA",
  ia3: "IA3",
  oft: "OFT",
  full: "full difference",
  bias: "bias difference",
};

const FORMATS: Record<LoraFormat, string> = {
  kohya: "kohya's names",
  diffusers: "diffusers' names",
  peft: "PEFT's names",
  other: "names of another program",
};

export function ImportedPanel({ imported }: { imported: Imported }) {
  const {
    format,
    kinds,
    n_modules,
    rank_min,
    rank_max,
    trained_on,
    source,
    license,
    made,
    left_out = [],
    trigger_words = [],
  } = imported;
  const what = kinds.map(({ kind, n_modules }) => `${formatPlural(n_modules, "module")} of ${KINDS[kind]}`);
  return (
    <Panel
      title={made ? "Made out of others" : "Imported file"}
      aside={<VerdictBadge verdict={null} isMade={made != null} />}
    >
      {left_out.length > 0 && <LeftOut parts={left_out} />}
      <dl>
        <Property name="Applied">
          {what.join(", ") || formatPlural(n_modules, "module")}; {FORMATS[format]}
        </Property>
        {rank_min != null && rank_max != null && (
          <Property name="Rank">
            {rank_min === rank_max ? formatCount(rank_min) : `${rank_min} to ${rank_max}`}
          </Property>
        )}
        {trained_on && <Property name="Trained on">{trained_on}</Property>}
        {trigger_words.length > 0 && <Property name="Trigger words">{trigger_words.join(", ")}</Property>}
        {made ? (
          <MadeOf made={made} />
        ) : (
          <>
            <Property name="From">{source || "not said"}</Property>
            <Property name="License">{license || "not said"}</Property>
          </>
        )}
      </dl>
    </Panel>
  );
}

function LeftOut({ parts }: { parts: NonNullable<Imported["left_out"]> }) {
  return (
    <section
      aria-label="Not applied"
      className="mb-3 rounded-md border border-warning bg-warning-soft px-3 py-2 text-warning"
    >
      <h3 className="flex items-center gap-2 font-semibold">
        <TriangleAlert aria-hidden className="size-4 shrink-0" />
        Not applied
      </h3>
      <ul className="mt-1 flex flex-col gap-1 text-text text-xs">
        {parts.map(({ reason, n, examples }) => (
          <li key={reason} className="wrap-anywhere">
            {formatCount(n)} {n === 1 ? "is" : "are"} {reason}: <code>{examples.join(", ")}</code>
            {n > examples.length && ` and ${formatCount(n - examples.length)} more`}
          </li>
        ))}
      </ul>
    </section>
  );
}

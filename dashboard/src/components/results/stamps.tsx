// What a LoRA was found to be: a word, an icon and what it means. Never by color alone.
import { CircleHelp, CopyCheck, Droplets, Feather, Flame, type LucideIcon, Sparkles } from "lucide-react";
import type { Stamp } from "~/api/types";
import { Badge, type Tone } from "~/components/phase";
import { cn } from "~/lib/cn";

interface Look {
  word: string;
  icon: LucideIcon;
  tone: Tone;
  /** What the word means, for whoever reads it for the first time. */
  means: string;
}

const STAMPS: Record<Stamp, Look> = {
  too_weak: {
    word: "Too weak",
    icon: Feather,
    tone: "warning",
    means: "Its pictures barely differ from the base model's.",
  },
  good: {
    word: "Good",
    icon: Sparkles,
    tone: "good",
    means: "It shows what it was trained on, and follows prompts.",
  },
  overcooked: {
    word: "Overcooked",
    icon: Flame,
    tone: "bad",
    means: "It was trained too far: it ignores prompts, or damages pictures.",
  },
  copies: {
    word: "Copies",
    icon: CopyCheck,
    tone: "bad",
    means: "It repeats pictures of its dataset.",
  },
  bleeds: {
    word: "Bleeds",
    icon: Droplets,
    tone: "warning",
    means: "It changes pictures that are not about it.",
  },
  cannot_tell: {
    word: "Cannot tell",
    icon: CircleHelp,
    tone: "idle",
    means: "The measurements are too few or too uncertain.",
  },
};

export function stampWord(stamp: Stamp): string {
  return STAMPS[stamp].word;
}

export function stampMeaning(stamp: Stamp): string {
  return STAMPS[stamp].means;
}

/** Small, for lists. */
export function StampBadge({ stamp }: { stamp: Stamp }) {
  const { word, icon, tone, means } = STAMPS[stamp];
  return (
    <span title={means}>
      <Badge icon={icon} tone={tone}>
        {word}
      </Badge>
    </span>
  );
}

const INKS: Record<Tone, string> = {
  idle: "border-muted text-muted",
  live: "border-accent text-accent",
  good: "border-good text-good",
  warning: "border-warning text-warning",
  bad: "border-bad text-bad",
};

/** As a rubber stamp leaves it on a sheet. */
export function RubberStamp({ stamp }: { stamp: Stamp }) {
  const { word, icon: Icon, tone } = STAMPS[stamp];
  return (
    <p
      className={cn(
        "inline-flex shrink-0 -rotate-3 items-center gap-2 rounded-md border-2 px-3 py-1.5 font-semibold text-lg uppercase tracking-wide",
        INKS[tone],
      )}
    >
      <Icon aria-hidden className="size-5" />
      {word}
    </p>
  );
}

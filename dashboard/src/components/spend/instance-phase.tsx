// Where a rented machine stands: never by color alone.
import {
  CircleCheck,
  CircleDashed,
  CircleDot,
  CircleQuestionMark,
  LoaderCircle,
  type LucideIcon,
  Unplug,
} from "lucide-react";
import type { InstancePhase } from "~/api/types";
import { Badge, type Tone } from "~/components/phase";

interface Look {
  word: string;
  meaning: string;
  icon: LucideIcon;
  tone: Tone;
}

export const INSTANCE_PHASES: Record<InstancePhase, Look> = {
  intent: {
    word: "Ordering",
    meaning: "The money is reserved and the machine is being ordered.",
    icon: CircleDashed,
    tone: "idle",
  },
  unknown: {
    word: "Unknown",
    meaning: "The provider gave no clear response. Morpheus is looking for the machine by its name.",
    icon: CircleQuestionMark,
    tone: "warning",
  },
  live: { word: "Live", meaning: "The provider reports that it exists.", icon: CircleDot, tone: "live" },
  ending: {
    word: "Ending",
    meaning: "Termination was requested but is not confirmed yet.",
    icon: LoaderCircle,
    tone: "warning",
  },
  abandoned: {
    word: "Abandoned",
    meaning:
      "The machine was not found. Part of the money stays reserved for a while, and the machine is terminated if it appears.",
    icon: Unplug,
    tone: "warning",
  },
  gone: {
    word: "Gone",
    meaning: "The machine is confirmed to be terminated, or never to have existed.",
    icon: CircleCheck,
    tone: "idle",
  },
};

export function InstancePhaseBadge({ phase }: { phase: InstancePhase }) {
  const { word, meaning, icon, tone } = INSTANCE_PHASES[phase];
  return (
    <span title={meaning}>
      <Badge icon={icon} tone={tone} live={phase === "live"}>
        {word}
      </Badge>
    </span>
  );
}

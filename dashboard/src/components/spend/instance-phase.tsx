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
    meaning: "Its money is set aside; the provider is being asked.",
    icon: CircleDashed,
    tone: "idle",
  },
  unknown: {
    word: "Unknown",
    meaning: "The provider gave no clear answer: it is being looked for by its name.",
    icon: CircleQuestionMark,
    tone: "warning",
  },
  live: { word: "Live", meaning: "The provider says that it exists.", icon: CircleDot, tone: "live" },
  ending: {
    word: "Ending",
    meaning: "Its end was ordered, and is not confirmed.",
    icon: LoaderCircle,
    tone: "warning",
  },
  abandoned: {
    word: "Abandoned",
    meaning: "It was never found; a part of its money is kept for a while, and it is ended if it shows up.",
    icon: Unplug,
    tone: "warning",
  },
  gone: {
    word: "Gone",
    meaning: "It is confirmed that it does not exist, or no longer.",
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

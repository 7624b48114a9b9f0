// Where a drawing session stands: never by color alone.
import { CircleCheck, CircleDashed, CircleDot, LoaderCircle, type LucideIcon } from "lucide-react";
import type { DrawingPhase } from "~/api/types";
import { Badge, type Tone } from "~/components/phase";

interface Look {
  word: string;
  meaning: string;
  icon: LucideIcon;
  tone: Tone;
}

const PHASES: Record<DrawingPhase, Look> = {
  ordered: {
    word: "Ordered",
    meaning: "A machine is about to be ordered.",
    icon: CircleDashed,
    tone: "idle",
  },
  starting: { word: "Starting", meaning: "Its machine starts.", icon: LoaderCircle, tone: "idle" },
  ready: { word: "Ready", meaning: "Its machine draws what you ask for.", icon: CircleDot, tone: "live" },
  ending: {
    word: "Ending",
    meaning: "The session is over. Its machine is not confirmed to be terminated yet.",
    icon: LoaderCircle,
    tone: "warning",
  },
  ended: {
    word: "Ended",
    meaning: "The session is over, and none of its machines is known to be running.",
    icon: CircleCheck,
    tone: "idle",
  },
};

export function SessionPhaseBadge({ phase }: { phase: DrawingPhase }) {
  const { word, meaning, icon, tone } = PHASES[phase];
  return (
    <span title={meaning}>
      <Badge icon={icon} tone={tone} live={phase === "ready"}>
        {word}
      </Badge>
    </span>
  );
}

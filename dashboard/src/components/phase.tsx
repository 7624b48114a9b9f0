// Where a job stands: never by color alone.
import {
  Ban,
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CircleDot,
  CirclePause,
  LoaderCircle,
  type LucideIcon,
  PackageCheck,
  Rocket,
} from "lucide-react";
import type { Phase } from "~/api/types";
import { cn } from "~/lib/cn";

export type Tone = "idle" | "live" | "good" | "warning" | "bad";

const PHASES: Record<Phase, { word: string; icon: LucideIcon; tone: Tone }> = {
  queued: { word: "Queued", icon: CircleDashed, tone: "idle" },
  launching: { word: "Launching", icon: Rocket, tone: "live" },
  running: { word: "Running", icon: CircleDot, tone: "live" },
  finalizing: { word: "Finalizing", icon: PackageCheck, tone: "live" },
  stopping: { word: "Stopping", icon: LoaderCircle, tone: "warning" },
  stopped: { word: "Stopped", icon: CirclePause, tone: "warning" },
  cancelling: { word: "Canceling", icon: LoaderCircle, tone: "warning" },
  cancelled: { word: "Canceled", icon: Ban, tone: "idle" },
  failed: { word: "Failed", icon: CircleAlert, tone: "bad" },
  succeeded: { word: "Succeeded", icon: CircleCheck, tone: "good" },
};

const TONES: Record<Tone, string> = {
  idle: "text-muted bg-sunken",
  live: "text-accent bg-accent-soft",
  good: "text-good bg-good-soft",
  warning: "text-warning bg-warning-soft",
  bad: "text-bad bg-bad-soft",
};

const ENDED: Phase[] = ["stopped", "cancelled", "failed", "succeeded"];

/** No agent works on a job in this phase, and none will unless somebody resumes it. */
export function isEnded(phase: Phase): boolean {
  return ENDED.includes(phase);
}

export function phaseWord(phase: Phase): string {
  return PHASES[phase].word;
}

export function PhaseBadge({ phase, className }: { phase: Phase; className?: string }) {
  const { word, icon, tone } = PHASES[phase];
  return (
    <Badge icon={icon} tone={tone} live={tone === "live"} {...(className && { className })}>
      {word}
    </Badge>
  );
}

interface BadgeProps {
  icon: LucideIcon;
  tone: Tone;
  live?: boolean;
  className?: string;
  children: string;
}

export function Badge({ icon: Icon, tone, live = false, className, children }: BadgeProps) {
  return (
    <span
      className={cn(
        "inline-flex h-5.5 shrink-0 items-center gap-1.5 rounded-sm px-1.5 font-medium text-xs",
        TONES[tone],
        className,
      )}
    >
      {/* A few times, to show that something began: without an end, it would cost a frame sixty times a second. */}
      <Icon aria-hidden className={cn("size-3.5", live && "animate-[pulse-dot_1.8s_ease-in-out_3]")} />
      {children}
    </span>
  );
}

// How far a model version has come, and whether its file is fit for use.
import {
  Archive,
  BadgeCheck,
  CircleAlert,
  CircleCheck,
  FileX,
  Import,
  Layers,
  PencilLine,
  Star,
} from "lucide-react";
import type { Damage, Stage, Verdict } from "~/api/types";
import { Badge } from "~/components/phase";
import { fileStamp, resultLines } from "./stamps";

export function StageBadge({ stage }: { stage: Stage }) {
  switch (stage) {
    case "draft":
      return (
        <Badge icon={PencilLine} tone="idle">
          Draft
        </Badge>
      );
    case "approved":
      return (
        <Badge icon={BadgeCheck} tone="live">
          Approved
        </Badge>
      );
    case "retired":
      return (
        <Badge icon={Archive} tone="idle">
          Retired
        </Badge>
      );
  }
}

/** The version that a model is used by: the newest approved one. */
export function CurrentBadge() {
  return (
    <Badge icon={Star} tone="live">
      Current
    </Badge>
  );
}

/** Shown where the stored file is known to be lost or damaged: the version cannot be used. */
export function DamageBadge({ damage }: { damage: Damage }) {
  return (
    <Badge icon={FileX} tone="bad">
      {damage === "missing" ? "File lost" : "File damaged"}
    </Badge>
  );
}

interface VerdictProps {
  verdict: Verdict | null | undefined;
  /** It was made out of others here. */
  isMade?: boolean;
}

/** Without a verdict, the version was imported, or made out of others. */
export function VerdictBadge({ verdict, isMade = false }: VerdictProps) {
  if (!verdict)
    return (
      <Badge icon={isMade ? Layers : Import} tone="idle">
        {isMade ? "Made of others, not judged" : "Imported, not judged"}
      </Badge>
    );
  if (!fileStamp(verdict).healthy)
    return (
      <Badge icon={CircleAlert} tone="bad">
        File broken
      </Badge>
    );
  return resultLines(verdict).some(({ name, good }) => name === "picture_changes" && !good) ? (
    <Badge icon={CircleAlert} tone="warning">
      No visible effect
    </Badge>
  ) : (
    <Badge icon={CircleCheck} tone="idle">
      File healthy
    </Badge>
  );
}

// The jobs that make, or made, a version of a checkpoint.
import { Link } from "@tanstack/react-router";
import type { Job } from "~/api/types";
import { PhaseBadge } from "~/components/phase";

export function MakerLinks({ makers }: { makers: Job[] }) {
  return makers.map((maker) => (
    <Link
      key={maker.id}
      to="/jobs/$jobId"
      params={{ jobId: maker.id }}
      className="inline-flex items-center gap-1.5 text-accent text-xs underline underline-offset-2"
    >
      Version <PhaseBadge phase={maker.phase} />
    </Link>
  ));
}

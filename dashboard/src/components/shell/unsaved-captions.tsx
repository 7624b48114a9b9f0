// Says on every page that captions are not saved yet, and leads to them.
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import type { Connection } from "~/api/socket";
import { useCaptions, useTypedCaptions } from "~/captions/captions";
import { sweepDrafts } from "~/lib/drafts";
import { formatPlural } from "~/lib/format";

export function UnsavedCaptions({ connection }: { connection: Connection }) {
  const captions = useCaptions();
  const stuck = useTypedCaptions().filter(({ state }) =>
    ["waiting", "refused", "conflict"].includes(state.kind),
  );
  useEffect(() => {
    sweepDrafts();
    return captions.start();
  }, [captions]);
  useEffect(() => {
    if (connection === "open") captions.retry();
  }, [captions, connection]);
  const [first] = stuck;
  if (!first) return null;
  return (
    <p role="status" className="border-b bg-warning-soft px-4 py-1.5 text-center text-warning">
      {formatPlural(stuck.length, "caption")} not saved yet.{" "}
      <Link
        to="/datasets/$datasetId"
        params={{ datasetId: first.dataset }}
        className="underline underline-offset-2"
      >
        Show
      </Link>
    </p>
  );
}

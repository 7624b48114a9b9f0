// The pictures whose loss stays high: mislabeled ones stand out here.
import { useQuery } from "@tanstack/react-query";
import { jobPicturesQuery } from "~/api/queries";
import type { Job } from "~/api/types";
import { isEnded } from "~/components/phase";
import { LoadError } from "~/components/ui/load-error";
import { Panel } from "~/components/ui/panel";
import { formatPlural } from "~/lib/format";
import { ENOUGH, formatRelative, hardest, isKnown } from "./relative";
import { PictureLink } from "./step-panel";

const TITLE = "Pictures the training struggles with";

export function HardPictures({ job }: { job: Job }) {
  const reports = job.recipe.engine === "native" && !job.version_of;
  const { data, error } = useQuery({ ...jobPicturesQuery(job.id), enabled: reports });
  if (!reports) return null;
  if (!data) {
    return (
      error && (
        <Panel title={TITLE}>
          <LoadError error={error} />
        </Panel>
      )
    );
  }
  const hard = hardest(data.pictures);
  // A job of an older version, or one that ended at once.
  if (hard.length === 0 && !isKnown(data.pictures) && isEnded(job.phase)) return null;
  return (
    <Panel title={TITLE} bodyClassName={hard.length === 0 ? "p-3" : "p-0"}>
      {hard.length === 0 ? (
        <p className="text-muted">
          {isKnown(data.pictures) ? "None stands out." : `Known once each picture was seen ${ENOUGH} times.`}
        </p>
      ) : (
        <>
          <p className="px-3 pt-2 text-muted text-xs">
            Their loss is higher than usual at the same noise, whatever the step weighs it with. Look whether
            the caption fits, and whether the picture belongs here.
          </p>
          <ol aria-label="Hardest pictures" className="divide-y">
            {hard.map((picture) => (
              <li key={picture.item_id} className="flex gap-3 px-3 py-2">
                <PictureLink job={job} picture={picture} />
                <div className="min-w-0 flex-1">
                  <p className="truncate font-medium">{picture.file_name ?? "Removed from the dataset"}</p>
                  <p className="line-clamp-2 wrap-anywhere text-muted text-xs">
                    {picture.caption || "Without a caption"}
                  </p>
                  <p className="text-xs">
                    {formatRelative(picture.relative_loss)}{" "}
                    <span className="text-muted">· seen {formatPlural(picture.n_seen, "time")}</span>
                  </p>
                </div>
              </li>
            ))}
          </ol>
        </>
      )}
    </Panel>
  );
}

// A model among others: its cover, and the version that it is used by.
import { Link } from "@tanstack/react-router";
import type { Label, Model } from "~/api/types";
import { Star } from "~/components/labels/star";
import { Tags } from "~/components/labels/tags";
import { StampBadge } from "~/components/results/stamps";
import { formatAgo, formatBytes } from "~/lib/format";
import { DamageBadge, StageBadge, VerdictBadge } from "./badges";
import { currentOf } from "./current";

interface Props {
  model: Model;
  label: Label | undefined;
}

export function ModelCard({ model, label }: Props) {
  const current = currentOf(model);
  return (
    <li className="relative overflow-hidden rounded-lg border bg-surface transition-colors focus-within:border-accent hover:border-line-strong">
      <div className="aspect-[4/3] border-b bg-sunken">
        {model.cover_url ? (
          <img src={model.cover_url} alt="" loading="lazy" className="size-full object-cover" />
        ) : (
          <div className="hatch grid size-full place-items-center text-muted text-xs">No picture yet</div>
        )}
      </div>
      <div className="px-3 py-2.5">
        <div className="flex items-center justify-between gap-2">
          <Link
            data-row
            to="/models/$modelId"
            params={{ modelId: model.id }}
            className="min-w-0 flex-1 truncate font-medium after:absolute after:inset-0"
          >
            {model.name}
          </Link>
          {current && <StageBadge stage={current.stage} />}
          {current?.damage && <DamageBadge damage={current.damage} />}
          <Star
            kind="model"
            id={model.id}
            name={model.name}
            starred={label?.starred ?? false}
            className="relative z-10 -mr-1.5"
          />
        </div>
        {current && (
          <>
            <p className="mt-0.5 truncate text-muted text-xs">
              {[current.base_model, current.trigger_word, formatBytes(current.size_bytes)]
                .filter(Boolean)
                .join(" · ")}
            </p>
            <Tags tags={label?.tags ?? []} />
            <div className="mt-2 flex items-center justify-between gap-2 text-muted text-xs">
              <span className="flex flex-wrap items-center gap-1.5">
                <VerdictBadge verdict={current.verdict} isMade={current.imported?.made != null} />
                {current.judgement && <StampBadge stamp={current.judgement.stamp} />}
              </span>
              <span>
                Version {current.version} of {model.versions.length} · {formatAgo(current.created_at)}
              </span>
            </div>
          </>
        )}
      </div>
    </li>
  );
}

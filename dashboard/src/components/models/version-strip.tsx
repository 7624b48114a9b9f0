// All versions of a model in a row; one of them is shown, one is current, and another can be compared with it.
import { Link } from "@tanstack/react-router";
import type { Model, ModelVersion } from "~/api/types";
import { cn } from "~/lib/cn";
import { CurrentBadge, StageBadge } from "./badges";
import { currentOf } from "./current";

interface Props {
  model: Model;
  shown: ModelVersion;
  /** Number of the version that is compared with the one that is shown. */
  compared: number | undefined;
}

export function VersionStrip({ model, shown, compared }: Props) {
  const current = currentOf(model);
  return (
    <nav aria-label="Versions" className="mb-4 overflow-x-auto pb-1">
      <ul className="flex gap-2">
        {model.versions.map((version) => (
          <li key={version.id} className="w-40 shrink-0">
            <Link
              to="/models/$modelId"
              params={{ modelId: model.id }}
              search={{ version: version.version }}
              aria-current={version.id === shown.id ? "page" : undefined}
              className={cn(
                "block overflow-hidden rounded-lg border bg-surface transition-colors hover:border-line-strong",
                version.id === shown.id && "border-accent",
              )}
            >
              <div className="aspect-[2/1] bg-sunken">
                {version.after_url ? (
                  <img src={version.after_url} alt="" loading="lazy" className="size-full object-cover" />
                ) : (
                  <div className="hatch size-full" />
                )}
              </div>
              <span className="flex min-h-9 flex-wrap items-center gap-1 px-2 py-1">
                <span className="mr-auto font-medium">Version {version.version}</span>
                {version.id === current?.id ? <CurrentBadge /> : <StageBadge stage={version.stage} />}
              </span>
            </Link>
            {version.id !== shown.id && (
              <Link
                to="/models/$modelId"
                params={{ modelId: model.id }}
                search={{
                  version: shown.version,
                  ...(compared !== version.version && { compare: version.version }),
                }}
                resetScroll={false}
                className="mt-1 inline-block text-accent text-xs underline underline-offset-2"
              >
                {compared === version.version
                  ? "End the comparison"
                  : `Compare v${version.version} with v${shown.version}`}
              </Link>
            )}
          </li>
        ))}
      </ul>
    </nav>
  );
}

// A registered base model: what it is, how far it is, and what can be done with it.
import {
  CircleAlert,
  CircleCheck,
  CloudUpload,
  LoaderCircle,
  RotateCw,
  SlidersHorizontal,
  Trash2,
} from "lucide-react";
import { useState } from "react";
import { useCheckBase, useCopyBase, useRemoveBase } from "~/api/bases";
import type { RegisteredBase } from "~/api/types";
import { Badge } from "~/components/phase";
import { Button } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { CopyButton } from "~/components/ui/copy-button";
import { Progress } from "~/components/ui/progress";
import { announceError } from "~/components/ui/toast";
import { formatBytes, formatSentence } from "~/lib/format";
import { BaseNotes } from "./base-notes";
import { SaidForm } from "./said-form";
import { factsOf, isCopyOffered, sourceInWords, workOf } from "./state";

export function BaseRow({ base }: { base: RegisteredBase }) {
  const { name, sha256, problem, from_settings } = base;
  const check = useCheckBase();
  const [isSaying, setSaying] = useState(false);
  const work = workOf(base);
  const facts = factsOf(base);
  return (
    <li aria-label={name} className="py-3 last:pb-0">
      <div className="flex items-start gap-2">
        <div className="flex min-w-0 flex-1 flex-wrap items-center gap-x-2 gap-y-1 pt-0.5">
          <span className="wrap-anywhere font-medium">{name}</span>
          <StateBadge base={base} />
          {from_settings && <span className="text-muted text-xs">from settings</span>}
        </div>
        <div className="flex">
          <Button
            variant="ghost"
            size="icon-sm"
            aria-label={`Check ${name} again`}
            title="Check again"
            disabled={base.state === "checking" || check.isPending}
            onClick={() =>
              check.mutate(name, { onError: (error) => announceError(`${name} is not checked`, error) })
            }
          >
            <RotateCw aria-hidden />
          </Button>
          {!from_settings && (
            <>
              <Button
                variant="ghost"
                size="icon-sm"
                aria-label={`Set the prediction and VAE of ${name}`}
                aria-expanded={isSaying}
                title="Prediction and VAE"
                onClick={() => setSaying(!isSaying)}
              >
                <SlidersHorizontal aria-hidden />
              </Button>
              <Remove name={name} />
            </>
          )}
        </div>
      </div>
      <p className="wrap-anywhere font-mono text-muted text-xs">{sourceInWords(base.source)}</p>
      {base.settings.vae && (
        <p className="wrap-anywhere text-muted text-xs">
          VAE <span className="font-mono">{base.settings.vae}</span>
        </p>
      )}
      {facts.length > 0 && <p className="mt-1 text-muted text-xs">{facts.join(" · ")}</p>}
      {sha256 && (
        <div className="flex items-center gap-1 text-muted text-xs">
          SHA-256 <code className="font-mono">{sha256.slice(0, 12)}…</code>
          <CopyButton text={sha256} label={`Copy the SHA-256 of ${name}`} shown={sha256} />
        </div>
      )}
      <BaseNotes of={name} notes={base.notes} />
      {isSaying && <SaidForm base={base} onDone={() => setSaying(false)} />}
      {work && (
        <div className="mt-1.5">
          <p className="mb-1 text-xs">{work.words}</p>
          <Progress label={`${work.title} ${name}`} value={work.part} live className="h-1.5" />
        </div>
      )}
      {problem && (
        <p role="alert" className="wrap-anywhere mt-2 rounded-md border border-bad bg-bad-soft p-2.5">
          {formatSentence(problem)}
        </p>
      )}
      {isCopyOffered(base) && <OfferCopy base={base} />}
      {from_settings && (
        <p className="mt-1 text-muted text-xs">
          It is set in the server's configuration. To remove it, or to set its prediction and VAE, change it
          there and restart the server.
        </p>
      )}
    </li>
  );
}

function StateBadge({ base: { state } }: { base: RegisteredBase }) {
  if (state === "checking") {
    return (
      <Badge icon={LoaderCircle} tone="live" live>
        Checking
      </Badge>
    );
  }
  return state === "ready" ? (
    <Badge icon={CircleCheck} tone="good">
      Ready
    </Badge>
  ) : (
    <Badge icon={CircleAlert} tone="bad">
      Failed
    </Badge>
  );
}

function OfferCopy({ base: { name, size_bytes } }: { base: RegisteredBase }) {
  const copy = useCopyBase();
  return (
    <div className="mt-2 flex flex-wrap items-center gap-x-3 gap-y-2 rounded-md bg-sunken p-2.5">
      <p className="min-w-56 flex-1 text-xs">
        Other machines cannot read this file from the server. Once it is in the object store
        {size_bytes ? `, where it takes ${formatBytes(size_bytes)},` : ""} they fetch it from there.
      </p>
      <Button
        size="sm"
        disabled={copy.isPending}
        aria-label={`Copy ${name} to the object store`}
        onClick={() =>
          copy.mutate(name, { onError: (error) => announceError(`${name} is not copied`, error) })
        }
      >
        <CloudUpload aria-hidden />
        Copy to the object store
      </Button>
    </div>
  );
}

function Remove({ name }: { name: string }) {
  const remove = useRemoveBase();
  return (
    <Confirm
      trigger={
        <Button variant="ghost" size="icon-sm" aria-label={`Remove ${name}`} title="Remove">
          <Trash2 aria-hidden />
        </Button>
      }
      title={`Remove ${name}?`}
      description="Trained models and the files of this base model are kept. New jobs and pictures can no longer use it."
      action="Remove"
      onConfirm={() =>
        remove.mutate(name, { onError: (error) => announceError(`${name} was not removed`, error) })
      }
    />
  );
}

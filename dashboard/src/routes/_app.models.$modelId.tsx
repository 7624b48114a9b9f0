// One model: a version's verdict, pictures, metadata, and what can be done with it.
import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute, Link } from "@tanstack/react-router";
import { Archive, BadgeCheck, Download, Palette } from "lucide-react";
import { editsQuery } from "~/api/edits";
import { downloadHref, useStageAction } from "~/api/models";
import { baseModelsQuery, modelQuery, modelsQuery } from "~/api/queries";
import type { Model, ModelVersion } from "~/api/types";
import { CurrentBadge, DamageBadge, StageBadge } from "~/components/models/badges";
import { Comparison } from "~/components/models/comparison";
import { CopyProperty } from "~/components/models/copy-property";
import { currentOf } from "~/components/models/current";
import { ToolsPanel } from "~/components/models/edits/tools-panel";
import { ImportedPanel } from "~/components/models/imported-panel";
import { MetadataPanel } from "~/components/models/metadata-panel";
import { NormsPanel } from "~/components/models/norms-panel";
import { VerdictPanel } from "~/components/models/verdict-panel";
import { Button, ButtonLink, buttonClass } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { Property } from "~/components/ui/misc";
import { Page } from "~/components/ui/page";
import { Panel } from "~/components/ui/panel";
import { Select } from "~/components/ui/select";
import { announce, announceError } from "~/components/ui/toast";
import { formatBytes, formatCount, formatDate } from "~/lib/format";

export const Route = createFileRoute("/_app/models/$modelId")({
  validateSearch: (search: Record<string, unknown>): { version?: number } =>
    Number.isInteger(search.version) ? { version: Number(search.version) } : {},
  loader: ({ context, params }) =>
    Promise.all([
      context.queries.ensureQueryData(modelQuery(params.modelId)),
      context.queries.ensureQueryData(modelsQuery()),
      context.queries.ensureQueryData(baseModelsQuery()),
      context.queries.ensureQueryData(editsQuery()),
    ]),
  component: ModelPage,
});

function ModelPage() {
  const { modelId } = Route.useParams();
  const { version: wanted } = Route.useSearch();
  const { data: model } = useSuspenseQuery(modelQuery(modelId));
  const current = currentOf(model);
  const version = model.versions.find((one) => one.version === wanted) ?? current;
  return (
    <Page
      title={model.name}
      above={
        <Link to="/models" className="underline-offset-2 hover:underline">
          Models
        </Link>
      }
      description={
        version && (
          <span className="flex flex-wrap items-center gap-2">
            <StageBadge stage={version.stage} />
            {model.versions.length > 1 && version.id === current?.id && <CurrentBadge />}
            {version.damage && <DamageBadge damage={version.damage} />}
            Version {version.version} {version.imported ? "for" : "on"} {version.base_model}
            {version.trigger_word && (
              <>
                ; trigger word:{" "}
                <code className="rounded-sm bg-sunken px-1 font-mono text-xs">{version.trigger_word}</code>
              </>
            )}
          </span>
        )
      }
      actions={version && <Actions model={model} version={version} />}
    >
      {version && <Version key={version.id} version={version} />}
    </Page>
  );
}

function Actions({ model, version }: { model: Model; version: ModelVersion }) {
  const navigate = Route.useNavigate();
  const stage = useStageAction(version.id);
  const act = (action: "promote" | "retire", done: string, withoutVerdict = false) =>
    stage.mutate(
      { action, withoutVerdict },
      {
        onSuccess: () => announce(done),
        onError: (error) => announceError("The stage was not changed", error),
      },
    );
  return (
    <>
      {model.versions.length > 1 && (
        <div className="w-32">
          <Select
            label="Version"
            value={String(version.version)}
            onValueChange={(value) => void navigate({ search: { version: Number(value) } })}
            options={model.versions.map((one) => ({
              value: String(one.version),
              label: `Version ${one.version}`,
              ...(one.id === currentOf(model)?.id && { detail: "current" }),
            }))}
          />
        </div>
      )}
      {version.stage !== "retired" && (
        <Confirm
          trigger={
            <Button>
              <Archive aria-hidden />
              Retire
            </Button>
          }
          title={`Retire version ${version.version}?`}
          description="It is no longer offered in the playground. The file stays; copies of it for other programs are removed."
          action="Retire"
          onConfirm={() => act("retire", "The version is retired")}
        />
      )}
      {version.stage !== "approved" && version.imported && (
        <Confirm
          trigger={
            <Button disabled={stage.isPending}>
              <BadgeCheck aria-hidden />
              Approve
            </Button>
          }
          title={`Approve version ${version.version} without a verdict?`}
          description={`It was ${version.imported.made ? "made out of others" : "imported"}: nothing here has measured what it does. Try it in the playground first.`}
          action="Approve without a verdict"
          onConfirm={() => act("promote", "The version is approved", true)}
        />
      )}
      {version.stage !== "approved" && version.verdict?.passed && (
        <Button onClick={() => act("promote", "The version is approved")} disabled={stage.isPending}>
          <BadgeCheck aria-hidden />
          Approve
        </Button>
      )}
      <a href={downloadHref(version.id)} download={version.file_name} className={buttonClass({})}>
        <Download aria-hidden />
        Download
      </a>
      <ButtonLink to="/playground" search={{ lora: version.id }} variant="primary">
        <Palette aria-hidden />
        Try it
      </ButtonLink>
    </>
  );
}

function Version({ version }: { version: ModelVersion }) {
  const { before_url, after_url, verdict } = version;
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,5fr)_minmax(0,6fr)]">
      <div className="flex min-w-0 flex-col gap-4">
        {before_url && after_url && (
          <Panel
            title="Before and after"
            aside={<PictureChange value={verdict?.picture_change} />}
            bodyClassName="p-1"
          >
            <Comparison before={before_url} after={after_url} beforeLabel="Without" afterLabel="With" />
          </Panel>
        )}
        <Panel title="File">
          <dl>
            <Property name="Name">{version.file_name}</Property>
            <CopyProperty version={version} />
            <Property name="Size">{formatBytes(version.size_bytes)}</Property>
            {version.n_steps != null && (
              <Property name="Trained for">{formatCount(version.n_steps)} steps</Property>
            )}
            {version.job_id && (
              <Property name="Job">
                <Link
                  to="/jobs/$jobId"
                  params={{ jobId: version.job_id }}
                  className="text-accent underline underline-offset-2"
                >
                  Open the job
                </Link>
              </Property>
            )}
            <Property name={version.imported && !version.imported.made ? "Imported" : "Created"}>
              {formatDate(version.created_at)}
            </Property>
            <Property name="SHA-256">
              <code className="font-mono text-xs">{version.sha256}</code>
            </Property>
          </dl>
        </Panel>
        <ToolsPanel version={version} />
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        {version.imported && <ImportedPanel imported={version.imported} />}
        {verdict && (
          <>
            <VerdictPanel verdict={verdict} />
            <NormsPanel norms={verdict.module_norms} />
          </>
        )}
        <MetadataPanel metadata={version.metadata} />
      </div>
    </div>
  );
}

function PictureChange({ value }: { value: number | null | undefined }) {
  if (value == null) return null;
  return (
    <span className="text-muted text-xs">Differs by {((100 * value) / 255).toFixed(1)} % on average</span>
  );
}

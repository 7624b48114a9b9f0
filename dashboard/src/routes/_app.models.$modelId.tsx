// One model: a version's verdict, pictures, metadata, and what can be done with it.
import { useSuspenseQuery } from "@tanstack/react-query";
import { createFileRoute, Link } from "@tanstack/react-router";
import { Archive, BadgeCheck, Download, Palette } from "lucide-react";
import { editsQuery } from "~/api/edits";
import { downloadHref, storedHref, useStageAction } from "~/api/models";
import { baseModelsQuery, datasetsQuery, labelsQuery, modelQuery, modelsQuery } from "~/api/queries";
import type { Model, ModelVersion } from "~/api/types";
import { LabelBar } from "~/components/labels/label-bar";
import { CurrentBadge, DamageBadge, StageBadge } from "~/components/models/badges";
import { CompareVersions } from "~/components/models/compare-versions";
import { Comparison } from "~/components/models/comparison";
import { CopyProperty } from "~/components/models/copy-property";
import { currentOf } from "~/components/models/current";
import { ToolsPanel } from "~/components/models/edits/tools-panel";
import { ImportedPanel } from "~/components/models/imported-panel";
import { LineagePanel } from "~/components/models/lineage-panel";
import { MetadataPanel } from "~/components/models/metadata-panel";
import { MoreOfModel } from "~/components/models/more-of-model";
import { NormsPanel } from "~/components/models/norms-panel";
import { UsagePanel } from "~/components/models/usage-panel";
import { VerdictPanel } from "~/components/models/verdict-panel";
import { VersionStrip } from "~/components/models/version-strip";
import { VersionResult } from "~/components/results/version-result";
import { Button, ButtonLink, buttonClass } from "~/components/ui/button";
import { Confirm } from "~/components/ui/confirm";
import { Property } from "~/components/ui/misc";
import { Page } from "~/components/ui/page";
import { Panel } from "~/components/ui/panel";
import { announce, announceError } from "~/components/ui/toast";
import { formatBytes } from "~/lib/format";

interface View {
  /** Number of the version that is shown; the current one if absent. */
  version?: number;
  /** Number of another one that it is compared with. */
  compare?: number;
}

export const Route = createFileRoute("/_app/models/$modelId")({
  validateSearch: (search: Record<string, unknown>): View => ({
    ...(Number.isInteger(search.version) && { version: Number(search.version) }),
    ...(Number.isInteger(search.compare) && { compare: Number(search.compare) }),
  }),
  loader: ({ context, params }) =>
    Promise.all([
      context.queries.ensureQueryData(modelQuery(params.modelId)),
      context.queries.ensureQueryData(modelsQuery()),
      context.queries.ensureQueryData(baseModelsQuery()),
      context.queries.ensureQueryData(editsQuery()),
      context.queries.ensureQueryData(datasetsQuery()),
      context.queries.ensureQueryData(labelsQuery("model")),
    ]),
  component: ModelPage,
});

function ModelPage() {
  const { modelId } = Route.useParams();
  const { version: wanted, compare } = Route.useSearch();
  const { data: model } = useSuspenseQuery(modelQuery(modelId));
  const current = currentOf(model);
  const version = model.versions.find((one) => one.version === wanted) ?? current;
  const other = model.versions.find((one) => one.version === compare && one.id !== version?.id);
  return (
    <Page
      title={model.name}
      above={
        <Link to="/models" className="underline-offset-2 hover:underline">
          Models
        </Link>
      }
      description={
        <>
          {version && (
            <span className="flex flex-wrap items-center gap-2">
              <StageBadge stage={version.stage} />
              {model.versions.length > 1 && version.id === current?.id && <CurrentBadge />}
              {version.damage && <DamageBadge damage={version.damage} />}
              Version {version.version} {version.imported ? "for" : "on"} {version.base_model}
            </span>
          )}
          <LabelBar kind="model" id={model.id} name={model.name} className="mt-1" />
        </>
      }
      actions={version && <Actions model={model} version={version} />}
    >
      {version && model.versions.length > 1 && (
        <VersionStrip model={model} shown={version} compared={other?.version} />
      )}
      {version && other && <CompareVersions key={other.id} versions={[other, version]} />}
      {version && <Version key={version.id} version={version} />}
    </Page>
  );
}

function Actions({ model, version }: { model: Model; version: ModelVersion }) {
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
      <MoreOfModel model={model} version={version} />
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
      <a href={downloadHref(version.id)} download className={buttonClass({})}>
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
        <LineagePanel version={version} />
        <Panel title="File">
          <dl>
            <Property name="Name">
              <a
                href={storedHref(version.id)}
                download
                title="The stored file, byte for byte"
                className="text-accent underline underline-offset-2"
              >
                {version.file_name}
              </a>
            </Property>
            <CopyProperty version={version} />
            <Property name="Size">{formatBytes(version.size_bytes)}</Property>
            <Property name="SHA-256">
              <code className="font-mono text-xs">{version.sha256}</code>
            </Property>
          </dl>
        </Panel>
        <ToolsPanel version={version} />
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <VersionResult version={version} />
        <UsagePanel version={version} />
        {version.imported && <ImportedPanel imported={version.imported} />}
        {verdict && <VerdictPanel verdict={verdict} />}
        <details className="group rounded-lg border bg-surface">
          <summary className="cursor-pointer px-3 py-2.5 font-semibold">Modules and metadata</summary>
          <div className="flex flex-col gap-4 p-3 pt-0">
            {verdict && <NormsPanel norms={verdict.module_norms} />}
            <MetadataPanel metadata={version.metadata} />
          </div>
        </details>
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

// The fully resolved configuration of a job.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { fields } from "~/api/fields";
import { modelsQuery } from "~/api/queries";
import { providersQuery } from "~/api/spend";
import type { Job } from "~/api/types";
import { promptOf, settingsOf } from "~/components/new-job/samples/samples";
import { titleOf } from "~/components/new-job/start-from";
import { providerName } from "~/components/spend/provider-name";
import { Property } from "~/components/ui/misc";
import { Panel } from "~/components/ui/panel";
import { formatCount, formatDate, formatName } from "~/lib/format";
import { shownValue } from "./differences";
import { RecipePanel } from "./recipe-panel";

export function JobConfig({ job }: { job: Job }) {
  const { recipe } = job;
  const { data: providers = [] } = useQuery(providersQuery());
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Panel title="Job">
        <dl>
          <Property name="Base model">{recipe.base_model}</Property>
          {recipe.start_from && (
            <Property name="Started from">
              <StartedFrom version={recipe.start_from} />
            </Property>
          )}
          <Property name="Trigger word">{recipe.trigger_word || "none"}</Property>
          <Property name="Preset">{formatName(recipe.preset)}</Property>
          <Property name="Engine">{formatName(recipe.engine)}</Property>
          <Property name="Provider">{providerName(job.provider, providers)}</Property>
          <Property name="Priority">{job.priority}</Property>
          {job.rental && (
            <Property name="Requested GPUs">{job.rental.gpus.join(", then ") || "any that fits"}</Property>
          )}
          {job.project && <Property name="Project">{job.project}</Property>}
          <Property name="Dataset">
            <Link
              to="/datasets/$datasetId"
              params={{ datasetId: job.dataset_id }}
              className="text-accent underline underline-offset-2"
            >
              Open the dataset
            </Link>
          </Property>
          <Property name="Attempts">{job.n_attempts}</Property>
          <Property name="Checkpoint">
            {job.checkpoint_step == null ? "none yet" : `at step ${formatCount(job.checkpoint_step)}`}
          </Property>
          <Property name="Created">{formatDate(job.created_at)}</Property>
          {job.started_at && <Property name="Started">{formatDate(job.started_at)}</Property>}
          {job.ended_at && <Property name="Ended">{formatDate(job.ended_at)}</Property>}
          <Property name="Id">
            <code className="font-mono text-xs">{job.id}</code>
          </Property>
        </dl>
      </Panel>
      <Panel title="Parameters">
        <dl>
          {Object.entries(recipe.parameters).map(([name, value]) => (
            <Property key={name} name={formatName(name)} {...help(name)}>
              {shownValue(value)}
            </Property>
          ))}
        </dl>
      </Panel>
      <RecipePanel job={job} />
      {recipe.sample_prompts.length > 0 && (
        <Panel title="Sample prompts" className="lg:col-span-2">
          <ol className="list-inside list-decimal space-y-1">
            {recipe.sample_prompts.map((sample) => (
              <li key={JSON.stringify(sample)}>
                {promptOf(sample)}
                {settingsOf(sample) && <span className="text-muted"> ({settingsOf(sample)})</span>}
              </li>
            ))}
          </ol>
        </Panel>
      )}
    </div>
  );
}

/** The LoRA that the training went on from; it may have been deleted since. */
function StartedFrom({ version: id }: { version: string }) {
  const { data: models } = useQuery(modelsQuery());
  const version = models?.flatMap(({ versions }) => versions).find((one) => one.id === id);
  if (!version) return <code className="wrap-anywhere font-mono text-xs">{id}</code>;
  return (
    <Link
      to="/models/$modelId"
      params={{ modelId: version.model_id }}
      search={{ version: version.version }}
      className="text-accent underline underline-offset-2"
    >
      {titleOf(version)}
    </Link>
  );
}

function help(name: string): { title?: string } {
  const known: Record<string, { description?: string }> = fields.Parameters;
  const title = known[name]?.description;
  return title ? { title } : {};
}

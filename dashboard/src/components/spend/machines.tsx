// Rented machines: first those not confirmed terminated, then the newest of the others.
import { Link } from "@tanstack/react-router";
import type { Job, RentedInstance } from "~/api/types";
import { Panel } from "~/components/ui/panel";
import { formatClock, formatDate } from "~/lib/format";
import { formatUsd, formatUsdColumn, formatUsdUp } from "~/lib/money";
import { InstancePhaseBadge } from "./instance-phase";

interface Props {
  machines: RentedInstance[];
  jobs: Job[];
}

export function Machines({ machines, jobs }: Props) {
  const n_living = machines.filter(({ phase }) => phase !== "gone").length;
  return (
    <Panel
      title="Machines"
      aside={
        machines.length > 0 && (
          <span className="text-muted text-xs">
            {n_living === 0 ? "all confirmed terminated" : `${n_living} not confirmed terminated`}
          </span>
        )
      }
      bodyClassName=""
    >
      {machines.length === 0 ? (
        <p className="p-3 text-muted">No machine has been rented yet.</p>
      ) : (
        <>
          <table className="hidden w-full border-collapse text-left md:table">
            <thead className="eyebrow border-b">
              <tr className="h-8 [&>th]:whitespace-nowrap [&>th]:px-3 [&>th]:font-medium">
                <th scope="col">Machine</th>
                <th scope="col">For</th>
                <th scope="col">Phase</th>
                <th scope="col" className="text-right">
                  Per hour
                </th>
                <th scope="col" className="text-right">
                  Cost
                </th>
                <th scope="col">Deadline</th>
              </tr>
            </thead>
            <tbody>
              {machines.map((machine) => (
                <Row
                  key={machine.name}
                  machine={machine}
                  job={jobs.find(({ id }) => id === machine.job_id)}
                />
              ))}
            </tbody>
          </table>
          <ul className="divide-y md:hidden">
            {machines.map((machine) => (
              <Card key={machine.name} machine={machine} job={jobs.find(({ id }) => id === machine.job_id)} />
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

interface RowProps {
  machine: RentedInstance;
  job: Job | undefined;
}

function Row({ machine, job }: RowProps) {
  return (
    <tr className="border-b align-top last:border-b-0 [&>td]:px-3 [&>td]:py-2">
      <td>
        <Name machine={machine} />
      </td>
      <td>
        <JobLink machine={machine} job={job} />
      </td>
      <td>
        <InstancePhaseBadge phase={machine.phase} />
      </td>
      <td className="text-right" title={formatUsd(machine.rate_micro_usd)}>
        {formatUsdUp(machine.rate_micro_usd)}
      </td>
      <td className="text-right">
        <Cost machine={machine} />
      </td>
      <td className="whitespace-nowrap">
        <End machine={machine} />
      </td>
    </tr>
  );
}

function Card({ machine, job }: RowProps) {
  return (
    <li className="flex flex-col gap-1.5 p-3">
      <div className="flex items-start justify-between gap-3">
        <div className="min-w-0">
          <Name machine={machine} />
        </div>
        <InstancePhaseBadge phase={machine.phase} />
      </div>
      <div className="flex justify-between gap-3">
        <div>
          <JobLink machine={machine} job={job} />
          <div className="text-muted text-xs">{formatUsdUp(machine.rate_micro_usd)} per hour</div>
        </div>
        <div className="text-right" data-figures>
          <Cost machine={machine} />
        </div>
      </div>
      <div className="text-muted text-xs">
        <End machine={machine} />
      </div>
    </li>
  );
}

function Name({ machine: { gpu, n_gpus, name } }: { machine: RentedInstance }) {
  return (
    <>
      <div className="font-medium">
        {n_gpus > 1 && `${n_gpus} × `}
        {gpu}
      </div>
      <div className="wrap-anywhere font-mono text-2xs text-muted">{name}</div>
    </>
  );
}

function JobLink({ machine, job }: RowProps) {
  if (!machine.job_id)
    return (
      <>
        <Link to="/playground" className="text-accent underline underline-offset-2">
          {machine.drawing_session ?? "Pictures"}
        </Link>
        <div className="whitespace-nowrap text-muted text-xs">drawing session</div>
      </>
    );
  return (
    <>
      <Link
        to="/jobs/$jobId"
        params={{ jobId: machine.job_id }}
        className="text-accent underline underline-offset-2"
      >
        {job?.recipe.name ?? "Open the job"}
      </Link>
      <div className="whitespace-nowrap text-muted text-xs">attempt {machine.attempt}</div>
    </>
  );
}

/** By our own accounting, and by the provider's bill once that is final. */
function Cost({ machine: { accrued_micro_usd, billed_micro_usd } }: { machine: RentedInstance }) {
  return (
    <>
      <div>{formatUsdColumn(accrued_micro_usd)}</div>
      <div className="whitespace-nowrap text-muted text-xs">
        {billed_micro_usd == null ? "not billed yet" : `billed ${formatUsdColumn(billed_micro_usd)}`}
      </div>
    </>
  );
}

function End({ machine: { gone_at, deadline_at } }: { machine: RentedInstance }) {
  if (gone_at) {
    return (
      <time dateTime={gone_at} title={formatDate(gone_at)} className="text-muted">
        Terminated {formatClock(new Date(gone_at))}
      </time>
    );
  }
  return (
    <time dateTime={deadline_at} title={formatDate(deadline_at)}>
      Must end by {formatClock(new Date(deadline_at))}
    </time>
  );
}

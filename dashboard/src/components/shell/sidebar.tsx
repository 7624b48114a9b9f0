// The sidebar of wide screens: places, what runs now, theme.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Keyboard, Plus, Search, Settings } from "lucide-react";
import { jobsQuery } from "~/api/queries";
import type { Job } from "~/api/types";
import { isEnded, phaseWord } from "~/components/phase";
import { Button, ButtonLink } from "~/components/ui/button";
import { Kbd } from "~/components/ui/misc";
import { Progress } from "~/components/ui/progress";
import { Logo } from "./logo";
import { PLACES } from "./navigation";
import { ThemeSwitch } from "./theme-switch";

interface Props {
  onSearch: () => void;
  onHelp: () => void;
}

export function Sidebar({ onSearch, onHelp }: Props) {
  return (
    <aside className="sticky top-0 hidden h-dvh w-56 shrink-0 flex-col gap-4 overflow-y-auto border-r bg-bg p-3 md:flex">
      <Link
        to="/jobs"
        className="flex items-center gap-2 self-start rounded-md px-1 pt-1 font-semibold text-base"
      >
        <Logo className="size-6" />
        <span className="display">Morpheus</span>
      </Link>
      <div className="flex flex-col gap-1.5">
        <Button onClick={onSearch} className="w-full justify-start text-muted">
          <Search aria-hidden />
          Search
          <Kbd className="ml-auto">{modifier()} K</Kbd>
        </Button>
        <ButtonLink to="/jobs/new" variant="primary" className="w-full">
          <Plus aria-hidden />
          New job
        </ButtonLink>
      </div>
      <nav aria-label="Main">
        <ul className="flex flex-col gap-0.5">
          {PLACES.map(({ to, label, icon: Icon }) => (
            <li key={to}>
              <Link
                to={to}
                activeOptions={{ exact: false }}
                className="flex h-8 items-center gap-2.5 rounded-md px-2 font-medium text-muted transition-colors hover:bg-hover hover:text-text data-[status=active]:bg-hover data-[status=active]:text-text [&[data-status=active]_svg]:text-accent"
              >
                <Icon aria-hidden className="size-4" />
                {label}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <RunningNow />
      <div className="mt-auto flex items-center justify-between gap-2">
        <ThemeSwitch />
        <span className="flex">
          <Button
            variant="ghost"
            size="icon-sm"
            aria-label="Keyboard shortcuts"
            title="Keyboard shortcuts"
            onClick={onHelp}
          >
            <Keyboard aria-hidden />
          </Button>
          <ButtonLink to="/settings" variant="ghost" size="icon-sm" aria-label="Settings" title="Settings">
            <Settings aria-hidden />
          </ButtonLink>
        </span>
      </div>
    </aside>
  );
}

/** Jobs that are under way, wherever one is in the app. */
function RunningNow() {
  const { data: jobs } = useQuery(jobsQuery());
  const active = jobs?.filter((job) => !isEnded(job.phase)).slice(0, 4) ?? [];
  if (active.length === 0) return null;
  return (
    <section aria-label="Running now">
      <h2 className="eyebrow mb-1 px-2">Running now</h2>
      <ul className="flex flex-col gap-0.5">
        {active.map((job) => (
          <li key={job.id}>
            <RunningJob job={job} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function RunningJob({ job }: { job: Job }) {
  const share = job.progress ? job.progress.step / job.progress.n_steps : 0;
  return (
    <Link
      to="/jobs/$jobId"
      params={{ jobId: job.id }}
      className="block rounded-md px-2 py-1.5 transition-colors hover:bg-hover"
    >
      <span className="flex justify-between gap-2">
        <span className="truncate font-medium">{job.recipe.name}</span>
        <span className="text-muted text-xs leading-5">
          {job.phase === "running" && job.progress ? `${Math.floor(share * 100)}%` : phaseWord(job.phase)}
        </span>
      </span>
      <Progress
        label={`Progress of ${job.recipe.name}`}
        value={share}
        live={job.phase === "running"}
        className="mt-1 h-1"
      />
    </Link>
  );
}

function modifier(): string {
  return navigator.userAgent.includes("Mac") ? "⌘" : "Ctrl";
}

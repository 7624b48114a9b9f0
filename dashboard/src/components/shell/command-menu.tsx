// Ctrl/Cmd+K: go anywhere, start anything.
import { Autocomplete } from "@base-ui/react/autocomplete";
import { Dialog as Base } from "@base-ui/react/dialog";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import {
  Boxes,
  Images,
  type LucideIcon,
  Monitor,
  Moon,
  Plus,
  Settings,
  SquareActivity,
  Sun,
} from "lucide-react";
import { datasetsQuery, jobsQuery, modelsQuery } from "~/api/queries";
import { phaseWord } from "~/components/phase";
import { BACKDROP, POPUP } from "~/components/ui/dialog";
import { cn } from "~/lib/cn";
import { formatPlural } from "~/lib/format";
import { setTheme } from "~/lib/theme";
import { PLACES } from "./navigation";

interface Command {
  id: string;
  label: string;
  detail: string;
  icon: LucideIcon;
  run: () => void;
}

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function CommandMenu({ open, onOpenChange }: Props) {
  const commands = useCommands(open);
  return (
    <Base.Root open={open} onOpenChange={onOpenChange}>
      <Base.Portal>
        <Base.Backdrop className={BACKDROP} />
        <Base.Popup aria-label="Search and commands" className={cn(POPUP, "max-w-xl overflow-hidden")}>
          <Autocomplete.Root
            open
            inline
            items={commands}
            itemToStringValue={(command: Command) => `${command.label} ${command.detail}`}
            autoHighlight="always"
            keepHighlight
          >
            <Autocomplete.Input
              aria-label="Search"
              placeholder="Search jobs, datasets, models and commands…"
              className="h-12 w-full border-b bg-transparent px-4 text-base -outline-offset-2 placeholder:text-muted focus-visible:outline-none"
            />
            <Autocomplete.Empty>
              <p className="px-4 py-8 text-center text-muted empty:hidden">No results.</p>
            </Autocomplete.Empty>
            <Autocomplete.List className="max-h-[52vh] overflow-y-auto overscroll-contain p-1.5 data-empty:p-0">
              {(command: Command) => (
                <Autocomplete.Item
                  key={command.id}
                  value={command}
                  onClick={() => {
                    onOpenChange(false);
                    command.run();
                  }}
                  className="flex cursor-default select-none items-center gap-2.5 rounded-md px-2.5 py-2 data-highlighted:bg-hover"
                >
                  <command.icon aria-hidden className="size-4 shrink-0 text-muted" />
                  <span className="truncate font-medium">{command.label}</span>
                  <span className="ml-auto shrink-0 text-muted text-xs">{command.detail}</span>
                </Autocomplete.Item>
              )}
            </Autocomplete.List>
          </Autocomplete.Root>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

function useCommands(enabled: boolean): Command[] {
  const navigate = useNavigate();
  const { data: jobs = [] } = useQuery({ ...jobsQuery(), enabled });
  const { data: datasets = [] } = useQuery({ ...datasetsQuery(), enabled });
  const { data: models = [] } = useQuery({ ...modelsQuery(), enabled });
  return [
    {
      id: "new-job",
      label: "New job",
      detail: "Start",
      icon: Plus,
      run: () => void navigate({ to: "/jobs/new" }),
    },
    {
      id: "new-dataset",
      label: "New dataset",
      detail: "Start",
      icon: Plus,
      run: () => void navigate({ to: "/datasets", search: { create: true } }),
    },
    ...PLACES.map(({ to, label, icon }) => ({
      id: to,
      label,
      detail: "Go to",
      icon,
      run: () => void navigate({ to }),
    })),
    {
      id: "settings",
      label: "Settings",
      detail: "Go to",
      icon: Settings,
      run: () => void navigate({ to: "/settings" }),
    },
    ...jobs.map((job) => ({
      id: job.id,
      label: job.recipe.name,
      detail: `Job, ${phaseWord(job.phase).toLowerCase()}`,
      icon: SquareActivity,
      run: () => void navigate({ to: "/jobs/$jobId", params: { jobId: job.id } }),
    })),
    ...datasets.map((dataset) => ({
      id: dataset.id,
      label: dataset.name,
      detail: `Dataset, ${formatPlural(dataset.n_items, "picture")}`,
      icon: Images,
      run: () => void navigate({ to: "/datasets/$datasetId", params: { datasetId: dataset.id } }),
    })),
    ...models.map((model) => ({
      id: model.id,
      label: model.name,
      detail: `Model, ${formatPlural(model.versions.length, "version")}`,
      icon: Boxes,
      run: () => void navigate({ to: "/models/$modelId", params: { modelId: model.id } }),
    })),
    {
      id: "theme-light",
      label: "Light theme",
      detail: "Appearance",
      icon: Sun,
      run: () => setTheme("light"),
    },
    { id: "theme-dark", label: "Dark theme", detail: "Appearance", icon: Moon, run: () => setTheme("dark") },
    {
      id: "theme-system",
      label: "System theme",
      detail: "Appearance",
      icon: Monitor,
      run: () => setTheme("system"),
    },
  ];
}

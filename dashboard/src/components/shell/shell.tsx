// Everything around a page: navigation, command menu, shortcuts, messages.
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useCallback, useEffect, useMemo, useState } from "react";
import type { Job } from "~/api/types";
import { phaseWord } from "~/components/phase";
import { isNews } from "~/lib/just-finished";
import { speak } from "~/lib/live-region";
import { type Shortcut, useShortcuts, useShortcutsEnabled } from "~/lib/shortcuts";
import { tellOfEnd } from "~/live/tell-of-end";
import { useAllJobs } from "~/live/use-all-jobs";
import { CommandMenu } from "./command-menu";
import { ConnectionContext } from "./connection";
import { DiskBanner } from "./disk-banner";
import { PLACES } from "./navigation";
import { BottomBar, TopBar } from "./phone-bars";
import { ShortcutHelp } from "./shortcut-help";
import { Sidebar } from "./sidebar";
import { UnsavedCaptions } from "./unsaved-captions";

export function Shell({ children }: { children: ReactNode }) {
  const [search, setSearch] = useState(false);
  const [help, setHelp] = useState(false);
  const [enabled] = useShortcutsEnabled();
  const shortcuts = useGlobalShortcuts(() => setHelp(true));
  useShortcuts(shortcuts, enabled);
  useCommandKey(() => setSearch((open) => !open));
  const connection = useAllJobs(useOnPhase());

  return (
    <div className="flex min-h-dvh flex-col md:flex-row">
      <a
        href="#content"
        className="sr-only z-50 rounded-md bg-ink px-3 py-2 text-on-ink focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to content
      </a>
      <Sidebar onSearch={() => setSearch(true)} onHelp={() => setHelp(true)} />
      <TopBar onSearch={() => setSearch(true)} />
      <main id="content" tabIndex={-1} className="min-w-0 flex-1 outline-none">
        {connection === "waiting" && (
          <p
            role="status"
            className="sticky top-12 z-10 border-b bg-warning-soft px-4 py-1.5 text-center text-warning md:top-0"
          >
            The server cannot be reached. Trying again…
          </p>
        )}
        <DiskBanner />
        <UnsavedCaptions connection={connection} />
        <ConnectionContext value={connection}>{children}</ConnectionContext>
      </main>
      <BottomBar />
      <CommandMenu open={search} onOpenChange={setSearch} />
      <ShortcutHelp open={help} onOpenChange={setHelp} shortcuts={shortcuts} />
    </div>
  );
}

function useOnPhase() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  return useCallback(
    (id: string, job: Job | undefined, phase: Job["phase"]) => {
      speak(`${job?.recipe.name ?? "A job"}: ${phaseWord(phase)}`);
      if (!isNews(phase)) return;
      const open = () => void navigate({ to: "/jobs/$jobId", params: { jobId: id } });
      void tellOfEnd(queries, id, open);
    },
    [queries, navigate],
  );
}

function useCommandKey(toggle: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        toggle();
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [toggle]);
}

function useGlobalShortcuts(openHelp: () => void): Shortcut[] {
  const navigate = useNavigate();
  // biome-ignore lint/correctness/useExhaustiveDependencies: openHelp is a setter
  return useMemo(
    () => [
      ...PLACES.map(({ to, label, keys }) => ({
        keys,
        description: `Go to ${label.toLowerCase()}`,
        run: () => void navigate({ to }),
      })),
      { keys: "n", description: "New job", run: () => void navigate({ to: "/jobs/new" }) },
      {
        keys: "/",
        description: "Search the list",
        run: () => document.querySelector<HTMLInputElement>("input[type=search]")?.focus(),
      },
      { keys: "?", description: "Keyboard shortcuts", run: openHelp },
    ],
    [navigate],
  );
}

// The audit log: who did what, when and from where.
import { useSuspenseInfiniteQuery } from "@tanstack/react-query";
import { createFileRoute, Link } from "@tanstack/react-router";
import { auditQuery } from "~/api/audit";
import type { AuditCategory } from "~/api/types";
import { AuditLog } from "~/components/audit/audit-log";
import { Button } from "~/components/ui/button";
import { Page } from "~/components/ui/page";
import { Panel } from "~/components/ui/panel";
import { Select } from "~/components/ui/select";
import { announceError } from "~/components/ui/toast";

const CATEGORIES: { value: AuditCategory; label: string }[] = [
  { value: "access", label: "Sign-ins and tokens" },
  { value: "data", label: "Datasets and pictures" },
  { value: "work", label: "Jobs and generations" },
  { value: "models", label: "Models and base models" },
  { value: "money", label: "Money" },
  { value: "installation", label: "Server and backups" },
];

interface View {
  about?: AuditCategory;
}

export const Route = createFileRoute("/_app/audit")({
  validateSearch: (search: Record<string, unknown>): View => {
    const about = CATEGORIES.find(({ value }) => value === search.about)?.value;
    return about ? { about } : {};
  },
  loaderDeps: ({ search }) => ({ about: search.about ?? null }),
  loader: ({ context, deps }) => context.queries.ensureInfiniteQueryData(auditQuery(deps.about)),
  component: Audit,
});

function Audit() {
  const { about } = Route.useSearch();
  const navigate = Route.useNavigate();
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = useSuspenseInfiniteQuery(
    auditQuery(about ?? null),
  );
  const entries = data.pages.flatMap((page) => page.items);
  return (
    <Page
      title="Audit log"
      above={
        <Link to="/settings" className="hover:text-text hover:underline">
          Settings
        </Link>
      }
      description="Who did what, when and from where. Entries are kept for a year, unless the server's settings say otherwise."
      actions={
        <Select<AuditCategory | "all">
          label="Category"
          className="w-56"
          value={about ?? "all"}
          onValueChange={(value) =>
            void navigate({ search: value === "all" ? {} : { about: value }, resetScroll: false })
          }
          options={[{ value: "all", label: "Everything" }, ...CATEGORIES]}
        />
      }
    >
      <Panel title="Entries" bodyClassName="">
        {entries.length === 0 ? (
          <p className="p-3 text-muted">There are no entries yet.</p>
        ) : (
          <AuditLog entries={entries} />
        )}
      </Panel>
      {hasNextPage && (
        <Button
          className="mt-3"
          disabled={isFetchingNextPage}
          onClick={() =>
            void fetchNextPage().then(({ error }) => {
              if (error) announceError("Older entries cannot be read", error);
            })
          }
        >
          {isFetchingNextPage ? "Loading…" : "Show older entries"}
        </Button>
      )}
    </Page>
  );
}

// Next to a form's base models: a link to add more, with the number that cannot be used yet.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { registeredBasesQuery } from "~/api/bases";
import type { BaseModel, RegisteredBase } from "~/api/types";
import { formatPlural } from "~/lib/format";
import { useFormsFollow } from "./use-forms-follow";

/** The settings panel that the link opens. */
export const BASE_MODELS = "base-models";

export function MoreBasesLink({ offered }: { offered: BaseModel[] }) {
  const { data: registered = [] } = useQuery(registeredBasesQuery());
  useFormsFollow(registered);
  const words = describeMore(offered, registered);
  if (words === null) return null;
  return (
    <Link
      to="/settings"
      hash={BASE_MODELS}
      title={words}
      className="inline-block max-w-48 truncate align-bottom text-accent text-xs underline underline-offset-2 hover:text-accent-strong"
    >
      {words}
    </Link>
  );
}

/** The link's text about base models that the form does not offer; `null` if none is needed. */
export function describeMore(offered: BaseModel[], registered: RegisteredBase[]): string | null {
  const others = registered.filter(({ name }) => offered.every((base) => base.name !== name));
  const named = (bases: RegisteredBase[]) =>
    bases.length === 1 ? bases[0]?.name : formatPlural(bases.length, "base model");
  const checking = others.filter(({ state }) => state === "checking");
  if (checking.length > 0) return `Checking ${named(checking)}…`;
  if (!offered.every((base) => base.built_in)) return null;
  const failed = others.filter(({ state }) => state === "failed");
  return failed.length > 0 ? `${named(failed)} can't be used` : "Add a base model";
}

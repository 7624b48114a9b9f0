// Leads to where base models are added, from forms that have none but the one that is built in.
import { Link } from "@tanstack/react-router";
import type { BaseModel } from "~/api/types";

/** The panel of the settings that it leads to. */
export const BASE_MODELS = "base-models";

export function AddBaseLink({ bases }: { bases: BaseModel[] }) {
  if (!bases.every((base) => base.built_in)) return null;
  return (
    <Link
      to="/settings"
      hash={BASE_MODELS}
      className="text-accent text-xs underline underline-offset-2 hover:text-accent-strong"
    >
      Add a base model
    </Link>
  );
}

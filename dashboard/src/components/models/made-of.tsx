// What a version was made of, and how.
import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { modelVersionQuery } from "~/api/queries";
import type { Made } from "~/api/types";
import { Property } from "~/components/ui/misc";
import { formatSentence } from "~/lib/format";

export function MadeOf({ made }: { made: Made }) {
  const versions = useQueries({
    queries: made.from.map(({ model_version_id }) => modelVersionQuery(model_version_id)),
  });
  return (
    <>
      <Property name="How">{formatSentence(made.done)}</Property>
      {made.from.length > 0 && (
        <Property name="Made of">
          <ul>
            {made.from.map(({ model_version_id, name, version, weight }, at) => {
              const model = versions[at]?.data?.model_id;
              const title = `${name} v${version}`;
              return (
                <li key={model_version_id}>
                  {model ? (
                    <Link
                      to="/models/$modelId"
                      params={{ modelId: model }}
                      search={{ version }}
                      className="text-accent underline underline-offset-2"
                    >
                      {title}
                    </Link>
                  ) : (
                    title
                  )}
                  {weight !== 1 && ` at weight ${weight}`}
                </li>
              );
            })}
          </ul>
        </Property>
      )}
      {made.kept != null && (
        <Property name="Kept">{(100 * made.kept).toFixed(1)}% of the change, by its norm</Property>
      )}
      {(made.notes ?? []).map((note) => (
        <Property key={note} name="Note">
          {formatSentence(note)}
        </Property>
      ))}
    </>
  );
}

// The pictures that a reason names by their ids, as a person knows them.
import { useQuery } from "@tanstack/react-query";
import { itemsQuery } from "~/api/queries";
import type { Job } from "~/api/types";

const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

export interface NamedPicture {
  id: string;
  name: string;
  url: string;
}

/** The pictures of a dataset whose ids a text holds. */
export function picturesIn(
  text: string,
  items: { id: string; file_name: string; url: string }[],
): NamedPicture[] {
  const ids = new Set(text.match(ID) ?? []);
  return items
    .filter(({ id }) => ids.has(id))
    .map(({ id, file_name, url }) => ({ id, name: file_name, url }));
}

/** A text with the names of pictures in place of their ids. */
export function withNames(text: string, pictures: NamedPicture[]): string {
  return pictures.reduce((said, { id, name }) => said.replaceAll(id, `\`${name}\``), text);
}

/** The pictures that a job's reason names. */
export function useNamedPictures({ dataset_id, reason }: Job): NamedPicture[] {
  const names = (reason?.match(ID) ?? []).length > 0;
  const { data: items = [] } = useQuery({ ...itemsQuery(dataset_id), enabled: names });
  return names ? picturesIn(reason ?? "", items) : [];
}

export function NamedPictures({ pictures }: { pictures: NamedPicture[] }) {
  if (pictures.length === 0) return null;
  return (
    <ul aria-label="Pictures it is about" className="flex flex-wrap gap-2 px-3 pt-2">
      {pictures.map(({ id, name, url }) => (
        <li key={id} className="w-20">
          <img
            src={url}
            alt={name}
            loading="lazy"
            className="aspect-square w-full rounded-sm border object-cover"
          />
          <p className="truncate text-muted text-xs" title={name}>
            {name}
          </p>
        </li>
      ))}
    </ul>
  );
}

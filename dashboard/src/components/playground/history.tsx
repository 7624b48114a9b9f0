// Earlier pictures, the newest first.
import { useQuery } from "@tanstack/react-query";
import { generationsQuery } from "~/api/queries";
import { cn } from "~/lib/cn";
import { formatAgo } from "~/lib/format";

interface Props {
  shown: string[];
  onShow: (id: string) => void;
}

export function History({ shown, onShow }: Props) {
  const { data: generations = [] } = useQuery(generationsQuery());
  const pictures = generations.filter((one) => one.image_url);
  if (pictures.length === 0) return null;
  return (
    <section aria-label="History" className="mt-5">
      <h2 className="mb-2 font-medium">History</h2>
      <ul className="flex gap-1.5 overflow-x-auto pb-2">
        {pictures.map(({ id, image_url, request, created_at }) => (
          <li key={id} className="shrink-0">
            <button
              type="button"
              onClick={() => onShow(id)}
              aria-pressed={shown.includes(id)}
              title={`${request.prompt} (${formatAgo(created_at)})`}
              className={cn(
                "block overflow-hidden rounded-sm border-2 bg-sunken transition-colors hover:border-line-strong",
                shown.includes(id) ? "border-accent" : "border-transparent",
              )}
            >
              <img
                src={image_url ?? ""}
                alt={request.prompt}
                loading="lazy"
                className="size-20 object-cover"
              />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

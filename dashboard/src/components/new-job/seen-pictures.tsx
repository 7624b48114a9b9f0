// The pictures as the training sees them: cut to their size, with their whole caption, and how often.
import type { SeenPicture } from "~/api/types";
import { formatCount, formatPlural } from "~/lib/format";
import { thumbnailUrl } from "~/lib/thumbnails";

interface Props {
  dataset: string;
  /** The first of them. */
  seen: SeenPicture[];
  n_items: number;
}

export function SeenPictures({ dataset, seen, n_items }: Props) {
  if (seen.length === 0) return null;
  const n_more = n_items - seen.length;
  return (
    <details className="mt-2 text-xs">
      <summary className="cursor-pointer rounded-sm py-1 font-medium">How the training sees them</summary>
      <ul aria-label="How the training sees the pictures" className="mt-1 divide-y rounded-md border">
        {seen.map((picture) => (
          <li key={picture.id} className="flex items-start gap-2 p-2">
            {/* Cut around the center, as the training does. */}
            <img
              src={thumbnailUrl(dataset, picture)}
              alt=""
              loading="lazy"
              style={{ aspectRatio: `${picture.width} / ${picture.height}` }}
              className="max-h-20 w-14 shrink-0 rounded-sm bg-sunken object-cover"
            />
            <div className="min-w-0">
              <p className="wrap-anywhere">
                {picture.caption || <span className="text-muted">No caption</span>}
              </p>
              <p className="text-muted">{facts(picture)}</p>
            </div>
          </li>
        ))}
        {n_more > 0 && <li className="p-2 text-muted">and {formatPlural(n_more, "more picture")}</li>}
      </ul>
    </details>
  );
}

/** `832×1216, 12 % cut off, about 100 times, tags in another order each time` */
export function facts({ width, height, cut, n_views, is_caption_changing }: SeenPicture): string {
  return [
    `${width}×${height}`,
    cut >= 0.005 && `${Math.round(cut * 100)} % cut off`,
    times(n_views),
    is_caption_changing && "tags change each time",
  ]
    .filter(Boolean)
    .join(", ");
}

/** `about 100 times`; `about 50 to 150 times` where repeats differ. */
export function timesSeen(seen: SeenPicture[]): string {
  const all = seen.map(({ n_views }) => n_views);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return least === most ? times(most) : `about ${formatCount(least)} to ${formatCount(most)} times`;
}

function times(n: number): string {
  return n === 1 ? "about once" : `about ${formatCount(n)} times`;
}

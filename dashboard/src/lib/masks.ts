// Where the loss mask of a picture is.
import type { Item } from "~/api/types";

/** The hash is there for the browser alone, which must not show an older mask. */
export function maskUrl(dataset: string, item: Pick<Item, "id" | "sha256">): string {
  return `/api/v1/datasets/${dataset}/items/${item.id}/mask?of=${item.sha256}`;
}

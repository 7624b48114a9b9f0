// Where the thumbnail of a picture is.
import type { Item } from "~/api/types";

/** The hash is there for the browser alone, which keeps what an address has shown. */
export function thumbnailUrl(dataset: string, item: Pick<Item, "id" | "sha256">): string {
  return `/api/v1/datasets/${dataset}/items/${item.id}/thumbnail?of=${item.sha256}`;
}

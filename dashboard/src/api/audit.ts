// The audit log: who did what, when and from where.
import { infiniteQueryOptions } from "@tanstack/react-query";
import { body, client } from "./client";
import type { AuditCategory } from "./types";

const LIMIT = 100;

/** The newest entries first, page by page. */
export const auditQuery = (category: AuditCategory | null) =>
  infiniteQueryOptions({
    queryKey: ["audit", category],
    queryFn: ({ pageParam }) =>
      body(
        client.GET("/api/v1/audit", {
          params: {
            query: { limit: LIMIT, ...(category && { category }), ...(pageParam && { after: pageParam }) },
          },
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
    // Refetched on every visit, because the last minute matters.
    staleTime: 0,
  });

// The newest notices: whether they arrived, and what was wrong.
import { useQuery } from "@tanstack/react-query";
import { deliveriesQuery, useSendAgain } from "~/api/notices";
import type { Delivery } from "~/api/types";
import { Button } from "~/components/ui/button";
import { announceError } from "~/components/ui/toast";
import { formatAgo, formatPlural, formatSentence } from "~/lib/format";
import { KINDS } from "./kinds";

const STATES: Record<Delivery["state"], { word: string; tone: string }> = {
  waiting: { word: "Waiting", tone: "text-warning" },
  delivered: { word: "Delivered", tone: "text-good" },
  failed: { word: "Failed", tone: "text-bad" },
};

export function Deliveries() {
  const { data: deliveries = [] } = useQuery(deliveriesQuery());
  if (deliveries.length === 0) return null;
  return (
    <section aria-label="Deliveries" className="mt-4 border-t pt-2">
      <h3 className="eyebrow">Deliveries</h3>
      <ul className="divide-y">
        {deliveries.map((delivery) => (
          <Row key={delivery.id} delivery={delivery} />
        ))}
      </ul>
    </section>
  );
}

function Row({ delivery }: { delivery: Delivery }) {
  const again = useSendAgain();
  const { word, tone } = STATES[delivery.state];
  const tries = delivery.n_attempts > 1 ? `, after ${formatPlural(delivery.n_attempts, "try", "tries")}` : "";
  return (
    <li className="flex items-center gap-3 py-1.5">
      <div className="min-w-0 flex-1">
        <p>
          <span className={tone}>{word}</span>: {KINDS[delivery.kind]}, to {delivery.receiver}
        </p>
        <p className="line-clamp-2 text-muted text-xs">
          {formatAgo(delivery.created_at)}
          {tries}. {delivery.message}
        </p>
        {delivery.error && delivery.state !== "delivered" && (
          <p className="wrap-anywhere line-clamp-2 text-bad text-xs">{formatSentence(delivery.error)}</p>
        )}
      </div>
      <Button
        size="sm"
        aria-label={`Send again: ${KINDS[delivery.kind]}, to ${delivery.receiver}`}
        disabled={again.isPending}
        onClick={() =>
          again.mutate(delivery.id, { onError: (error) => announceError("It was not sent again", error) })
        }
      >
        Send again
      </Button>
    </li>
  );
}

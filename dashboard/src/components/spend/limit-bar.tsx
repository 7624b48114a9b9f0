// How much of a limit is spent and set aside, with the mark from which the server warns.
import { Meter } from "@base-ui/react/meter";
import { cn } from "~/lib/cn";
import { formatUsd, WARN_SHARE } from "~/lib/money";

interface Props {
  label: string;
  spent: number;
  reserved: number;
  limit: number;
  live?: boolean;
}

export function LimitBar({ label, spent, reserved, limit, live = false }: Props) {
  const share = part(spent, limit);
  const held = Math.min(part(reserved, limit), 1 - share);
  const tone = share >= 1 ? "bg-bad" : share >= WARN_SHARE ? "bg-warning" : "bg-accent";
  return (
    <div className="relative pb-4">
      <Meter.Root
        aria-label={label}
        value={share * 100}
        getAriaValueText={() =>
          `${formatUsd(spent)} of ${formatUsd(limit)} spent${reserved > 0 ? `, ${formatUsd(reserved)} set aside` : ""}`
        }
      >
        <Meter.Track className="flex h-2.5 w-full overflow-hidden rounded-sm bg-line">
          <Meter.Indicator
            className={cn("transition-[width] duration-300 ease-out", tone, live && "hatch-live")}
          />
          <div className="hatch h-full bg-accent-soft" style={{ width: `${held * 100}%` }} />
        </Meter.Track>
      </Meter.Root>
      <div
        aria-hidden
        className="absolute top-0 h-3.5 border-line-strong border-l"
        style={{ left: `${WARN_SHARE * 100}%` }}
      >
        <span className="absolute top-3 -translate-x-1/2 text-2xs text-muted">{WARN_SHARE * 100}%</span>
      </div>
    </div>
  );
}

function part(amount: number, limit: number): number {
  return limit > 0 ? Math.min(amount / limit, 1) : 1;
}

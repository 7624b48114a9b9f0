// What has no counterpart in another trainer, with its value and the reason.
import type { LeftOut } from "~/api/types";

export function LeftOutList({ items }: { items: LeftOut[] }) {
  if (items.length === 0) return <p className="text-muted">Everything has a counterpart.</p>;
  return (
    <ul aria-label="Left out" className="divide-y rounded-md border text-xs">
      {items.map(({ key, value, reason }) => (
        <li key={`${key} ${value}`} className="wrap-anywhere px-2.5 py-1.5">
          <code className="font-mono">
            {key} = {value}
          </code>
          <span className="block text-muted">{reason}</span>
        </li>
      ))}
    </ul>
  );
}

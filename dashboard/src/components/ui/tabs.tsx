// Tabs whose choice lives in the address.
import { Tabs as Base } from "@base-ui/react/tabs";
import type { ReactNode } from "react";

interface Props<T extends string> {
  value: T;
  onValueChange: (value: T) => void;
  tabs: { value: T; label: string; count?: number }[];
  children: ReactNode;
}

export function Tabs<T extends string>({ value, onValueChange, tabs, children }: Props<T>) {
  return (
    <Base.Root value={value} onValueChange={(next: T) => onValueChange(next)}>
      <Base.List className="relative mb-4 flex gap-1 overflow-x-auto border-b">
        {tabs.map((tab) => (
          <Base.Tab
            key={tab.value}
            value={tab.value}
            className="-mb-px flex h-9 shrink-0 items-center gap-1.5 border-transparent border-b-2 px-2.5 font-medium text-muted transition-colors -outline-offset-2 hover:text-text data-active:border-accent data-active:text-text"
          >
            {tab.label}
            {tab.count !== undefined && <span className="text-muted text-xs">{tab.count}</span>}
          </Base.Tab>
        ))}
      </Base.List>
      {children}
    </Base.Root>
  );
}

export function TabPanel({ value, children }: { value: string; children: ReactNode }) {
  return (
    <Base.Panel value={value} className="outline-offset-4">
      {children}
    </Base.Panel>
  );
}

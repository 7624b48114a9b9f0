// The bars of narrow screens: name and search above, places below.
import { Link } from "@tanstack/react-router";
import { Plus, Search, Settings } from "lucide-react";
import { Button, ButtonLink } from "~/components/ui/button";
import { Logo } from "./logo";
import { PLACES } from "./navigation";

export function TopBar({ onSearch }: { onSearch: () => void }) {
  return (
    <header className="sticky top-0 z-20 flex h-12 items-center gap-2 border-b bg-bg px-3 md:hidden">
      <Link to="/jobs" className="mr-auto flex items-center gap-2 rounded-md font-semibold text-base">
        <Logo className="size-5" />
        <span className="display">Morpheus</span>
      </Link>
      <Button variant="ghost" size="icon" aria-label="Search" onClick={onSearch}>
        <Search aria-hidden />
      </Button>
      <ButtonLink to="/settings" variant="ghost" size="icon" aria-label="Settings">
        <Settings aria-hidden />
      </ButtonLink>
      <ButtonLink to="/jobs/new" variant="primary" size="icon" aria-label="New job">
        <Plus aria-hidden />
      </ButtonLink>
    </header>
  );
}

export function BottomBar() {
  return (
    <nav
      aria-label="Main"
      className="fixed inset-x-0 bottom-0 z-20 border-t bg-bg pb-[env(safe-area-inset-bottom)] md:hidden"
    >
      <ul className="grid grid-cols-5">
        {PLACES.map(({ to, label, icon: Icon }) => (
          <li key={to}>
            <Link
              to={to}
              activeOptions={{ exact: false }}
              className="flex h-14 flex-col items-center justify-center gap-0.5 font-medium text-2xs text-muted -outline-offset-2 data-[status=active]:text-text [&[data-status=active]_svg]:text-accent"
            >
              <Icon aria-hidden className="size-5" />
              {label}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

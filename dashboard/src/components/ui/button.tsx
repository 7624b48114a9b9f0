// Buttons and links that look like buttons.
import { createLink } from "@tanstack/react-router";
import type { ComponentProps } from "react";
import { cn } from "~/lib/cn";

const VARIANTS = {
  primary: "bg-ink text-on-ink hover:bg-ink-hover border-transparent",
  outline: "bg-surface text-text border-line hover:bg-hover hover:border-line-strong",
  ghost: "bg-transparent text-muted border-transparent hover:bg-hover hover:text-text",
  danger: "bg-surface text-bad border-line hover:bg-bad-soft hover:border-bad",
  /** The last step before something is gone. */
  destructive: "bg-bad text-on-bad border-transparent hover:opacity-90",
} as const;

const SIZES = {
  sm: "h-7 px-2 text-xs gap-1.5 [&_svg]:size-3.5",
  md: "h-8 px-3 text-sm gap-2 [&_svg]:size-4",
  icon: "size-8 justify-center [&_svg]:size-4",
  "icon-sm": "size-7 justify-center [&_svg]:size-3.5",
} as const;

interface Look {
  variant?: keyof typeof VARIANTS;
  size?: keyof typeof SIZES;
}

/** Class names of a button, for elements that cannot be one. */
export function buttonClass({ variant = "outline", size = "md" }: Look, className?: string): string {
  return cn(
    "inline-flex shrink-0 select-none items-center justify-center whitespace-nowrap rounded-md border font-medium transition-colors",
    "disabled:opacity-45 disabled:pointer-events-none aria-disabled:opacity-45",
    VARIANTS[variant],
    SIZES[size],
    className,
  );
}

export function Button({ variant, size, className, ...props }: ComponentProps<"button"> & Look) {
  const look = { ...(variant && { variant }), ...(size && { size }) };
  return <button type="button" {...props} className={buttonClass(look, className)} />;
}

function Anchor({ variant, size, className, children, ...props }: ComponentProps<"a"> & Look) {
  const look = { ...(variant && { variant }), ...(size && { size }) };
  return (
    <a {...props} className={buttonClass(look, className)}>
      {children}
    </a>
  );
}

/** A link to a page that looks like a button. */
export const ButtonLink = createLink(Anchor);

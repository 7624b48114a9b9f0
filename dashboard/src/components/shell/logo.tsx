// Three panels of a comic page; the one being drawn is in non-photo blue.
export function Logo({ className }: { className?: string }) {
  return (
    <svg aria-hidden="true" viewBox="0 0 32 32" className={className}>
      <path fill="var(--ink)" d="M3 3h15.5l-3.2 26H3z" />
      <path fill="var(--accent)" d="M21.4 3H29v11.5h-9z" />
      <path fill="var(--ink)" d="M19.7 17.4H29V29H18.3z" />
    </svg>
  );
}

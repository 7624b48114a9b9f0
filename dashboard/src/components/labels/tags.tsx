// The tags of one thing, to be read.
export function Tags({ tags }: { tags: readonly string[] }) {
  if (tags.length === 0) return null;
  return (
    <ul aria-label="Tags" className="mt-1 flex flex-wrap gap-1">
      {tags.map((tag) => (
        <li key={tag} className="rounded-full border bg-sunken px-1.5 text-2xs text-muted">
          {tag}
        </li>
      ))}
    </ul>
  );
}

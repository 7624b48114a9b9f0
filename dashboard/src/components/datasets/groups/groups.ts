// Groups of pictures: how often an epoch shows each, and what balances them.
import type { Item } from "~/api/types";

export interface Group {
  /** Empty for the pictures of no group. */
  name: string;
  /** Pictures that may be trained on. */
  n_items: number;
  /** How often each is shown; null if they differ. */
  repeats: number | null;
  /** How often all of them are shown together, without regularization pictures. */
  n_views: number;
  /** Whether they are regularization pictures; null if only some are. */
  regularization: boolean | null;
}

/** The groups of a dataset by name, the pictures of no group last. Held-out pictures do not count. */
export function groupsOf(items: Item[]): Group[] {
  const names = [...new Set(items.map((item) => item.group))].toSorted((a, b) =>
    a === "" || b === "" ? b.length - a.length : a.localeCompare(b),
  );
  return names.map((name) => {
    const own = items.filter((item) => item.group === name && item.split === "train");
    return {
      name,
      n_items: own.length,
      repeats: common(own.map((item) => item.repeats)),
      n_views: own.reduce((sum, item) => sum + (item.regularization ? 0 : item.repeats), 0),
      regularization: common(own.map((item) => item.regularization)),
    };
  });
}

function common<T>(values: T[]): T | null {
  const [first] = values;
  return first !== undefined && values.every((value) => value === first) ? first : null;
}

/** Repeats with which each group is shown about as often as the largest one, which is shown once. Regularization pictures
 * follow by themselves. */
export function balanced(groups: Group[]): { group: string; repeats: number }[] {
  const subjects = groups.filter((group) => group.n_items > 0 && group.regularization !== true);
  const most = Math.max(...subjects.map((group) => group.n_items));
  return subjects.map(({ name, n_items }) => ({
    group: name,
    repeats: Math.min(1000, Math.max(1, Math.round(most / n_items))),
  }));
}

/** Whether every group is shown as often as `balanced` says. */
export function isBalanced(groups: Group[]): boolean {
  return balanced(groups).every(({ group, repeats }) =>
    groups.some((one) => one.name === group && one.repeats === repeats),
  );
}

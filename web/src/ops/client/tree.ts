// The tree of owners: the server's list, parents first, as branches that can be opened one by one.

import type { OpsOwner, OpsTree } from "../../ops.generated";

export interface Branch {
  owner: OpsOwner;
  children: Branch[];
  /** Tasks, its own and those of everything below it. */
  running: number;
  waiting: number;
  /** Whether a task here or below it is being cancelled and has not ended. */
  cancelling: boolean;
}

/** Branches out of the list. An owner whose parent is not listed is a root: a page may begin in the middle. */
export function branches(owners: readonly OpsOwner[]): Branch[] {
  const roots: Branch[] = [];
  const open: Branch[] = []; // the way from a root to the last owner
  for (const owner of owners) {
    const { running, waiting, tasks } = owner;
    const cancelling = tasks.some((task) => task.state === "cancelling");
    const branch: Branch = { owner, children: [], running, waiting, cancelling };
    while (open.length > 0 && (open.at(-1)?.owner.depth ?? 0) >= owner.depth) open.pop();
    const parent = open.at(-1);
    if (parent) parent.children.push(branch);
    else roots.push(branch);
    for (const above of open) {
      above.running += running;
      above.waiting += waiting;
      above.cancelling ||= cancelling;
    }
    open.push(branch);
  }
  return roots;
}

/** The list with another page of it. What changed in between may stand on both pages: the later one counts. */
export function joinPages(first: OpsTree, second: OpsTree): OpsTree {
  const again = new Set(second.owners.map((owner) => owner.path));
  const owners = [...first.owners.filter((owner) => !again.has(owner.path)), ...second.owners];
  return { t: second.t, owners, left_off: second.left_off, next: second.next };
}

/** The paths that are open before anybody has clicked: the roots. */
export function opened(roots: readonly Branch[]): Set<string> {
  return new Set(roots.map((root) => root.owner.path));
}

/** Every path that has something to show below it. */
export function allPaths(roots: readonly Branch[]): string[] {
  const paths: string[] = [];
  const rest = [...roots];
  for (let branch = rest.pop(); branch; branch = rest.pop()) {
    if (branch.children.length > 0 || branch.owner.tasks.length > 0) paths.push(branch.owner.path);
    rest.push(...branch.children);
  }
  return paths;
}

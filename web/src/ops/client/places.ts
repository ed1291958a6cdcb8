// Places in the tree and in source code, as short as they can be told apart.

/** The last part of an owner's path. */
export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Who cancelled a task, without the word that the column says already. */
export function canceller(reason: string): string {
  return reason.replace(/^cancelled (at|by) /, "");
}

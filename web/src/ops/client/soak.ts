// What can be asked of a soak, before the server is asked.

/** The manners of visitors; those of `greenroom soak --mode`. */
export const MODES = ["mixed", "polite", "abrupt", "burst", "switch", "half-open", "room"] as const;
export type Mode = (typeof MODES)[number];

export function isMode(text: string): text is Mode {
  return (MODES as readonly string[]).includes(text);
}

/** The number in a field, if it is one that the server takes. */
export function visitsIn(text: string, most: number): number | null {
  const trimmed = text.trim();
  if (!/^\d+$/.test(trimmed)) return null;
  const number = Number(trimmed);
  return number >= 1 && number <= most ? number : null;
}

// How text is shown: links, stage directions, mood tags.

export type TextPart = { kind: "text" | "action" | "link"; text: string };

const SPECIAL = /(https?:\/\/[^\s<>"'）】」]+)|\*([^*\n]{1,200})\*/g;

/** Split a text into plain runs, `*stage directions*` and links. Never yields markup of its own. */
export function textParts(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let end = 0;
  const plain = (until: number): void => {
    if (until > end) parts.push({ kind: "text", text: text.slice(end, until) });
  };
  for (const match of text.matchAll(SPECIAL)) {
    const link = match[1]?.replace(/[.,;:!?)\]]+$/, "");
    plain(match.index);
    if (link) parts.push({ kind: "link", text: link });
    else parts.push({ kind: "action", text: match[2] ?? "" });
    end = match.index + (link ? link.length : match[0].length);
  }
  plain(text.length);
  return parts;
}

/** Split a text into what a search has found and the rest; its words as the server takes them. */
export function markedParts(text: string, query: string): { text: string; hit: boolean }[] {
  const words = [...new Set(query.split(/\s+/).filter(Boolean))].sort((one, two) => two.length - one.length);
  if (words.length === 0) return [{ text, hit: false }];
  const any = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  return text
    .split(new RegExp(`(${any})`, "giu"))
    .map((part, index) => ({ text: part, hit: index % 2 === 1 }))
    .filter((part) => part.text !== "");
}

/** The text without the `[mood]` tags that steer the character's face. `moods` are their names. */
export function withoutMoods(text: string, moods: readonly string[]): string {
  if (moods.length === 0 || !text.includes("[")) return text;
  const known = new Set(moods.map((mood) => mood.toLowerCase()));
  return text.replace(/\[([^[\]]{1,40})\]\s?/g, (tag, name: string) => (known.has(name.toLowerCase()) ? "" : tag));
}

/** The names of the moods a model knows, out of its `model_info`. */
export function moodsOf(modelInfo: Record<string, unknown> | null): string[] {
  const map = modelInfo?.["emotionMap"];
  return typeof map === "object" && map !== null ? Object.keys(map) : [];
}

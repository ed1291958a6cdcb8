// How text is shown: links, stage directions, emphasis, program text, mood tags.

export type TextPart = { kind: "text" | "action" | "strong" | "code" | "link"; text: string };

const SPECIAL =
  /(?<link>https?:\/\/[^\s<>"'）】」`]+)|(?<ticks>`{1,3})(?<code>[^`\n]{1,400})\k<ticks>|\*\*(?<strong>(?!\s)(?:(?!:\/\/)[^*\n]){1,400}(?<!\s))\*\*|\*(?<action>(?!\s)(?:(?!:\/\/)[^*\n]){1,200}(?<!\s))\*/g;

/** Split a text into plain runs, `*stage directions*`, `**emphasis**`, `program text` and links; no other markup. */
export function textParts(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let end = 0;
  const plain = (until: number): void => {
    if (until > end) parts.push({ kind: "text", text: text.slice(end, until) });
  };
  for (const match of text.matchAll(SPECIAL)) {
    const { code, strong, action = "" } = match.groups ?? {};
    const link = match.groups?.["link"]?.replace(/[.,;:!?*)\]]+$/, "");
    plain(match.index);
    if (link) parts.push({ kind: "link", text: link });
    else if (code !== undefined) parts.push({ kind: "code", text: code });
    else if (strong !== undefined) parts.push({ kind: "strong", text: strong });
    else parts.push({ kind: "action", text: action });
    end = match.index + (link ? link.length : match[0].length);
  }
  plain(text.length);
  return parts;
}

/** Where one is in a reply that may hold fenced program text. */
export interface Fences {
  code: boolean;
  /** Nothing but white space so far in this line. */
  lineStart: boolean;
  /** The line was a fence, which is not shown, and neither is its end. */
  fence: boolean;
}

export const NO_FENCE: Fences = { code: false, lineStart: true, fence: false };
export const IN_LINE: Fences = { code: false, lineStart: false, fence: false };
const FENCE = /^\s*(?:```|~~~)[^`]*$/;

export function hasFence(text: string): boolean {
  return text.includes("```") || text.includes("~~~");
}

/** Split the next piece of a reply into program text and the rest, without the fences around it. */
export function fenced(text: string, before: Fences): { parts: { code: boolean; text: string }[]; after: Fences } {
  if (!before.code && !before.fence && !hasFence(text)) {
    const line = text.slice(text.lastIndexOf("\n") + 1);
    const lineStart = line.trim() === "" && (before.lineStart || line.length < text.length);
    return { parts: text ? [{ code: false, text }] : [], after: { code: false, lineStart, fence: false } };
  }
  const parts: { code: boolean; text: string }[] = [];
  let { code, lineStart, fence } = before;
  const add = (piece: string): void => {
    const last = parts.at(-1);
    if (last?.code === code) last.text += piece;
    else if (piece) parts.push({ code, text: piece });
  };
  text.split("\n").forEach((line, index) => {
    if (index > 0 && !fence) add("\n");
    if (index > 0) [lineStart, fence] = [true, false];
    if (lineStart && FENCE.test(line)) {
      [code, fence] = [!code, true];
      return;
    }
    if (fence) return; // what else stands in the fence's line
    add(line);
    lineStart = lineStart && line.trim() === "";
  });
  return { parts, after: { code, lineStart, fence } };
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

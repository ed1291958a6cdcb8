// How text is put together and shown: spaces between sentences, links, stage directions, mood tags.

const NO_SPACE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\uff00-\uffef…—]/u;

/** True if a space belongs between two pieces that the server trimmed. */
export function needsSpace(before: string, after: string): boolean {
  const left = before.at(-1);
  const right = after[0];
  if (left === undefined || right === undefined) return false;
  if (/\s/.test(left) || /\s/.test(right)) return false;
  return !NO_SPACE.test(left) && !NO_SPACE.test(right);
}

/** The pieces as one readable text. */
export function joinSentences(pieces: readonly string[]): string {
  let text = "";
  for (const piece of pieces) text += needsSpace(text, piece) ? ` ${piece}` : piece;
  return text;
}

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

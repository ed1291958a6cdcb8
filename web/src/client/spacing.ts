// White space between sentences. They are sent trimmed and stored joined without a space, as the protocol wants it.
// This server tells beside it what stood between them. Of another server, and of what was stored long ago, nothing is
// known: then the page puts spaces where the script wants them.

import type { HistoryMessage } from "../protocol.generated";

const NO_SPACE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\uff00-\uffef—]/u;
/** A mark that belongs to the script before it: none of it in `说……OK`, a space in `Well… OK`. */
const NEUTRAL = /[…"'”’»)\]]+$/u;

/** How far one must look to tell a word from a seam; a long text is not gone through for each of them. */
const LOOK_BACK = 12;
const LOOK_AHEAD = 4;

/** True if a space belongs between two pieces that the server trimmed. */
export function needsSpace(before: string, after: string): boolean {
  const left = before.at(-1);
  const right = after[0];
  if (left === undefined || right === undefined) return false;
  if (/\s/.test(left) || /\s/.test(right)) return false;
  if (NO_SPACE.test(left) || NO_SPACE.test(right)) return false;
  return !NO_SPACE.test(before.slice(-LOOK_BACK).replace(NEUTRAL, "").slice(-1));
}

export interface Piece {
  text: string;
  before: string | null;
}

/** The white space between what came before and this piece; none if nothing did. */
export function gapBefore(text: string, piece: Piece): string {
  if (text === "") return "";
  return piece.before ?? (needsSpace(text, piece.text) ? " " : "");
}

/** The pieces as one readable text. */
export function joinSentences(pieces: readonly Piece[]): string {
  let text = "";
  for (const piece of pieces) text += gapBefore(text, piece) + piece.text;
  return text;
}

/** A stored reply as it was when it came. */
export function laidOut({ content, breaks }: HistoryMessage): string {
  if (breaks === undefined) return spaced(content);
  const letters = breaks.length > 0 ? [...content] : []; // places are counted in code points
  let text = "";
  let end = 0;
  for (const [place, white] of breaks) {
    text += letters.slice(end, place).join("") + white;
    end = place;
  }
  return end === 0 ? content : text + letters.slice(end).join("");
}

/** Addresses are left as they are. */
const ADDRESS = /(?:\b(?:[a-z][a-z0-9+.-]*:\/\/|mailto:|tel:|www\.)|[\w.+-]+@)[^\s<>"'）】」]+/giu;
/** Marks that end a piece, what closes after them, what opens before the next word, and that word. */
const SEAM = /(?<=[\p{L}\p{N}\p{Pe}\p{Pf}"'*%])([.!?…,;:؟،؛]+)(["'*”’»)\]]*)([“‘«"(\[¿¡*]*)(\p{L}\p{M}*)/gu;
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** A stored reply with the spaces between its sentences put back; other text stays as it is. */
export function spaced(text: string): string {
  let result = "";
  let end = 0;
  for (const address of text.matchAll(ADDRESS)) {
    result += spacedWords(text.slice(end, address.index)) + address[0];
    end = address.index + address[0].length;
  }
  return result + spacedWords(text.slice(end));
}

function spacedWords(text: string): string {
  let result = "";
  let end = 0;
  const quotes = new Quotes(text);
  for (const seam of text.matchAll(SEAM)) {
    const [whole, marks = "", closing = "", opening = "", letter = ""] = seam;
    const before = text.slice(Math.max(0, seam.index - LOOK_BACK), seam.index);
    const word = seam.index + whole.length - letter.length;
    const after = text.slice(word, word + LOOK_AHEAD);
    if (!isSeam(before, marks, after, opening !== "")) continue;
    const at = seam.index + marks.length + quotes.closingAt(seam.index + marks.length, closing);
    result += `${text.slice(end, at)} `;
    end = at;
  }
  return result + text.slice(end);
}

/** Whether two pieces met here, or the marks are part of a word: `U.S.`, `e.g.`, `10:30`, `std::vector`. */
function isSeam(before: string, marks: string, after: string, opens: boolean): boolean {
  if (UNSPACED.test(after.slice(0, 2)) || marks.includes("::")) return false;
  if (/^…+$/.test(marks) && UNSPACED.test(before.slice(-1))) return false;
  if (/[!?؟،؛]/.test(marks)) return true;
  if (/^[,;]+$/.test(marks)) return !/&#?\w+$/.test(before);
  // A lone letter after it: the end of `Ph.D.`, or a face like `:D`. Some lone letters are words.
  if (/^(?![AIO]\b)\p{Lu}(?![\p{L}\p{N}'’])/u.test(after)) return false;
  if (marks === ":" || opens) return true;
  const letter = after[0] ?? "";
  const begins = letter.toLocaleLowerCase() !== letter || letter.toLocaleUpperCase() === letter;
  return begins && (marks.length > 1 || !/(?:^|[^\p{L}\p{N}])(?!I$)\p{L}$/u.test(before));
}

/** Straight quotes and asterisks look the same at both ends: every second one closes. Asked from left to right. */
class Quotes {
  #text: string;
  #read = 0;
  #seen: Record<string, number> = { '"': 0, "*": 0 };

  constructor(text: string) {
    this.#text = text;
  }

  /** How many of the marks at this place, which may close something, do so. */
  closingAt(place: number, marks: string): number {
    for (; this.#read < place; this.#read += 1) this.#count(this.#text[this.#read]);
    for (let index = 0; index < marks.length; index += 1) {
      if ((this.#seen[marks[index] ?? ""] ?? 1) % 2 === 0) return index;
      this.#count(marks[index]);
      this.#read += 1;
    }
    return marks.length;
  }

  #count(mark: string | undefined): void {
    if (mark !== undefined && mark in this.#seen) this.#seen[mark] = (this.#seen[mark] ?? 0) + 1;
  }
}

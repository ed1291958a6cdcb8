// The chat page's words in the chosen language.

import { en, type Key, type Words } from "./en";
import { fill, type Language } from "./language";
import { zh } from "./zh";

export type { Key } from "./en";
export { dateTag, languageTag, pickLanguage, relativeTime, type Language } from "./language";
export const languages = { en, zh } satisfies Record<Language, Words>;
export type Translate = (key: Key, values?: Record<string, string | number>) => string;

export function translator(language: Language): Translate {
  const words = languages[language];
  return (key, values) => fill(words[key], values);
}

export function isKey(text: string): text is Key {
  return Object.hasOwn(en, text);
}

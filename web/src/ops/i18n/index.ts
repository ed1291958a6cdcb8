// The ops page's words in the chosen language.

import { fill, type Language } from "../../i18n/language";
import { en, type OpsKey, type OpsWords } from "./en";
import { zh } from "./zh";

export type { OpsKey } from "./en";
export const opsLanguages = { en, zh } satisfies Record<Language, OpsWords>;
export type OpsTranslate = (key: OpsKey, values?: Record<string, string | number>) => string;

export function opsTranslator(language: Language): OpsTranslate {
  const words = opsLanguages[language];
  return (key, values) => fill(words[key], values);
}

export function isOpsKey(text: string): text is OpsKey {
  return Object.hasOwn(en, text);
}

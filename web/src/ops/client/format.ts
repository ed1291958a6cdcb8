// Figures as people read them: few digits, the unit that fits, the page's language.

import { languageTag, type Language } from "../../i18n/language";

export type Unit = "ms" | "mb" | "percent" | "count";

const MISSING = "–";

/** A figure with its unit, with about three digits. */
export function figure(value: number | null | undefined, unit: Unit, language: Language): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return MISSING;
  switch (unit) {
    case "ms":
      return duration(value, language);
    case "mb":
      return Math.abs(value) >= 1024 ? `${digits(value / 1024, language)} GB` : `${digits(value, language)} MB`;
    case "percent":
      return language === "zh" ? `${digits(value, language)}%` : `${digits(value, language)} %`;
    case "count":
      return digits(value, language);
  }
}

/** A change with its sign: a minus is a minus, and nothing is ±0. */
export function change(value: number | null, unit: Unit, language: Language): string {
  if (value === null || !Number.isFinite(value)) return MISSING;
  const text = figure(Math.abs(value), unit, language);
  if (text === figure(0, unit, language)) return `±${text}`;
  return `${value < 0 ? "−" : "+"}${text}`;
}

function duration(milliseconds: number, language: Language): string {
  const size = Math.abs(milliseconds);
  if (size >= 999.5) return `${digits(milliseconds / 1000, language)} s`;
  return `${digits(size < 0.05 ? 0 : milliseconds, language)} ms`;
}

function digits(value: number, language: Language): string {
  const size = Math.abs(value);
  const places = size >= 99.95 || Number.isInteger(value) ? 0 : size >= 9.995 ? 1 : 2;
  return numbers(language, places).format(value);
}

const made = new Map<string, Intl.NumberFormat>();

function numbers(language: Language, places: number): Intl.NumberFormat {
  const key = `${language}${places}`;
  let format = made.get(key);
  if (format === undefined) {
    format = new Intl.NumberFormat(languageTag(language), { maximumFractionDigits: places });
    made.set(key, format);
  }
  return format;
}

const STEPS = [86_400, 3600, 60, 1];
const STEP_WORDS: Record<Language, readonly string[]> = {
  en: [" d", " h", " min", " s"],
  zh: ["天", "小时", "分钟", "秒"],
};

/** An age in its two largest units: `2 h 5 min`; below a minute `12 s`. */
export function age(seconds: number, language: Language): string {
  const whole = Math.max(0, Math.floor(seconds));
  const first = Math.max(0, STEPS.findIndex((size) => whole >= size || size === 1));
  const part = (index: number, value: number): string => `${value}${STEP_WORDS[language][index]}`;
  const size = STEPS[first] ?? 1;
  const head = part(first, Math.floor(whole / size));
  const rest = Math.floor((whole % size) / (STEPS[first + 1] ?? 1));
  if (rest === 0) return head;
  return `${head}${language === "zh" ? "" : " "}${part(first + 1, rest)}`;
}

export interface Clocks {
  /** `14:05:09` */
  seconds: (t: number) => string;
  /** `14:05` */
  minutes: (t: number) => string;
}

/** Times of day, 24 hours, in the reader's time zone; `t` in Unix seconds. */
export function clocks(tag: string): Clocks {
  const base = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  const long = new Intl.DateTimeFormat(tag, { ...base, second: "2-digit" });
  const short = new Intl.DateTimeFormat(tag, base);
  return { seconds: (t) => long.format(t * 1000), minutes: (t) => short.format(t * 1000) };
}

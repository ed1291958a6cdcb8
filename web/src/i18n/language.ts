// Languages without words: which there are, and how each writes dates. Shared by the pages, whose words are their own.

export type Language = "en" | "zh";

/** The first of the browser's languages that we speak; English if none. */
export function pickLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split("-")[0];
    if (base === "zh" || base === "en") return base;
  }
  return "en";
}

/** The tag for `lang` attributes and for dates. */
export function languageTag(language: Language): string {
  return language === "zh" ? "zh-CN" : "en";
}

/** The variant of the page's language that the browser writes dates in: `en-GB` has other ones than `en-US`. */
export function dateTag(language: Language, wanted: readonly string[]): string {
  const tag = languageTag(language);
  const base = tag.split("-")[0];
  return wanted.find((one) => one.toLowerCase().split("-")[0] === base && isTag(one)) ?? tag;
}

/** Some systems hand the browser names such as `en-US@posix`, at which dates throw. */
function isTag(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length > 0;
  } catch {
    return false;
  }
}

/** Put the values into the holes of a text: `{n}`. A hole without a value stays as it is. */
export function fill(text: string, values: Record<string, string | number> = {}): string {
  return text.replace(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole));
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["minute", 60],
  ["hour", 3600],
  ["day", 86_400],
  ["week", 604_800],
  ["month", 2_629_800],
  ["year", 31_557_600],
];

/** "5 minutes ago", in the page's language; empty if `stamp` is not a time. */
export function relativeTime(stamp: string | null, now: number, language: Language): string {
  const time = stamp === null ? Number.NaN : Date.parse(stamp);
  if (Number.isNaN(time)) return "";
  const seconds = Math.min(0, (time - now) / 1000);
  const format = new Intl.RelativeTimeFormat(languageTag(language), { numeric: "auto" });
  const step = STEPS.findLast(([, size]) => -seconds >= size);
  return step ? format.format(Math.round(seconds / step[1]), step[0]) : format.format(0, "second");
}

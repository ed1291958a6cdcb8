// A character that is called by name: whether it listens, by which words it wakes, and what ends that.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { WakeWords } from "../protocol.generated";
import type { Language } from "../i18n";
import { useApp, useName } from "./context";
import { Dialog } from "./dialog";
import { Icon } from "./icons";

/** One word that wakes it, in the page's language if there is one. */
export function wakeCall(wake: WakeWords | null, language: Language): string {
  const words = wake?.wake ?? {};
  const some = words[language] ?? Object.values(words)[0] ?? [];
  return some[0] ?? "";
}

export function WakePill(): JSX.Element | null {
  const { client, snapshot, t, language } = useApp();
  const name = useName();
  const [explained, setExplained] = useState(false);
  const { wake, wakeAt, phase } = snapshot.session;
  const idle = wake?.state === "active" && phase === "idle" ? wake.idle_seconds : 0;
  useEffect(() => {
    // The server tells of it only with the next message, when it is too late to explain.
    if (idle <= 0) return;
    const timer = setTimeout(() => client.dispatch({ type: "wake-idle" }), idle * 1000);
    return () => clearTimeout(timer);
  }, [idle, wakeAt]);
  if (!wake || !client.snapshot.session.connected) return null;
  const call = wakeCall(wake, language);
  const words = wake.state === "active" ? t("wake.active", { name }) : call ? t("wake.listening-for", { call }) : t("wake.listening");
  return (
    <>
      <button
        type="button"
        class="wake"
        data-testid="wake-word"
        data-state={wake.state}
        title={t("wake.explain")}
        aria-haspopup="dialog"
        onClick={() => setExplained(true)}
      >
        <Icon name="ear" size={16} />
        <span>{words}</span>
      </button>
      {explained && (
        <Dialog title={t("wake.title", { name })} kind="sheet" onClose={() => setExplained(false)}>
          <p>{t(wake.state === "active" ? "wake.about-active" : "wake.about-listening", { name })}</p>
          <WordList title={t("wake.words-wake")} words={wake.wake} />
          <WordList title={t("wake.words-end")} words={wake.end} />
          {wake.idle_seconds > 0 && <p class="field-hint">{t("wake.idle", { name, n: Math.round(wake.idle_seconds) })}</p>}
        </Dialog>
      )}
    </>
  );
}

function WordList({ title, words }: { title: string; words: Record<string, string[]> }): JSX.Element | null {
  const { language } = useApp();
  // The page's own language first.
  const sorted = Object.entries(words).sort(([one], [two]) => Number(two === language) - Number(one === language));
  if (sorted.length === 0) return null;
  return (
    <section>
      <h3 class="choice-title">{title}</h3>
      <ul class="words">
        {sorted.flatMap(([tag, some]) =>
          some.map((word) => (
            <li key={`${tag} ${word}`} lang={tag}>
              {word}
            </li>
          )),
        )}
      </ul>
    </section>
  );
}

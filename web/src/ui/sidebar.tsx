// The side panel: who can be talked to, and what has been talked about.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ConfigFile, HistoryEntry } from "../protocol.generated";
import { spaced } from "../client/spacing";
import { textParts, withoutMoods } from "../client/text";
import { languageTag, relativeTime, type Translate } from "../i18n";
import { Avatar } from "./avatar";
import { useApp } from "./context";
import { Dialog } from "./dialog";
import { Icon } from "./icons";

const A_MINUTE = 60_000;

/** `onChosen` is called when something was picked, so that a drawer can close. */
export function Sidebar({ onChosen }: { onChosen: () => void }): JSX.Element {
  const { snapshot } = useApp();
  // While there is no connection nothing in it can be chosen, but keys must still scroll it.
  return (
    <div class="sidebar" tabIndex={snapshot.session.connected ? undefined : 0}>
      <Characters onChosen={onChosen} />
      <Histories onChosen={onChosen} />
    </div>
  );
}

function Characters({ onChosen }: { onChosen: () => void }): JSX.Element {
  const { snapshot, t } = useApp();
  const { session, connection } = snapshot;
  return (
    <section aria-labelledby="characters-title">
      <h2 id="characters-title" class="side-title">
        {t("characters.title")}
      </h2>
      {session.characters.length === 0 &&
        (connection.phase === "online" && session.confUid ? (
          <p class="side-empty">{t("characters.none")}</p>
        ) : (
          <div class="skeleton" aria-hidden="true" />
        ))}
      <ul class="cards" tabIndex={session.connected ? undefined : 0}>
        {session.characters.map((one) => (
          <li key={one.filename}>
            <CharacterCard character={one} onChosen={onChosen} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function CharacterCard({ character, onChosen }: { character: ConfigFile; onChosen: () => void }): JSX.Element {
  const { client, snapshot, language, t } = useApp();
  const { session, clip } = snapshot;
  const loading = session.switchingTo === character.filename;
  const current = session.switchingTo === null && session.confName === character.name;
  const line = loading
    ? t("characters.loading")
    : character.description;
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (current) button.current?.scrollIntoView({ block: "nearest" });
  }, [current]);
  const choose = (): void => {
    if (!current && !loading) client.dispatch({ type: "switch", file: character.filename });
    onChosen();
  };
  return (
    <button
      ref={button}
      type="button"
      class="card"
      data-testid="character-card"
      data-name={character.name}
      data-state={loading ? "loading" : current ? "ready" : "away"}
      aria-current={current ? "true" : undefined}
      aria-busy={loading}
      disabled={!session.connected}
      title={current ? undefined : t("characters.switch", { name: character.name })}
      onClick={choose}
    >
      <Avatar name={character.name} file={character.avatar} size="medium" clip={current ? clip : null} />
      <span class="card-words">
        <span class="card-name" lang={character.language}>
          {character.name}
          {current && (
            <span class="card-badge" lang={languageTag(language)}>
              {t("characters.ready")}
            </span>
          )}
        </span>
        <span class="card-line" lang={line === character.description ? character.language : undefined}>
          {line}
        </span>
      </span>
      {loading && <span class="spinner" />}
    </button>
  );
}

function Histories({ onChosen }: { onChosen: () => void }): JSX.Element {
  const { client, snapshot, t } = useApp();
  const { session } = snapshot;
  const [asked, setAsked] = useState<HistoryEntry | null>(null);
  const now = useNow();
  const startNew = (): void => {
    client.dispatch({ type: "new-chat" });
    onChosen();
  };
  const remove = (): void => {
    if (asked) client.dispatch({ type: "delete-history", uid: asked.uid });
    setAsked(null);
  };
  const loadingMore = session.listRequests.includes("more");
  return (
    <section class="histories" aria-labelledby="histories-title">
      <div class="side-row">
        <h2 id="histories-title" class="side-title">
          {t("histories.title")}
        </h2>
        <button
          type="button"
          class="button-soft"
          data-testid="new-chat"
          disabled={!session.connected || session.switchingTo !== null}
          onClick={startNew}
        >
          <Icon name="plus" size={16} />
          {t("histories.new")}
        </button>
      </div>
      {session.histories.length === 0 && <p class="side-empty">{t("histories.none")}</p>}
      <ul class="history-list">
        {session.histories.map((entry) => (
          <HistoryRow key={entry.uid} entry={entry} now={now} onChosen={onChosen} onDelete={() => setAsked(entry)} />
        ))}
      </ul>
      {session.moreHistories !== null && (
        <button
          type="button"
          class="button-soft more"
          data-testid="load-more"
          disabled={loadingMore || !session.connected}
          aria-busy={loadingMore}
          onClick={() => client.dispatch({ type: "more-histories" })}
        >
          {t("histories.more")}
        </button>
      )}
      {asked && (
        <Dialog title={t("confirm.title")} kind="question" onClose={() => setAsked(null)}>
          <p class="confirm-line">“{preview(lineOf(asked, session.moods, t), 90)}”</p>
          <p>{t("confirm.text")}</p>
          <div class="dialog-buttons">
            <button type="button" class="button-plain" onClick={() => setAsked(null)}>
              {t("confirm.no")}
            </button>
            <button type="button" class="button-danger" data-testid="confirm-delete" onClick={remove}>
              {t("confirm.yes")}
            </button>
          </div>
        </Dialog>
      )}
    </section>
  );
}

interface HistoryRowProps {
  entry: HistoryEntry;
  now: number;
  onChosen: () => void;
  onDelete: () => void;
}

function HistoryRow({ entry, now, onChosen, onDelete }: HistoryRowProps): JSX.Element {
  const { client, snapshot, language, t } = useApp();
  const { session } = snapshot;
  const current = session.history === entry.uid;
  const when = relativeTime(entry.timestamp, now, language);
  const text = preview(lineOf(entry, session.moods, t), 120);
  const line = entry.latest_message?.role === "human" ? t("histories.you", { text }) : text;
  const open = (): void => {
    if (!current) client.dispatch({ type: "open-history", uid: entry.uid });
    onChosen();
  };
  return (
    <li class="history" data-testid="history-item" data-uid={entry.uid} data-current={current ? "" : undefined}>
      <button
        type="button"
        class="history-open"
        aria-current={current ? "true" : undefined}
        aria-busy={session.opening.includes(entry.uid)}
        disabled={!session.connected || session.switchingTo !== null}
        onClick={open}
      >
        <span class="history-line">{line}</span>{" "}
        <span class="history-when">{when}</span>
      </button>
      <button
        type="button"
        class="button-icon history-delete"
        data-testid="history-delete"
        aria-label={t("histories.delete-named", { text: preview(text, 60) })}
        title={t("histories.delete")}
        disabled={!session.connected}
        onClick={onDelete}
      >
        <Icon name="trash" size={16} />
      </button>
    </li>
  );
}

/** The newest line of a conversation in one row. A message without words was a picture. */
function lineOf(entry: HistoryEntry, moods: readonly string[], t: Translate): string {
  const content = entry.latest_message?.content ?? "";
  const text = withoutMoods(entry.latest_message?.role === "ai" ? spaced(content) : content, moods);
  const plain = textParts(text).map((part) => part.text);
  const line = plain.join("").replace(/\s+/g, " ").trim();
  return line || (entry.latest_message?.role === "human" ? t("histories.empty-line") : "…");
}

function preview(text: string, longest: number): string {
  const letters = [...text];
  return letters.length > longest ? `${letters.slice(0, longest).join("")}…` : text;
}

/** The time, renewed each minute while the page is in front. */
function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now());
    }, A_MINUTE);
    return () => clearInterval(timer);
  }, []);
  // A line written a moment ago must not lie in the future of a clock that was read a minute ago.
  return Math.max(now, Date.now() - A_MINUTE);
}

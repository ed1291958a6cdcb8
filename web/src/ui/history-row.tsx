// One stored conversation in the list: its title, when it was, and what can be done with it.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { HistoryEntry, HistoryMessage } from "../protocol.generated";
import { laidOut } from "../client/spacing";
import { can } from "../client/state";
import { markedParts, textParts, withoutMoods } from "../client/text";
import { relativeTime, type Translate } from "../i18n";
import { useApp } from "./context";
import { Icon } from "./icons";

const LONGEST_TITLE = 200;

interface HistoryRowProps {
  entry: HistoryEntry;
  /** What is searched for; empty if nothing is. */
  query: string;
  /** The time of its age, in milliseconds since 1970: one clock for the whole list. */
  now: number;
  onChosen: () => void;
  onDelete: () => void;
}

export function HistoryRow({ entry, query, now, onChosen, onDelete }: HistoryRowProps): JSX.Element {
  const { client, snapshot, language, t } = useApp();
  const { session } = snapshot;
  const [naming, setNaming] = useState(false);
  const pencil = useRef<HTMLButtonElement>(null);
  const current = session.history === entry.uid;
  const title = preview(titleOf(entry, session.moods, t), 120);
  const found = entry.found ? lineOf(entry.found, session.moods) : "";
  const open = (): void => {
    if (!current) client.dispatch({ type: "open-history", uid: entry.uid });
    onChosen();
  };
  if (naming) {
    return (
      <li class="history" data-testid="history-item" data-uid={entry.uid} data-naming="">
        <TitleBox
          entry={entry}
          title={title}
          onDone={() => {
            setNaming(false);
            requestAnimationFrame(() => pencil.current?.focus());
          }}
        />
      </li>
    );
  }
  return (
    <li class="history" data-testid="history-item" data-uid={entry.uid} data-current={current ? "" : undefined}>
      <button
        type="button"
        class="history-open"
        aria-current={current ? "true" : undefined}
        aria-busy={session.opening.includes(entry.uid)}
        disabled={!session.connected || session.switchingTo !== null}
        title={title}
        onClick={open}
      >
        <span class="history-line" data-testid="history-title">
          <Marked text={title} query={query} />
        </span>{" "}
        {found && found !== title && (
          <span class="history-found" data-testid="history-found">
            <Marked text={found} query={query} />
          </span>
        )}
        <span class="history-when">{relativeTime(entry.timestamp, now, language)}</span>
      </button>
      <span class="history-tools">
        {can(session, "history-rename") && (
          <button
            ref={pencil}
            type="button"
            class="button-icon"
            data-testid="history-rename"
            aria-label={t("histories.rename-named", { text: preview(title, 60) })}
            title={t("histories.rename")}
            disabled={!session.connected}
            onClick={() => setNaming(true)}
          >
            <Icon name="pencil" size={16} />
          </button>
        )}
        <button
          type="button"
          class="button-icon history-delete"
          data-testid="history-delete"
          aria-label={t("histories.delete-named", { text: preview(title, 60) })}
          title={t("histories.delete")}
          disabled={!session.connected}
          onClick={onDelete}
        >
          <Icon name="trash" size={16} />
        </button>
      </span>
    </li>
  );
}

/** Enter keeps the title, Esc leaves it as it was; an empty one gives back the title of its own. */
function TitleBox({ entry, title, onDone }: { entry: HistoryEntry; title: string; onDone: () => void }): JSX.Element {
  const { client, t } = useApp();
  const box = useRef<HTMLInputElement>(null);
  const over = useRef(false);
  useEffect(() => {
    box.current?.focus();
    box.current?.select();
  }, []);
  const finish = (keep: boolean): void => {
    if (over.current) return;
    over.current = true;
    const text = box.current?.value.trim() ?? "";
    if (keep && text !== title && text !== (entry.title ?? "")) {
      client.dispatch({ type: "rename-history", uid: entry.uid, title: text });
    }
    onDone();
  };
  return (
    <input
      ref={box}
      class="title-box"
      data-testid="title-box"
      aria-label={t("histories.title-label")}
      placeholder={t("histories.title-label")}
      maxLength={LONGEST_TITLE}
      defaultValue={entry.title ?? title}
      onBlur={() => finish(true)}
      onKeyDown={(event) => {
        if (event.isComposing || event.keyCode === 229) return;
        if (event.key !== "Enter" && event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        finish(event.key === "Enter");
      }}
    />
  );
}

function Marked({ text, query }: { text: string; query: string }): JSX.Element {
  return (
    <>
      {markedParts(text, query).map((part, index) => (part.hit ? <mark key={index}>{part.text}</mark> : part.text))}
    </>
  );
}

/** What somebody called a conversation, or how it began, or its newest line. */
export function titleOf(entry: HistoryEntry, moods: readonly string[], t: Translate): string {
  if (entry.title) return entry.title;
  const line = entry.opening ? oneLine(entry.opening) : entry.latest_message ? lineOf(entry.latest_message, moods) : "";
  // A message without words was a picture.
  return line || (entry.latest_message?.role === "human" ? t("histories.empty-line") : "…");
}

function lineOf(message: HistoryMessage, moods: readonly string[]): string {
  return oneLine(withoutMoods(message.role === "ai" ? laidOut(message) : message.content, moods));
}

function oneLine(text: string): string {
  const plain = textParts(text).map((part) => part.text);
  return plain.join("").replace(/\s+/g, " ").trim();
}

export function preview(text: string, longest: number): string {
  const letters = [...text];
  return letters.length > longest ? `${letters.slice(0, longest).join("")}…` : text;
}

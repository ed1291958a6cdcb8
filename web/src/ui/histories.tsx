// What has been talked about: the list, a search in it, and what was deleted a moment ago.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { HistoryEntry } from "../protocol.generated";
import { can, type Deleted } from "../client/state";
import { useApp, useNow } from "./context";
import { Dialog } from "./dialog";
import { HistoryRow, preview, titleOf } from "./history-row";
import { Icon } from "./icons";

/** After the last letter of a search, before it is sent. */
const TYPING_PAUSE = 250;
const LONGEST_QUERY = 200;

export function Histories({ onChosen }: { onChosen: () => void }): JSX.Element {
  const { client, snapshot, t } = useApp();
  const { session } = snapshot;
  const [asked, setAsked] = useState<HistoryEntry | null>(null);
  const now = useNow();
  const { search } = session;
  const list = useRef<HTMLUListElement>(null);
  const remove = (entry: HistoryEntry): void => {
    if (!can(session, "history-undo")) {
      setAsked(entry);
      return;
    }
    // The row goes with the button that has the focus: it moves on to the neighbour.
    const row = list.current?.querySelector(`[data-uid="${CSS.escape(entry.uid)}"]`);
    const neighbour = row?.nextElementSibling ?? row?.previousElementSibling;
    (neighbour?.querySelector("button") ?? newChat.current)?.focus();
    client.dispatch({ type: "delete-history", uid: entry.uid });
  };
  const newChat = useRef<HTMLButtonElement>(null);
  const loadingMore = session.listRequests.includes("more");
  const entries = search ? search.entries : session.histories;
  return (
    <section class="histories" aria-labelledby="histories-title">
      <div class="side-row">
        <h2 id="histories-title" class="side-title">
          {t("histories.title")}
        </h2>
        <button
          ref={newChat}
          type="button"
          class="button-soft"
          data-testid="new-chat"
          disabled={!session.connected || session.switchingTo !== null}
          onClick={() => {
            client.dispatch({ type: "new-chat" });
            onChosen();
          }}
        >
          <Icon name="plus" size={16} />
          {t("histories.new")}
        </button>
      </div>
      {can(session, "history-search") && (session.histories.length > 0 || search) && <SearchBox />}
      {!search && session.histories.length === 0 && <p class="side-empty">{t("histories.none")}</p>}
      <ul ref={list} class="history-list" data-search={search ? "" : undefined} aria-busy={search?.pending ?? false}>
        {entries.map((entry) => (
          <HistoryRow
            key={entry.uid}
            entry={entry}
            query={search?.query ?? ""}
            now={now}
            onChosen={onChosen}
            onDelete={() => remove(entry)}
          />
        ))}
      </ul>
      {search ? (
        <SearchEnd />
      ) : (
        session.moreHistories !== null && (
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
        )
      )}
      {!search && <RecentlyDeleted />}
      {asked && <Question entry={asked} onClose={() => setAsked(null)} />}
    </section>
  );
}

/** For servers that cannot undo a deletion. */
function Question({ entry, onClose }: { entry: HistoryEntry; onClose: () => void }): JSX.Element {
  const { client, snapshot, t } = useApp();
  return (
    <Dialog title={t("confirm.title")} kind="question" onClose={onClose}>
      <p class="confirm-line">“{preview(titleOf(entry, snapshot.session.moods, t), 90)}”</p>
      <p>{t("confirm.text")}</p>
      <div class="dialog-buttons">
        <button type="button" class="button-plain" onClick={onClose}>
          {t("confirm.no")}
        </button>
        <button
          type="button"
          class="button-danger"
          data-testid="confirm-delete"
          onClick={() => {
            client.dispatch({ type: "delete-history", uid: entry.uid });
            onClose();
          }}
        >
          {t("confirm.yes")}
        </button>
      </div>
    </Dialog>
  );
}

function SearchBox(): JSX.Element {
  const { client, snapshot, t } = useApp();
  const { search, connected, confUid } = snapshot.session;
  const [text, setText] = useState(search?.query ?? "");
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (text.trim() === (client.snapshot.session.search?.query ?? "")) return;
    const timer = setTimeout(() => client.dispatch({ type: "search", query: text }), TYPING_PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  // Another character has other conversations.
  useEffect(() => setText(client.snapshot.session.search?.query ?? ""), [confUid]);
  const clear = (): void => {
    setText("");
    client.dispatch({ type: "search", query: "" });
    box.current?.focus();
  };
  return (
    <div class="search" role="search">
      <Icon name="search" size={16} />
      <input
        ref={box}
        type="text"
        enterkeyhint="search"
        autocomplete="off"
        data-testid="history-search"
        aria-label={t("search.label")}
        placeholder={t("search.label")}
        maxLength={LONGEST_QUERY}
        value={text}
        disabled={!connected}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || !text) return;
          event.stopPropagation();
          clear();
        }}
      />
      {search?.pending && <span class="spinner" />}
      {text && (
        <button type="button" class="button-icon" aria-label={t("search.clear")} title={t("search.clear")} onClick={clear}>
          <Icon name="close" size={14} />
        </button>
      )}
    </div>
  );
}

/** How many were found; and where the server has looked at a part only, the rest on request. */
function SearchEnd(): JSX.Element | null {
  const { client, snapshot, t } = useApp();
  const { search, connected } = snapshot.session;
  if (!search) return null;
  const n = search.entries.length;
  const words = n > 0 ? t("search.found", { n }) : t("search.nothing", { query: search.query });
  return (
    <>
      <p class={n > 0 ? "sr-only" : "side-empty"} role="status" data-testid="search-result">
        {search.pending ? "" : words}
      </p>
      {search.next !== null && (
        <button
          type="button"
          class="button-soft more"
          data-testid="search-more"
          disabled={search.pending || !connected}
          aria-busy={search.pending}
          onClick={() => client.dispatch({ type: "search-more" })}
        >
          {t("search.more")}
        </button>
      )}
    </>
  );
}

function RecentlyDeleted(): JSX.Element | null {
  const { snapshot, t } = useApp();
  const now = useNow();
  const left = snapshot.session.deleted.filter((one) => one.until > now);
  if (left.length === 0) return null;
  return (
    <details class="deleted" data-testid="recently-deleted">
      <summary>{t("deleted.title", { n: left.length })}</summary>
      <ul class="history-list">
        {left.map((one) => (
          <DeletedRow key={one.entry.uid} deleted={one} />
        ))}
      </ul>
    </details>
  );
}

function DeletedRow({ deleted }: { deleted: Deleted }): JSX.Element {
  const { client, snapshot, t } = useApp();
  const { entry, until } = deleted;
  const title = titleOf(entry, snapshot.session.moods, t);
  const minutes = Math.max(1, Math.ceil((until - Date.now()) / 60_000));
  return (
    <li class="history" data-testid="deleted-item" data-uid={entry.uid}>
      <span class="history-open">
        <span class="history-line">{preview(title, 120)}</span>
        <span class="history-when">{t("deleted.left", { n: minutes })}</span>
      </span>
      <button
        type="button"
        class="button-soft"
        data-testid="restore"
        aria-label={t("deleted.restore-named", { text: preview(title, 60) })}
        disabled={!snapshot.session.connected}
        onClick={() => client.dispatch({ type: "restore-history", uid: entry.uid })}
      >
        {t("deleted.restore")}
      </button>
    </li>
  );
}

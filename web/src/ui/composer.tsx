// Where messages are written. Text is never lost: not while offline, not while loading, not by a reload.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { makePicture, MAX_FILE, MAX_PICTURES, refusal } from "../client/images";
import { browserStorage } from "../client/preferences";
import { canSend, hears, isBusy, type Picture } from "../client/state";
import { useApp, useName } from "./context";
import { useMedia } from "./media";
import { Icon } from "./icons";
import { Recording, TalkButton, useTalk } from "./talk";

/** Four bytes a character at most: stays below the server's 64 KiB for a text. */
export const MAX_CHARACTERS = 10_000;
const WARN_BELOW = 500;
const DRAFT = "greenroom.draft";

export function Composer(): JSX.Element {
  const { client, snapshot, t, preferences } = useApp();
  const { session } = snapshot;
  const name = useName();
  const [text, setText] = useDraft();
  const [pictures, setPictures] = useState<Picture[]>([]);
  const [reading, setReading] = useState(0);
  const [dropping, setDropping] = useState(false);
  const [nudged, setNudged] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const chooser = useRef<HTMLInputElement>(null);
  const touch = useMedia("(pointer: coarse)");
  const ready = canSend(session);
  const busy = isBusy(session);
  const left = MAX_CHARACTERS - text.length;
  const something = text.trim() !== "" || pictures.length > 0;
  const inRoom = session.room !== null;
  const talk = useTalk(ready);
  const canTalk = hears(session) && !inRoom;
  const recording = talk.state === "recording" || (talk.state === "opening" && preferences.talk !== "open");
  useAutosize(area, text);
  useFocusKey(area);
  const before = useRef<string | null | undefined>(undefined);
  useEffect(() => {
    // A new conversation takes the focus when it is begun, not once more when the server has named it.
    const named = before.current === null && session.history !== null;
    before.current = session.history;
    if (!touch && !named) area.current?.focus();
  }, [session.history]);
  useEffect(() => {
    if (ready) setNudged(false);
  }, [ready]);
  const { returned } = session;
  useEffect(() => {
    if (returned) setText([returned.text, text].filter(Boolean).join("\n").slice(0, MAX_CHARACTERS));
  }, [returned?.id]);

  const submit = (): void => {
    if (!something || left < 0) return;
    if (!ready) {
      setNudged(true);
      return;
    }
    client.dispatch({ type: "say", text: text.trim(), pictures, at: Date.now() });
    setText("");
    setPictures([]);
    area.current?.focus();
  };
  const addPictures = async (files: readonly File[], source: "clipboard" | "upload"): Promise<void> => {
    const tell = (line: string): void => client.dispatch({ type: "toast", kind: "error", text: line });
    const room = MAX_PICTURES - pictures.length - reading;
    const fit = files.filter((file) => refusal(file) === null);
    for (const file of files) {
      const why = refusal(file);
      const size = Math.round(MAX_FILE / 1024 / 1024);
      if (why) tell(t(`composer.${why}`, { name: file.name, n: size }));
    }
    if (fit.length > room) tell(t("composer.pictures-full", { n: MAX_PICTURES }));
    const taken = fit.slice(0, Math.max(0, room));
    setReading((before) => before + taken.length);
    for (const file of taken) {
      try {
        const picture = await makePicture(file, source);
        setPictures((before) => [...before, picture]);
      } catch {
        tell(t("composer.picture-bad", { name: file.name }));
      } finally {
        setReading((before) => before - 1);
      }
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    // While an input method composes (Chinese, Japanese …), Enter chooses a word. 229 is Safari's way to say so.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      submit();
    }
  };
  const onPaste = (event: ClipboardEvent): void => {
    // Copied text may come with a picture of itself: then the text is meant.
    const files = event.clipboardData?.types.includes("text/plain") ? [] : filesIn(event.clipboardData);
    if (files.length === 0) return;
    event.preventDefault();
    void addPictures(files, "clipboard");
  };
  const onDrop = (event: DragEvent): void => {
    setDropping(false);
    const files = filesIn(event.dataTransfer);
    if (files.length === 0) return;
    event.preventDefault();
    void addPictures(files, "upload");
  };

  const hint = !session.connected ? t("composer.offline") : t("composer.loading", { name });
  return (
    <form
      class="composer"
      data-dropping={dropping ? "" : undefined}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      onDragOver={(event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        setDropping(true);
      }}
      onDragLeave={(event) => {
        // Also comes when the pointer only moves on to a part of it.
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setDropping(false);
      }}
      onDrop={onDrop}
    >
      {(pictures.length > 0 || reading > 0) && (
        <ul class="attached" aria-label={t("composer.pictures")} data-testid="attached">
          {pictures.map((picture, index) => (
            <li key={picture.thumbnail}>
              <img src={picture.thumbnail} alt={t("chat.picture", { n: index + 1 })} />
              <button
                type="button"
                class="attached-remove"
                aria-label={t("composer.remove-picture", { n: index + 1 })}
                onClick={() => {
                  setPictures(pictures.filter((one) => one !== picture));
                  area.current?.focus();
                }}
              >
                <Icon name="close" size={14} />
              </button>
            </li>
          ))}
          {Array.from({ length: reading }, (_, index) => (
            <li key={`reading ${index}`} class="attached-reading" aria-label={t("composer.picture-reading")}>
              <span class="spinner" />
            </li>
          ))}
        </ul>
      )}
      <div class="composer-row">
        <input
          ref={chooser}
          type="file"
          accept="image/*"
          multiple
          hidden
          data-testid="chooser"
          onChange={(event) => {
            void addPictures([...(event.currentTarget.files ?? [])], "upload");
            event.currentTarget.value = "";
          }}
        />
        {recording ? (
          <button
            type="button"
            class="button-icon"
            data-testid="mic-cancel"
            aria-label={t("mic.cancel")}
            title={t("mic.cancel")}
            onClick={() => talk.recorder.cancel()}
          >
            <Icon name="close" />
          </button>
        ) : (
          <button
            type="button"
            class="button-icon"
            aria-label={t("composer.attach")}
            title={t("composer.attach")}
            onClick={() => chooser.current?.click()}
          >
            <Icon name="picture" />
          </button>
        )}
        {recording && <Recording talk={talk} />}
        <textarea
          ref={area}
          id="composer"
          data-testid="composer"
          hidden={recording}
          rows={1}
          value={text}
          maxLength={MAX_CHARACTERS}
          placeholder={dropping ? t("composer.drop") : session.confName ? t(inRoom ? "composer.placeholder-room" : "composer.placeholder", { name }) : t("composer.label")}
          aria-label={t("composer.label")}
          aria-describedby="composer-hint"
          enterkeyhint="send"
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          onPaste={onPaste}
        />
        {canTalk && (!something || talk.state !== "off") && <TalkButton talk={talk} ready={ready} />}
        {!busy && !something && !inRoom && talk.state === "off" && (
          <button
            type="button"
            class="button-icon"
            data-testid="speak-up"
            aria-label={t("composer.speak-up", { name })}
            title={t("composer.speak-up", { name })}
            disabled={!ready}
            onClick={() => client.dispatch({ type: "speak-up" })}
          >
            <Icon name="speak" />
          </button>
        )}
        {busy && talk.state !== "recording" && (
          <button
            type="button"
            class="button-round button-stop"
            data-testid="stop"
            aria-label={t(inRoom ? "composer.stop-all" : "composer.stop")}
            title={t(inRoom ? "composer.stop-all" : "composer.stop-hint")}
            onClick={() => {
              client.dispatch({ type: "interrupt" });
              area.current?.focus();
            }}
          >
            <Icon name="stop" />
          </button>
        )}
        {recording ? (
          <button
            type="button"
            class="button-round button-send"
            data-testid="mic-send"
            aria-label={t("mic.send")}
            title={t("mic.send")}
            disabled={talk.state !== "recording"}
            onClick={() => talk.recorder.send()}
          >
            <Icon name="send" />
          </button>
        ) : (!busy || something) && (
          <button
            type="submit"
            class="button-round button-send"
            data-testid="send"
            aria-label={t("composer.send")}
            title={t("composer.keys")}
            disabled={!something || !ready || left < 0}
          >
            <Icon name="send" />
          </button>
        )}
      </div>
      <p id="composer-hint" class="composer-hint" data-nudged={nudged ? "" : undefined}>
        {session.confUid !== null && !ready && (something || !session.connected) ? (
          <span role="status">{hint}</span>
        ) : left < WARN_BELOW ? (
          <span role="status">{t("composer.count", { n: left })}</span>
        ) : (
          <span class="composer-keys">{touch ? "" : t("composer.keys")}</span>
        )}
      </p>
    </form>
  );
}

function filesIn(data: DataTransfer | null): File[] {
  return [...(data?.files ?? [])];
}

/** The text being written; a reload of this tab does not lose it. */
function useDraft(): [string, (text: string) => void] {
  const [text, setText] = useState(() => readDraft());
  // Kept at once and not after the next frame: there may be none.
  const write = (next: string): void => {
    setText(next);
    keepDraft(next);
  };
  return [text, write];
}

function keepDraft(text: string): void {
  try {
    browserStorage("sessionStorage")?.setItem(DRAFT, text);
  } catch {
    // storage is full: the draft lives as long as the page
  }
}

function readDraft(): string {
  try {
    return browserStorage("sessionStorage")?.getItem(DRAFT)?.slice(0, MAX_CHARACTERS) ?? "";
  } catch {
    return ""; // storage is closed to us
  }
}

/** Let the box grow with its text; its greatest height is the style sheet's. */
function useAutosize(area: { current: HTMLTextAreaElement | null }, text: string): void {
  useLayoutEffect(() => {
    const element = area.current;
    if (!element || CSS.supports("field-sizing", "content")) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);
}

/** The key `/` goes to the box, unless something is being written elsewhere. */
function useFocusKey(area: { current: HTMLTextAreaElement | null }): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
      if (target.matches("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      area.current?.focus();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

// The conversation: follows the newest line as long as the reader does, and never moves under their eyes.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ChatItem } from "../client/state";
import { Avatar } from "./avatar";
import { Bubble } from "./bubble";
import { useApp, useCharacter, useName } from "./context";
import { Icon } from "./icons";
import { Welcome } from "./welcome";

/** Bubbles in the page at once; earlier ones are shown when asked for. */
const SHOWN = 120;
const MORE = 200;
/** Pixels above the end that still count as reading the newest line. */
const NEAR = 80;

function sameSpeaker(before: ChatItem | undefined, item: ChatItem): boolean {
  return before?.kind === "ai" && item.kind === "ai" && before.name === item.name;
}

export function Chat(): JSX.Element {
  const { snapshot, language, t } = useApp();
  const { items, speaking, history, opening } = snapshot.session;
  const [shown, setShown] = useState(SHOWN);
  const hidden = Math.max(0, items.length - shown);
  const empty = items.length === 0;
  const scroller = useFollow(history, items.findLast((item) => item.kind === "human")?.id ?? 0, empty);
  useEffect(() => setShown(SHOWN), [history]);
  const showEarlier = (): void => {
    scroller.keepPlace();
    setShown((count) => count + MORE);
  };
  return (
    <div class="chat" data-empty={items.length === 0 ? "" : undefined}>
      {/* Read out by the announcer, a sentence at a time: hence no live region of its own. */}
      <div
        class="chat-scroll"
        ref={scroller.outer}
        onScroll={scroller.onScroll}
        role="log"
        aria-live="off"
        aria-label={t("chat.label")}
        tabIndex={0}
      >
        <div class="chat-log" ref={scroller.inner}>
          {opening.length > 0 && items.length === 0 && <p class="line line-notice">{t("chat.opening")}</p>}
          {hidden > 0 && (
            <button type="button" class="button-soft earlier" data-testid="show-earlier" onClick={showEarlier}>
              {t("chat.earlier", { n: Math.min(MORE, hidden) })}
            </button>
          )}
          {items.length === 0 && opening.length === 0 && <Welcome />}
          {items.slice(hidden).map((item, index) => (
            <Bubble
              key={item.id}
              item={item}
              language={language}
              follows={sameSpeaker(items[hidden + index - 1], item)}
              speaking={item.kind === "ai" && item.sentences.some((one) => one.id === speaking) ? speaking : null}
            />
          ))}
          <Typing />
        </div>
      </div>
      {!scroller.following && !empty && (
        <button type="button" class="jump" data-testid="jump-to-latest" data-news={scroller.news ? "" : undefined} onClick={scroller.jump}>
          <Icon name="down" size={18} />
          {t("chat.latest")}
        </button>
      )}
    </div>
  );
}

function Typing(): JSX.Element | null {
  const { snapshot, t } = useApp();
  const { phase, caption } = snapshot.session;
  const character = useCharacter();
  const name = useName();
  if (phase !== "waiting" && phase !== "thinking" && caption === null) return null;
  return (
    <div class="line line-ai typing" data-testid="typing">
      <div class="line-face">
        <Avatar name={name} file={character.avatar} size="small" />
      </div>
      <div class="bubble" title={t("chat.thinking", { name })}>
        {caption === null ? (
          <span class="dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
        ) : (
          <p class="caption">{caption}</p>
        )}
      </div>
    </div>
  );
}

interface Follow {
  outer: { current: HTMLDivElement | null };
  inner: { current: HTMLDivElement | null };
  following: boolean;
  /** Something came while the reader was further up. */
  news: boolean;
  onScroll: () => void;
  jump: () => void;
  /** Lines are about to be added above: what is being read stays where it is. */
  keepPlace: () => void;
}

/**
 * Stay at the end of a growing column. Another `topic` or a new `own` line brings the reader back to it. What stands
 * there while nothing has been said is read from its beginning, also on a screen that is too small for it.
 */
function useFollow(topic: string | null, own: number, empty: boolean): Follow {
  const outer = useRef<HTMLDivElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const place = useRef<number | null>(null);
  const stick = useRef(true);
  const nothing = useRef(empty);
  nothing.current = empty;
  const [following, setFollowing] = useState(true);
  const [news, setNews] = useState(false);

  const follow = (on: boolean): void => {
    stick.current = on;
    setFollowing(on);
    if (on) setNews(false);
  };
  const toEnd = (smooth: boolean): void => {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    outer.current?.scrollTo({ top: nothing.current ? 0 : outer.current.scrollHeight, behavior: smooth && !calm ? "smooth" : "instant" });
  };

  useLayoutEffect(() => {
    follow(true);
    toEnd(false);
  }, [topic, own, empty]);
  useLayoutEffect(() => {
    if (place.current === null || !outer.current) return;
    outer.current.scrollTop = outer.current.scrollHeight - place.current;
    place.current = null;
  });
  useEffect(() => {
    if (!inner.current || !outer.current) return;
    let height = inner.current.offsetHeight;
    const observer = new ResizeObserver(() => {
      const now = inner.current?.offsetHeight ?? height;
      if (stick.current) toEnd(false);
      else if (now > height) setNews(true);
      height = now;
    });
    observer.observe(inner.current);
    observer.observe(outer.current);
    return () => observer.disconnect();
  }, []);

  return {
    outer,
    inner,
    following,
    news,
    onScroll: () => {
      const element = outer.current;
      if (!element) return;
      if (nothing.current) return;
      const near = element.scrollHeight - element.scrollTop - element.clientHeight <= NEAR;
      if (near !== stick.current) follow(near);
    },
    jump: () => {
      follow(true);
      toEnd(true);
    },
    keepPlace: () => {
      if (outer.current) place.current = outer.current.scrollHeight - outer.current.scrollTop;
    },
  };
}

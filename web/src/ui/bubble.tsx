// The items of a conversation. A bubble is drawn anew only if its own item has changed.

import { Component, type JSX } from "preact";
import { useState } from "preact/hooks";
import type { AiItem, ChatItem, ErrorItem, HumanItem, NoticeWord, Sentence, ToolItem } from "../client/state";
import { gapBefore, joinSentences } from "../client/spacing";
import { fenced, hasFence, IN_LINE, NO_FENCE, textParts, withoutMoods, type Fences } from "../client/text";
import { dateTag, type Language } from "../i18n";
import { Avatar } from "./avatar";
import { useApp, useCharacter } from "./context";
import { wakeCall } from "./wake";
import { Icon } from "./icons";
import { ErrorWords } from "./toasts";

interface BubbleProps {
  item: ChatItem;
  /** The sentence being spoken, if it is one of this item. */
  speaking: number | null;
  /** The item before is by the same speaker: no need to name them again. */
  follows: boolean;
  /** Changes when the words of the page do. */
  language: Language;
}

export class Bubble extends Component<BubbleProps> {
  override shouldComponentUpdate(next: Readonly<BubbleProps>): boolean {
    const now = this.props;
    return (
      next.item !== now.item ||
      next.speaking !== now.speaking ||
      next.follows !== now.follows ||
      next.language !== now.language
    );
  }

  override render({ item, speaking, follows }: BubbleProps): JSX.Element {
    switch (item.kind) {
      case "human":
        return <HumanBubble item={item} />;
      case "ai":
        return <AiBubble item={item} speaking={speaking} follows={follows} />;
      case "tool":
        return <ToolBubble item={item} />;
      case "error":
        return <ErrorLine item={item} />;
      case "notice":
        return <NoticeLine word={item.word} />;
    }
  }
}

function Time({ at }: { at: number | null }): JSX.Element | null {
  const { language } = useApp();
  if (at === null) return null;
  const date = new Date(at);
  const tag = dateTag(language, navigator.languages);
  const today = date.toDateString() === new Date().toDateString();
  const short = date.toLocaleTimeString(tag, { hour: "numeric", minute: "2-digit" });
  const day = date.toLocaleDateString(tag, { month: "short", day: "numeric" });
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString(tag)}>
      {today ? short : `${day} ${short}`}
    </time>
  );
}

function Text({ text }: { text: string }): JSX.Element {
  return (
    <>
      {textParts(text).map((part, index) => {
        if (part.kind === "text") return part.text;
        if (part.kind === "action") return <em key={index}>{part.text}</em>;
        if (part.kind === "strong") return <strong key={index}>{part.text}</strong>;
        if (part.kind === "code") return <code key={index}>{part.text}</code>;
        return (
          <a key={index} href={part.text} target="_blank" rel="noopener noreferrer nofollow">
            {part.text}
          </a>
        );
      })}
    </>
  );
}

function HumanBubble({ item }: { item: HumanItem }): JSX.Element {
  const { t } = useApp();
  return (
    <article class="line line-human" data-testid="message-human" data-other={item.other ? "" : undefined}>
      <h2 class="sr-only">{t(item.other ? "chat.viewer" : "chat.you")}</h2>
      <div class="bubble">
        {item.thumbnails.length > 0 && (
          <div class="thumbnails">
            {item.thumbnails.map((data, index) => (
              <img key={index} src={data} alt={t("chat.picture", { n: index + 1 })} />
            ))}
          </div>
        )}
        {item.text && (
          <p>
            <Text text={item.text} />
          </p>
        )}
      </div>
      <div class="line-foot">
        <Time at={item.at} />
      </div>
    </article>
  );
}

function stateOf(sentence: Sentence, speaking: number | null): string {
  if (sentence.cut) return "cut";
  if (sentence.id === speaking) return "speaking";
  return sentence.begun ? "said" : "waiting";
}

function AiBubble({ item, speaking, follows }: { item: AiItem; speaking: number | null; follows: boolean }): JSX.Element {
  const { snapshot, t } = useApp();
  const character = useCharacter();
  const name = item.name ?? character.name;
  const { moods } = snapshot.session;
  const pieces = item.sentences.map(({ text, before }) => ({ text: withoutMoods(text, moods), before }));
  let fences: Fences = NO_FENCE;
  return (
    <article class="line line-ai" data-testid="message-ai" data-follows={follows ? "" : undefined}>
      <div class="line-face">
        {!follows && <Avatar name={name} file={item.avatar ?? character.avatar} size="small" />}
      </div>
      <div class="line-words">
        <h2 class={follows ? "sr-only" : "line-name"}>
          {name} <Time at={item.at} />
        </h2>
        <div class="bubble" lang={character.language}>
          <p>
            {item.sentences.map((sentence, index) => {
              const piece = pieces[index] ?? sentence;
              const gap = gapBefore(pieces[index - 1]?.text ?? "", piece);
              // Most replies hold no program: then there is nothing to follow from one sentence to the next.
              const plain = !fences.code && !fences.fence && !hasFence(piece.text);
              const start = plain && index > 0 ? IN_LINE : fences;
              fences = plain ? IN_LINE : fenced(piece.text, fenced(gap, start).after).after;
              return (
                <SentenceWords
                  key={sentence.id}
                  text={piece.text}
                  gap={gap}
                  start={start}
                  state={stateOf(sentence, speaking)}
                />
              );
            })}
          </p>
        </div>
        <div class="line-foot">
          {item.interrupted && (
            <span class="interrupted" title={t("chat.interrupted-why", { name })}>
              <Icon name="stop" size={12} />
              {t("chat.interrupted")}
              <span class="sr-only">. {t("chat.interrupted-why", { name })}</span>
            </span>
          )}
          <CopyButton text={() => joinSentences(pieces)} />
        </div>
      </div>
    </article>
  );
}

interface SentenceProps {
  text: string;
  /** The white space before it. */
  gap: string;
  /** Whether it begins in program text. */
  start: Fences;
  state: string;
}

/** Drawn anew only if it has changed: a long reply would else cost more with each of its sentences. */
class SentenceWords extends Component<SentenceProps> {
  override shouldComponentUpdate(next: Readonly<SentenceProps>): boolean {
    const now = this.props;
    const moved = next.start.code !== now.start.code || next.start.fence !== now.start.fence;
    return next.text !== now.text || next.gap !== now.gap || next.state !== now.state || moved;
  }

  override render({ text, gap, start, state }: SentenceProps): JSX.Element {
    const space = fenced(gap, start);
    return (
      <>
        <Parts parts={space.parts} />
        <span class="sentence" data-state={state}>
          <Parts parts={fenced(text, space.after).parts} />
        </span>
      </>
    );
  }
}

function Parts({ parts }: { parts: { code: boolean; text: string }[] }): JSX.Element {
  return (
    <>
      {parts.map(({ code, text }, index) =>
        code ? (
          <code key={index} class="program">
            {text}
          </code>
        ) : (
          <Text key={index} text={text} />
        ),
      )}
    </>
  );
}

function CopyButton({ text }: { text: () => string }): JSX.Element | null {
  const { t } = useApp();
  const [copied, setCopied] = useState(false);
  // Browsers offer the clipboard only to pages over https or from this machine.
  if (!navigator.clipboard) return null;
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      setCopied(true);
      setTimeout(() => setCopied(false), 1600);
    } catch (error) {
      console.warn("greenroom: the browser did not let us copy", error);
    }
  };
  const label = copied ? t("chat.copied") : t("chat.copy");
  return (
    <button type="button" class="button-icon button-copy" aria-label={label} title={label} onClick={copy}>
      <Icon name={copied ? "check" : "copy"} size={15} />
    </button>
  );
}

function ToolBubble({ item }: { item: ToolItem }): JSX.Element {
  const { t } = useApp();
  const title = t(`tool.${item.status}`, { tool: item.toolName });
  const head = (
    <>
      {item.status === "running" ? <span class="spinner" /> : <Icon name={item.status === "error" ? "warning" : "tool"} size={16} />}
      <span>{title}</span>
    </>
  );
  return (
    <div class="line line-tool" data-testid="tool-call" data-state={item.status}>
      {item.content.trim() ? (
        <details class="tool">
          <summary>{head}</summary>
          <pre>{item.content}</pre>
        </details>
      ) : (
        <div class="tool tool-bare">{head}</div>
      )}
    </div>
  );
}

function ErrorLine({ item }: { item: ErrorItem }): JSX.Element {
  const { client, snapshot, t } = useApp();
  return (
    <div class="line line-error" data-testid="message-error" role="alert">
      <Icon name="warning" size={16} />
      <ErrorWords text={item.text} code={item.code} />
      {item.retry !== null && (
        <button
          type="button"
          class="button-soft"
          disabled={!snapshot.session.connected}
          onClick={() => client.dispatch({ type: "retry", item: item.id, at: Date.now() })}
        >
          <Icon name="retry" size={15} />
          {t("chat.retry")}
        </button>
      )}
    </div>
  );
}

function NoticeLine({ word }: { word: NoticeWord }): JSX.Element {
  const { snapshot, t, language } = useApp();
  const { name } = useCharacter();
  const call = wakeCall(snapshot.session.wake, language);
  return (
    <p class="line line-notice" data-testid="notice" data-word={word}>
      {t(`notice.${word}`, { name, call: call || name })}
    </p>
  );
}

// The connection, as a small pill; and what those hear who do not see the page.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useSecondsUntil } from "../../ui/countdown";
import type { News } from "../client/state";
import type { OpsTranslate } from "../i18n";
import { useOps, useView } from "./context";

export function Status(): JSX.Element {
  const { stream, connection, t } = useOps();
  const seconds = useSecondsUntil(connection.phase === "reconnecting" ? connection.retryAt : null);
  const retrying = connection.phase === "reconnecting";
  const text = retrying ? t("status.reconnecting", { n: seconds }) : t(`status.${connection.phase}`);
  const content = (
    <>
      <span class="status-dot" />
      <span class="status-text">{text}</span>
    </>
  );
  if (!retrying) {
    return (
      <span class="status" data-testid="status" data-state={connection.phase}>
        {content}
      </span>
    );
  }
  return (
    <button
      type="button"
      class="status"
      data-testid="status"
      data-state={connection.phase}
      title={t("status.retry")}
      onClick={() => stream.retryNow()}
    >
      {content}
    </button>
  );
}

/** Above the figures while they are old: how old, and what the server said when it sent the page away. */
export function Stale(): JSX.Element | null {
  const { connection, t, clocks } = useOps();
  const live = connection.phase === "live";
  const now = useView((view) => (live ? 0 : view.now));
  const restartedAt = useView((view) => view.restartedAt);
  const problem = connection.phase === "reconnecting" ? connection.problem : null;
  return (
    <>
      {!live && now > 0 && (
        <p class="bar" data-testid="stale">
          {t("status.stale", { time: clocks.seconds(now) })}
          {problem?.problem && (
            <span lang="en">
              {" "}
              {problem.problem} {problem.fix}
            </span>
          )}
        </p>
      )}
      {restartedAt !== null && (
        <p class="bar" data-testid="restarted">
          {t("page.restarted", { time: clocks.seconds(restartedAt) })}
        </p>
      )}
    </>
  );
}

export function Announcer(): JSX.Element {
  const { connection, t } = useOps();
  const news = useView((view) => view.news);
  const [text, setText] = useState("");
  const was = useRef<boolean | null>(null);
  const live = connection.phase === "live";
  useEffect(() => {
    if (was.current === true && !live) setText(t("news.lost"));
    if (was.current === false && live) setText(t("news.live"));
    if (live || was.current !== null) was.current = live;
  }, [live]);
  useEffect(() => {
    if (news) setText(wordsOf(news, t));
  }, [news]);
  return (
    <div class="sr-only" role="status" data-testid="announcer">
      {text}
    </div>
  );
}

function wordsOf(news: News, t: OpsTranslate): string {
  switch (news.what) {
    case "restarted":
      return t("news.restarted");
    case "verdict":
      return t(`verdict.said-${news.state}`);
    case "abandoned":
      return t("abandoned.said", { n: news.n });
    case "soak":
      return t(`soak.said-${news.state}`);
  }
}

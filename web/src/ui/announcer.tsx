// What a screen reader is told: each sentence of the reply as it begins, and the changes of the connection.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { withoutMoods } from "../client/text";
import { useApp, useName } from "./context";

export function Announcer(): JSX.Element {
  const { snapshot, t } = useApp();
  const { session, connection } = snapshot;
  const name = useName();
  const [news, setNews] = useState("");
  const wasOnline = useRef<boolean | null>(null);
  const online = connection.phase === "online";
  useEffect(() => {
    if (wasOnline.current === true && !online) setNews(t("status.said-lost"));
    if (wasOnline.current === false && online) setNews(t("status.said-online"));
    if (online || wasOnline.current !== null) wasOnline.current = online;
  }, [online]);
  return (
    <>
      <div class="sr-only" aria-live="polite" data-testid="announcer">
        {session.announcements.map((one) => (
          <p key={one.id}>{withoutMoods(one.text, session.moods)}</p>
        ))}
      </div>
      <div class="sr-only" role="status">
        {session.phase === "thinking" ? t("chat.thinking", { name }) : news}
      </div>
    </>
  );
}

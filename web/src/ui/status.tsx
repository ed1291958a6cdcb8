// The connection, as a small pill: what it is now, when the next try comes, and a click to try at once.

import type { JSX } from "preact";
import { loginPage } from "../client/address";
import type { CloseReason } from "../client/connection";
import type { Key, Translate } from "../i18n";
import { useApp } from "./context";
import { useSecondsUntil } from "./countdown";

const RETRY_WORDS: Record<CloseReason, Key> = {
  full: "status.full",
  refused: "status.refused",
  restarting: "status.restarting",
  token: "status.token",
  lost: "status.reconnecting",
};

/** Why there is no connection, and when the next try comes. */
export function retryWords(t: Translate, reason: CloseReason, seconds: number): string {
  return t(RETRY_WORDS[reason], { n: seconds });
}

export function Status(): JSX.Element {
  const { client, snapshot, address, t } = useApp();
  const { connection } = snapshot;
  const seconds = useSecondsUntil(connection.phase === "reconnecting" ? connection.retryAt : null);
  const retrying = connection.phase === "reconnecting";
  const text = retrying ? retryWords(t, connection.reason, seconds) : t(`status.${connection.phase}`);
  const content = (
    <>
      <span class="status-dot" />
      <span class="status-text">{text}</span>
    </>
  );
  if (!retrying) {
    return (
      <span class="status" data-testid="status" data-state={connection.phase} title={text}>
        {content}
      </span>
    );
  }
  if (connection.reason === "token") {
    return (
      <a class="status" data-testid="status" data-state={connection.phase} href={loginPage(address, location.href)}>
        {content}
      </a>
    );
  }
  return (
    <button
      type="button"
      class="status"
      data-testid="status"
      data-state={connection.phase}
      title={[connection.detail, t("status.retry")].filter(Boolean).join(" · ")}
      onClick={() => client.connection.retryNow()}
    >
      {content}
    </button>
  );
}

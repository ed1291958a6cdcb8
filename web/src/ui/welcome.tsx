// An empty conversation: who is there, and how to begin.

import type { JSX } from "preact";
import { loginPage } from "../client/address";
import { canSend } from "../client/state";
import { Avatar } from "./avatar";
import { useApp, useCharacter } from "./context";
import { Icon } from "./icons";
import { useSecondsUntil } from "./countdown";
import { wakeCall } from "./wake";

const IDEAS = ["welcome.idea-1", "welcome.idea-2", "welcome.idea-3"] as const;

export function Welcome(): JSX.Element {
  const { client, snapshot, language, t } = useApp();
  const { session } = snapshot;
  const character = useCharacter();
  const { name } = character;
  const ready = canSend(session);
  const call = session.wake?.state === "listening" ? wakeCall(session.wake, language) : "";
  if (session.confName === null) return <Waiting />;
  return (
    <div class="welcome">
      <Avatar name={name} file={character.avatar} size="large" clip={snapshot.clip} />
      {character.greeting ? (
        <>
          <h2>{name}</h2>
          <p class="welcome-greeting" data-testid="greeting" lang={character.language}>
            {character.greeting}
          </p>
        </>
      ) : (
        <h2>{t("welcome.title", { name })}</h2>
      )}
      {!character.greeting && character.description && (
        <p class="welcome-about" lang={character.language}>
          {character.description}
        </p>
      )}
      <p>{t(session.room !== null ? "welcome.room" : call ? "welcome.call" : "welcome.hint", { name, call })}</p>
      <div class="ideas">
        {IDEAS.map((idea) => (
          <button
            key={idea}
            type="button"
            class="idea"
            disabled={!ready}
            onClick={() => {
              const text = call ? t("welcome.called", { call, idea: t(idea) }) : t(idea);
              client.dispatch({ type: "say", text, pictures: [], at: Date.now() });
            }}
          >
            {t(idea)}
          </button>
        ))}
        {session.room === null && <button
          type="button"
          class="idea idea-speak"
          data-testid="speak-up-welcome"
          disabled={!ready}
          onClick={() => client.dispatch({ type: "speak-up" })}
        >
          <Icon name="speak" size={17} />
          {t("composer.speak-up", { name })}
        </button>}
      </div>
    </div>
  );
}

/** Nobody is there yet: patience, or the reason why not and what can be done. */
function Waiting(): JSX.Element {
  const { client, snapshot, address, t, openSettings } = useApp();
  const { connection } = snapshot;
  const seconds = useSecondsUntil(connection.phase === "reconnecting" ? connection.retryAt : null);
  if (connection.phase !== "reconnecting" && connection.phase !== "offline") {
    return (
      <div class="welcome">
        <span class="spinner spinner-large" />
        <p>{t("welcome.waiting")}</p>
      </div>
    );
  }
  const offline = connection.phase === "offline";
  return (
    <div class="welcome" data-testid="unreachable">
      <Icon name="unplugged" size={40} />
      {/* Without the countdown below, which would be read out each second. */}
      <div role="alert">
        <h2>{t(offline ? "trouble.offline" : `trouble.${connection.reason}`)}</h2>
        <p class="welcome-about">{t(offline ? "trouble.offline-about" : `trouble.${connection.reason}-about`)}</p>
      </div>
      <p class="trouble-address">
        <code>{address.socket}</code>
      </p>
      {!offline && connection.detail && connection.reason !== "token" && <p lang="en">{connection.detail}</p>}
      {!offline && (
        <div class="ideas">
          {connection.reason === "token" && (
            <a class="button-main" data-testid="login" href={loginPage(address, location.href)}>
              {t("trouble.login")}
            </a>
          )}
          <button type="button" class={connection.reason === "token" ? "button-plain" : "button-main"} onClick={() => client.connection.retryNow()}>
            {t("trouble.retry", { n: seconds })}
          </button>
          <button type="button" class="button-plain" onClick={openSettings}>
            {t("trouble.address")}
          </button>
        </div>
      )}
    </div>
  );
}

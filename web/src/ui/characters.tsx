// The characters as cards: who is on stage, who is getting ready, and who could not come, with the reason.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { ConfigFile } from "../protocol.generated";
import { languageTag } from "../i18n";
import { Avatar } from "./avatar";
import { useApp } from "./context";
import { Icon } from "./icons";

/** `onChosen` is called when one was picked, so that a drawer can close. */
export function Characters({ onChosen }: { onChosen: () => void }): JSX.Element {
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
      {session.room !== null && session.characters.length > 1 && <p class="side-note">{t("room.switch-note")}</p>}
    </section>
  );
}

function CharacterCard({ character, onChosen }: { character: ConfigFile; onChosen: () => void }): JSX.Element {
  const { client, snapshot, language, t } = useApp();
  const { session, clip } = snapshot;
  const onStage = session.switchingTo === null && session.confName === character.name;
  const loading = session.switchingTo === character.filename || (onStage && session.loading === session.confUid);
  const current = onStage && !loading;
  const failure = session.failures[character.filename];
  const state = loading ? "loading" : current ? "ready" : failure === undefined ? "away" : "failed";
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (onStage) button.current?.scrollIntoView({ block: "nearest" });
  }, [onStage]);
  const choose = (): void => {
    if (!onStage && !loading) client.dispatch({ type: "switch", file: character.filename });
    onChosen();
  };
  return (
    <button
      ref={button}
      type="button"
      class="card"
      data-testid="character-card"
      data-name={character.name}
      data-state={state}
      aria-current={onStage ? "true" : undefined}
      aria-busy={loading}
      disabled={!session.connected}
      title={onStage ? undefined : t("characters.switch", { name: character.name })}
      onClick={choose}
    >
      <Avatar name={character.name} file={character.avatar} size="medium" clip={current ? clip : null} />
      <span class="card-words">
        <span class="card-name">
          <span lang={character.language}>{character.name}</span>
          {current && (
            <span class="card-badge" lang={languageTag(language)}>
              {t("characters.ready")}
            </span>
          )}
        </span>
        {state === "failed" ? (
          <span class="card-line card-failed" title={failure}>
            {t("characters.failed", { why: failure ?? "" })}
          </span>
        ) : (
          <span class="card-line" lang={loading ? undefined : character.language}>
            {loading ? t("characters.loading") : character.description}
          </span>
        )}
      </span>
      {loading && <span class="spinner" />}
      {state === "failed" && (
        <span class="card-mark">
          <Icon name="warning" size={18} />
        </span>
      )}
    </button>
  );
}

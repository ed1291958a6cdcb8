// The page as a whole: panel, stage, dialogs; and the keys and choices that concern all of it.

import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Address } from "../client/address";
import type { Client } from "../client/client";
import type { AudioPlayer } from "../client/player";
import { browserStorage, loadPreferences, savePreferences, type Preferences } from "../client/preferences";
import { isBusy } from "../client/state";
import { languageTag, pickLanguage, translator } from "../i18n";
import { Announcer } from "./announcer";
import { Avatar } from "./avatar";
import { Chat } from "./chat";
import { Composer } from "./composer";
import { AppContext, useApp, useCharacter, useFile, useSnapshot, type App } from "./context";
import { useMedia } from "./media";
import { Dialog } from "./dialog";
import { Icon, Logo } from "./icons";
import { QueueTray } from "./room";
import { Settings } from "./settings";
import { Sidebar } from "./sidebar";
import { Status } from "./status";
import { Toasts } from "./toasts";
import { WakePill } from "./wake";

interface RootProps {
  client: Client;
  player: AudioPlayer;
  address: Address;
  /** Tells when the browser forbids sound until there was a click. */
  onSoundBlocked: (tell: () => void) => void;
}

export function Root({ client, player, address, onSoundBlocked }: RootProps): JSX.Element {
  const snapshot = useSnapshot(client);
  const [preferences, setPreferences] = useState(() => loadPreferences(browserStorage("localStorage")));
  const [blocked, setBlocked] = useState(false);
  const language = preferences.language === "auto" ? pickLanguage(navigator.languages) : preferences.language;
  const t = useMemo(() => translator(language), [language]);
  const prefer = (change: Partial<Preferences>): void => {
    const next = { ...preferences, ...change };
    setPreferences(next);
    savePreferences(browserStorage("localStorage"), next);
  };
  useEffect(() => {
    document.documentElement.lang = languageTag(language);
  }, [language]);
  useEffect(() => {
    document.documentElement.dataset["theme"] = preferences.theme;
  }, [preferences.theme]);
  useEffect(() => client.setSound(preferences.sound), [preferences.sound]);
  useEffect(() => {
    player.volume = preferences.volume;
  }, [preferences.volume]);
  useEffect(() => void player.setOutput(preferences.speaker), [preferences.speaker]);
  useEffect(() => onSoundBlocked(() => setBlocked(true)), []);
  useEffect(() => {
    const unlock = (): void => player.unlock();
    document.addEventListener("pointerdown", unlock, { once: true });
    return () => document.removeEventListener("pointerdown", unlock);
  }, []);
  const { confName, room } = snapshot.session;
  useEffect(() => {
    document.title = [confName, room, "Greenroom"].filter(Boolean).join(" · ");
  }, [confName, room]);
  const [settings, setSettings] = useState(false);

  const openSettings = (): void => setSettings(true);
  const app: App = { client, player, address, snapshot, t, language, preferences, prefer, openSettings };
  return (
    <AppContext.Provider value={app}>
      <Layout />
      {settings && <Settings onClose={() => setSettings(false)} />}
      {blocked && preferences.sound && (
        <div class="sound-bar" role="status">
          <Icon name="sound" />
          <span>{t("sound.blocked")}</span>
          <button
            type="button"
            class="button-soft"
            onClick={() => {
              player.unlock();
              setBlocked(false);
            }}
          >
            {t("sound.unblock")}
          </button>
        </div>
      )}
      <Toasts />
      <Announcer />
    </AppContext.Provider>
  );
}

function Layout(): JSX.Element {
  const { client, snapshot, t, preferences } = useApp();
  const wide = useMedia("(min-width: 56rem)");
  const [drawer, setDrawer] = useState(false);
  const address = useFile();
  const { backgrounds } = snapshot.session;
  const { background } = preferences;
  const picture = background !== null && backgrounds.includes(background) ? address("bg", background) : null;
  useEffect(() => {
    if (wide) setDrawer(false);
  }, [wide]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== "Escape" || event.isComposing || document.querySelector("dialog[open]")) return;
      const { session } = client.snapshot;
      // In a room a slip of the finger must not end what everybody listens to.
      if (isBusy(session) && session.room === null) client.dispatch({ type: "interrupt" });
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return (
    <div class="layout">
      <a class="skip" href="#composer">
        {t("app.skip")}
      </a>
      {wide && (
        <aside class="panel" aria-label={t("app.menu")}>
          <Brand />
          <Sidebar onChosen={() => {}} />
        </aside>
      )}
      <main
        class="stage"
        data-picture={picture ? "" : undefined}
        style={picture ? { "--picture": `url("${picture}")` } : undefined}
      >
        <Header onMenu={wide ? null : () => setDrawer(true)} />
        <Elsewhere />
        <Chat />
        <QueueTray />
        <Composer />
      </main>
      {drawer && !wide && (
        <Dialog title="Greenroom" kind="drawer" onClose={() => setDrawer(false)}>
          <Sidebar onChosen={() => setDrawer(false)} />
        </Dialog>
      )}
    </div>
  );
}

/** Whoever was sent here by a link must see that another server is answering. */
function Elsewhere(): JSX.Element | null {
  const { address, t, prefer } = useApp();
  if (address.elsewhere === null) return null;
  return (
    <p class="elsewhere" data-testid="elsewhere">
      <span>{t("app.elsewhere", { host: address.elsewhere })}</span>
      <a href={location.pathname} onClick={() => prefer({ server: null })}>
        {t("app.back-home")}
      </a>
    </p>
  );
}

function Brand(): JSX.Element {
  return (
    <div class="brand">
      <Logo />
      <span>Greenroom</span>
    </div>
  );
}

function Header({ onMenu }: { onMenu: (() => void) | null }): JSX.Element {
  const { snapshot, t, preferences, prefer, openSettings } = useApp();
  const { session, clip } = snapshot;
  const character = useCharacter();
  const sound = t(preferences.sound ? "sound.on" : "sound.off");
  return (
    <header class="head">
      {onMenu && (
        <button type="button" class="button-icon" data-testid="menu" aria-label={t("app.menu")} onClick={onMenu}>
          <Icon name="menu" />
        </button>
      )}
      {session.confName !== null && (
        <div class="head-who">
          <Avatar name={character.name} file={character.avatar} size="medium" clip={clip} />
          <h1 lang={character.language}>{character.name}</h1>
          {session.switchingTo !== null && <span class="spinner" title={t("characters.loading")} />}
          {session.room !== null && (
            <span class="room-tag" data-testid="room-tag" title={t("room.about")}>
              <Icon name="people" size={14} />
              {session.room}
              {session.viewers !== null && <b>{session.viewers}</b>}
            </span>
          )}
        </div>
      )}
      <div class="head-tools">
        <WakePill />
        <Status />
        <button
          type="button"
          class="button-icon"
          data-testid="sound"
          data-on={preferences.sound ? "" : undefined}
          aria-label={sound}
          title={sound}
          onClick={() => prefer({ sound: !preferences.sound })}
        >
          <Icon name={preferences.sound ? "sound" : "silent"} />
        </button>
        <button
          type="button"
          class="button-icon"
          data-testid="settings"
          aria-label={t("settings.title")}
          title={t("settings.title")}
          onClick={openSettings}
        >
          <Icon name="settings" />
        </button>
      </div>
    </header>
  );
}

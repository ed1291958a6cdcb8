// The ops page as a whole, and the choices that concern all of it.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import { browserStorage, loadPreferences, savePreferences, type Preferences } from "../../client/preferences";
import { dateTag, languageTag, pickLanguage } from "../../i18n/language";
import { Logo } from "../../ui/icons";
import type { Api } from "../client/api";
import { clocks } from "../client/format";
import type { Store } from "../client/state";
import type { Stream } from "../client/stream";
import { headlineOf } from "../client/verdict";
import { opsTranslator } from "../i18n";
import { Abandoned } from "./abandoned";
import { OverTime, Visits } from "./charts";
import { Closes } from "./closes";
import { OpsContext, useOps, writers, type Ops } from "./context";
import { useMedia } from "../../ui/media";
import { Engines, Queues } from "./engines";
import { Icon } from "./icons";
import { Locked } from "./login";
import { Owners } from "./owners";
import { Soak } from "./soak";
import { Announcer, Stale, Status } from "./status";
import { Facts, Verdict } from "./verdict";

interface RootProps {
  api: Api;
  store: Store;
  stream: Stream;
  /** Tells when the connection has changed. */
  watch: (listener: () => void) => () => void;
}

export function Root({ api, store, stream, watch }: RootProps): JSX.Element {
  const [connection, setConnection] = useState(stream.state);
  const [preferences, setPreferences] = useState(() => loadPreferences(browserStorage("localStorage")));
  const prefersDark = useMedia("(prefers-color-scheme: dark)");
  const language = preferences.language === "auto" ? pickLanguage(navigator.languages) : preferences.language;
  const scheme = preferences.theme === "auto" ? (prefersDark ? "dark" : "light") : preferences.theme;
  const prefer = (change: Partial<Preferences>): void => {
    // Read anew: the chat page in another tab may have stored other choices since.
    const next = { ...loadPreferences(browserStorage("localStorage")), ...change };
    setPreferences(next);
    savePreferences(browserStorage("localStorage"), next);
  };
  useEffect(() => {
    setConnection(stream.state);
    return watch(() => setConnection(stream.state));
  }, [stream]);
  // A layout effect comes before the effects of all parts: charts ask for their colours when they are made.
  useLayoutEffect(() => {
    document.documentElement.dataset["theme"] = preferences.theme;
  }, [preferences.theme]);
  useEffect(() => {
    document.documentElement.lang = languageTag(language);
  }, [language]);
  const written = useMemo(() => {
    const tag = dateTag(language, navigator.languages);
    return { t: opsTranslator(language), clocks: clocks(tag), ...writers(language) };
  }, [language]);
  const ops: Ops = { api, store, stream, connection, language, scheme, ...written };
  return (
    <OpsContext.Provider value={ops}>
      <a class="skip" href="#verdict">
        {ops.t("page.skip")}
      </a>
      <Header prefer={prefer} />
      <Content />
      <Announcer />
      <Title />
    </OpsContext.Provider>
  );
}

function Header({ prefer }: { prefer: (change: Partial<Preferences>) => void }): JSX.Element {
  const { api, t, language, scheme } = useOps();
  const theme = t(scheme === "dark" ? "page.theme-light" : "page.theme-dark");
  return (
    <header class="ops-head">
      <div class="ops-brand">
        <Logo />
        <h1>
          <span class="ops-brand-name">Greenroom</span> <span class="ops-brand-page">{t("page.title")}</span>
        </h1>
      </div>
      <div class="ops-tools">
        <Status />
        <a class="button-plain button-tool" href={api.addresses.chat} title={t("page.chat")}>
          <Icon name="chat" size={18} />
          <span class="tool-word">{t("page.chat")}</span>
        </a>
        <a class="button-plain button-tool" href={api.addresses.export} download title={t("page.export-hint")} data-testid="export">
          <Icon name="save" size={18} />
          <span class="tool-word">{t("page.export")}</span>
        </a>
        <button
          type="button"
          class="button-plain button-tool"
          lang={language === "zh" ? "en" : "zh-CN"}
          data-testid="language"
          onClick={() => prefer({ language: language === "zh" ? "en" : "zh" })}
        >
          {t("page.language")}
        </button>
        <button
          type="button"
          class="button-icon"
          aria-label={theme}
          title={theme}
          data-testid="theme"
          onClick={() => prefer({ theme: scheme === "dark" ? "light" : "dark" })}
        >
          <Icon name={scheme === "dark" ? "sun" : "moon"} />
        </button>
      </div>
    </header>
  );
}

function Content(): JSX.Element {
  const { connection, store, t } = useOps();
  const known = useKnown(store);
  if (connection.phase === "locked") {
    return (
      <main class="ops-main">
        <Locked problem={connection.problem} />
      </main>
    );
  }
  if (!known) {
    return (
      <main class="ops-main">
        <p class="opening" role="status">
          <span class="spinner" />
          {t(connection.phase === "offline" ? "status.offline" : "page.opening")}
        </p>
      </main>
    );
  }
  return (
    <main class="ops-main" data-stale={connection.phase === "live" ? undefined : ""} data-testid="ops">
      <Stale />
      <Abandoned />
      <div class="row row-verdict">
        <Verdict />
        <Facts />
      </div>
      <div class="row row-visits">
        <Visits />
        <Soak />
      </div>
      <OverTime />
      <div class="row row-tables">
        <Engines />
        <Queues />
      </div>
      <Owners />
      <Closes />
    </main>
  );
}

function useKnown(store: Store): boolean {
  const [known, setKnown] = useState(store.view.server !== null);
  useEffect(() => {
    const look = (): void => setKnown(store.view.server !== null);
    look();
    return store.subscribe(look);
  }, [store]);
  return known;
}

/** The verdict in the tab's title, also while another tab is looked at. */
function Title(): null {
  const { store, t } = useOps();
  useEffect(() => {
    const write = (): void => {
      const { server } = store.view;
      const bad = server !== null && (headlineOf(server.verdict_hint).tone === "bad" || server.abandoned.length > 0);
      const title = `${bad ? "● " : ""}${t("page.title")} · Greenroom`;
      if (document.title !== title) document.title = title;
    };
    write();
    return store.subscribe(write);
  }, [store, t]);
  return null;
}

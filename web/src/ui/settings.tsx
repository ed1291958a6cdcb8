// Language, appearance, sound, microphone, server, background; and what the keys do.

import type { JSX } from "preact";
import { useApp, useFile } from "./context";
import { Dialog } from "./dialog";
import { Choice } from "./form";
import { ServerSettings } from "./settings-server";
import { SoundSettings } from "./settings-sound";

export function Settings({ onClose }: { onClose: () => void }): JSX.Element {
  const { t, preferences, prefer } = useApp();
  return (
    <Dialog title={t("settings.title")} kind="sheet" onClose={onClose}>
      <Choice
        title={t("settings.language")}
        name="language"
        value={preferences.language}
        onChange={(language) => prefer({ language })}
        options={[
          { value: "auto", label: t("settings.auto") },
          { value: "en", label: "English", lang: "en" },
          { value: "zh", label: "简体中文", lang: "zh-CN" },
        ]}
      />
      <Choice
        title={t("settings.theme")}
        name="theme"
        value={preferences.theme}
        onChange={(theme) => prefer({ theme })}
        options={[
          { value: "auto", label: t("settings.auto") },
          { value: "light", label: t("settings.light") },
          { value: "dark", label: t("settings.dark") },
        ]}
      />
      <SoundSettings />
      <Backgrounds />
      <ServerSettings />
      <section class="keys-section">
        <h3 class="choice-title">{t("settings.keys")}</h3>
        <dl class="keys">
          <Keys keys={["Enter"]} what={t("settings.key-send")} />
          <Keys keys={["Shift", "Enter"]} what={t("settings.key-line")} />
          <Keys keys={["Esc"]} what={t("settings.key-stop")} />
          <Keys keys={["/"]} what={t("settings.key-focus")} />
        </dl>
      </section>
    </Dialog>
  );
}

function Keys({ keys, what }: { keys: string[]; what: string }): JSX.Element {
  return (
    <div>
      <dt>
        {keys.map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </dt>
      <dd>{what}</dd>
    </div>
  );
}

function Backgrounds(): JSX.Element | null {
  const { snapshot, t, preferences, prefer } = useApp();
  const address = useFile();
  const files = snapshot.session.backgrounds;
  if (files.length === 0) return null;
  const chosen = preferences.background !== null && files.includes(preferences.background) ? preferences.background : "";
  return (
    <fieldset class="choice">
      <legend>{t("settings.background")}</legend>
      <div class="backgrounds">
        {["", ...files].map((file) => (
          <label key={file} class="background" title={nameOf(file) || t("settings.background-none")}>
            <input
              type="radio"
              name="background"
              checked={file === chosen}
              onChange={() => prefer({ background: file || null })}
            />
            {file ? (
              <img src={address("bg", file)} alt={nameOf(file)} loading="lazy" decoding="async" />
            ) : (
              <span>{t("settings.background-none")}</span>
            )}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function nameOf(file: string): string {
  return file.replace(/\.\w+$/, "").replace(/[-_]+/g, " ");
}

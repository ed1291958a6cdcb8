// Which server answers: the page's own, or another one.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { socketAddress } from "../client/address";
import { useApp } from "./context";

export function ServerSettings(): JSX.Element {
  const { t, address, preferences, prefer } = useApp();
  const [text, setText] = useState(preferences.server ?? "");
  const found = text.trim() === "" ? null : socketAddress(text, location.protocol === "https:");
  const wrong = text.trim() !== "" && found === null;
  const changed = found !== preferences.server;
  const connect = (event: Event): void => {
    event.preventDefault();
    if (wrong || !changed) return;
    prefer({ server: found });
    // Anew, without a server that the address bar may name: whatever was said belongs to the one before.
    const page = new URL(location.href);
    page.searchParams.delete("ws");
    location.assign(page.href);
  };
  return (
    <form class="field" onSubmit={connect}>
      <label class="choice-title" for="server-address">
        {t("server.title")}
      </label>
      <div class="field-row">
        <input
          id="server-address"
          type="text"
          inputMode="url"
          autocomplete="off"
          spellcheck={false}
          data-testid="server-address"
          placeholder={t("server.own")}
          value={text}
          aria-invalid={wrong}
          aria-describedby="server-hint"
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit" class="button-soft" disabled={wrong || !changed}>
          {t("server.connect")}
        </button>
      </div>
      <p id="server-hint" class={wrong ? "field-wrong" : "field-hint"}>
        {wrong ? t("server.wrong") : t("server.now", { address: address.socket })}
      </p>
    </form>
  );
}

// Short messages at the edge: they go by themselves, unless someone is looking at them.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Toast } from "../client/state";
import { isKey, type Translate } from "../i18n";
import { useApp } from "./context";
import { Icon } from "./icons";

const SHOWN_FOR = 8000;

/** Our own words for an error we know, with the server's below; else the server's alone: they are meant to be read. */
export function ErrorWords({ text, code }: { text: string; code: string | null }): JSX.Element {
  const { t } = useApp();
  const own = ownWords(t, code);
  if (own === null) return <p>{text || t("error.title")}</p>;
  return (
    <p>
      {own}
      {text && <small>{text}</small>}
    </p>
  );
}

function ownWords(t: Translate, code: string | null): string | null {
  const known = [`error.${code}`, `notice.${code}`, `info.${code}`].find(isKey);
  return known === undefined ? null : t(known);
}

export function Toasts(): JSX.Element {
  const { snapshot, t } = useApp();
  return (
    <section class="toasts" aria-label={t("toast.region")}>
      {snapshot.session.toasts.map((toast) => (
        <ToastCard key={toast.id} toast={toast} />
      ))}
    </section>
  );
}

function ToastCard({ toast }: { toast: Toast }): JSX.Element {
  const { client, t } = useApp();
  const [held, setHeld] = useState(false);
  const close = (): void => client.dispatch({ type: "close-toast", id: toast.id });
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(close, SHOWN_FOR);
    return () => clearTimeout(timer);
  }, [held, toast.id]);
  return (
    <div
      class={`toast toast-${toast.kind}`}
      data-testid="toast"
      role={toast.kind === "error" ? "alert" : "status"}
      onMouseEnter={() => setHeld(true)}
      onMouseLeave={() => setHeld(false)}
      onFocusCapture={() => setHeld(true)}
      onBlurCapture={() => setHeld(false)}
    >
      <Icon name={toast.kind === "error" ? "warning" : "check"} />
      <ErrorWords text={toast.text} code={toast.code} />
      {toast.undo !== undefined && (
        <button
          type="button"
          class="button-soft"
          data-testid="undo"
          onClick={() => {
            client.dispatch({ type: "restore-history", uid: toast.undo ?? "" });
            close();
          }}
        >
          {t("deleted.undo")}
        </button>
      )}
      <button type="button" class="button-icon" aria-label={t("toast.dismiss")} onClick={close}>
        <Icon name="close" size={16} />
      </button>
    </div>
  );
}

// Short messages at the edge: they go by themselves, unless someone is looking at them.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Toast } from "../client/state";
import { isKey, type Translate } from "../i18n";
import { useApp } from "./context";
import { Icon } from "./icons";

const SHOWN_FOR = 8000;

/** Our own words for an error we know; else the server's, which are meant to be read. */
export function errorText(t: Translate, text: string, code: string | null): string {
  const known = `error.${code ?? ""}`;
  const notice = `notice.${code ?? ""}`;
  if (isKey(known)) return t(known);
  if (isKey(notice)) return t(notice);
  return text || t("error.title");
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
      <p>{errorText(t, toast.text, toast.code)}</p>
      <button type="button" class="button-icon" aria-label={t("toast.dismiss")} onClick={close}>
        <Icon name="close" size={16} />
      </button>
    </div>
  );
}

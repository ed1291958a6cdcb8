// A modal layer on the browser's own <dialog>: it keeps the focus inside, gives it back, and closes with Esc.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { useApp } from "./context";
import { Icon } from "./icons";

interface DialogProps {
  title: string;
  kind: "drawer" | "sheet" | "question";
  onClose: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, kind, onClose, children }: DialogProps): JSX.Element {
  const { t } = useApp();
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={`dialog dialog-${kind}`}
      role={kind === "question" ? "alertdialog" : undefined}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <div class="dialog-body">
        <div class="dialog-head">
          <h2 id={heading}>{title}</h2>
          {kind !== "question" && (
            <button type="button" class="button-icon" aria-label={t("app.close")} onClick={onClose}>
              <Icon name="close" />
            </button>
          )}
        </div>
        {children}
      </div>
    </dialog>
  );
}

// The stack of one task, asked for when somebody wants to see it.

import type { JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { OpsStack } from "../../ops.generated";
import { Refused } from "../client/api";
import type { OpsKey } from "../i18n";
import { useOps } from "./context";

type Found = { is: "loading" } | { is: "stack"; stack: OpsStack } | { is: "problem"; word: OpsKey };

/** A button, and below it what it brought. */
export function Stack({ task, name }: { task: string; name: string }): JSX.Element {
  const { api, t } = useOps();
  const [found, setFound] = useState<Found | null>(null);
  const alive = useRef(true);
  const panel = useId();
  useEffect(() => {
    alive.current = true;
    return () => {
      alive.current = false;
    };
  }, []);
  const show = async (): Promise<void> => {
    setFound({ is: "loading" });
    let next: Found;
    try {
      next = { is: "stack", stack: await api.stack(task) };
    } catch (error) {
      const gone = error instanceof Refused && error.problem.status === 404;
      next = { is: "problem", word: gone ? "stack.gone" : "stack.failed" };
    }
    if (alive.current) setFound((now) => (now?.is === "loading" ? next : now));
  };
  const open = found !== null;
  return (
    <div class="stack-place">
      <button
        type="button"
        class="button-plain button-small"
        data-testid="stack-button"
        aria-expanded={open}
        aria-controls={open ? panel : undefined}
        aria-label={t(open ? "stack.hide-named" : "stack.show-named", { name })}
        onClick={() => (open ? setFound(null) : void show())}
      >
        {t(open ? "stack.hide" : "stack.show")}
      </button>
      {found && (
        <div id={panel} class="stack" data-testid="stack">
          <Content found={found} name={name} />
        </div>
      )}
    </div>
  );
}

function Content({ found, name }: { found: Found; name: string }): JSX.Element {
  const { t, clocks } = useOps();
  if (found.is === "loading") return <p role="status">{t("stack.loading")}</p>;
  if (found.is === "problem") return <p role="status">{t(found.word)}</p>;
  const { frames, taken_at } = found.stack;
  if (frames.length === 0) return <p role="status">{t("stack.empty")}</p>;
  return (
    <>
      <p class="note" role="status">
        {t("stack.taken", { time: clocks.seconds(taken_at) })}
      </p>
      <ol tabIndex={0} aria-label={t("stack.named", { name })}>
        {frames.map((frame, index) => (
          <li key={index}>
            <span class="frame-place">
              {frame.file}:{frame.line} {frame.function}
            </span>
            <code>{frame.code}</code>
          </li>
        ))}
      </ol>
    </>
  );
}

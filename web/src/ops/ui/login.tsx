// What the page shows when the server lets it in no further: a form for the token, or the server's reason.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Refused, type Problem } from "../client/api";
import type { OpsKey } from "../i18n";
import { useOps } from "./context";
import { Icon } from "./icons";

/** Whether a token would help. A refused address or origin is for the server's settings to change. */
function wantsToken({ status, code }: Problem): boolean {
  return status === 401 || code === "ops";
}

export function Locked({ problem }: { problem: Problem }): JSX.Element {
  const { t } = useOps();
  return (
    <section class="card login" aria-labelledby="login-title" data-testid="login">
      <h2 id="login-title">
        <Icon name="lock" />
        {t(wantsToken(problem) ? "login.title" : "login.refused")}
      </h2>
      {wantsToken(problem) ? (
        <TokenForm problem={problem} />
      ) : (
        <p lang="en">
          {problem.problem} {problem.fix}
        </p>
      )}
    </section>
  );
}

function TokenForm({ problem }: { problem: Problem }): JSX.Element {
  const { api, stream, t } = useOps();
  const [token, setToken] = useState("");
  const [asking, setAsking] = useState(false);
  const [trouble, setTrouble] = useState<OpsKey | null>(null);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const logIn = async (): Promise<void> => {
    setAsking(true);
    setTrouble(null);
    try {
      await api.logIn(token.trim());
      setToken("");
      stream.retryNow();
    } catch (error) {
      setTrouble(wordOf(error));
      field.current?.select();
    }
    setAsking(false);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (token.trim() && !asking) void logIn();
      }}
    >
      <p>{t(problem.code === "ops" ? "login.ops" : "login.text")}</p>
      <label class="field">
        <span>{t("login.label")}</span>
        <input
          ref={field}
          type="password"
          autocomplete="current-password"
          value={token}
          aria-invalid={trouble !== null}
          aria-describedby={trouble ? "login-trouble" : undefined}
          data-testid="login-token"
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      {trouble && (
        <p class="trouble" id="login-trouble" role="alert">
          {t(trouble)}
        </p>
      )}
      <button type="submit" class="button-main" disabled={asking || !token.trim()} data-testid="login-submit">
        {t("login.submit")}
      </button>
    </form>
  );
}

function wordOf(error: unknown): OpsKey {
  if (!(error instanceof Refused)) return "login.failed";
  if (error.problem.status === 429) return "login.slow";
  return error.problem.status === 401 || error.problem.status === 403 ? "login.wrong" : "login.failed";
}

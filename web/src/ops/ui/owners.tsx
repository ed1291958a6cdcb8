// The tree of owners: read when it is opened, kept fresh while it is looked at.

import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { OpsTask, OpsTree } from "../../ops.generated";
import { canceller, lastPart } from "../client/places";
import { allPaths, branches, joinPages, opened, type Branch } from "../client/tree";
import { useOps, useView } from "./context";
import { Icon } from "./icons";
import { Place } from "./place";
import { Stack } from "./stack";

const PAGE = 300;
const REFRESH_SECONDS = 5;
const CHILDREN = 50;

interface Reading {
  tree: OpsTree | null;
  busy: boolean;
  failed: boolean;
}

/** The tree while `open`: read at once, and again with the stream's samples every few seconds. */
function useTree(open: boolean): Reading & { refresh: () => void; more: () => void } {
  const { api, store } = useOps();
  // The server lists no more at once. A tree that was read further is only refreshed by hand.
  const most = useView((view) => view.server?.limits.tree_nodes) ?? PAGE;
  const page = Math.min(PAGE, most);
  const [reading, setReading] = useState<Reading>({ tree: null, busy: false, failed: false });
  const now = useRef({ reading, abort: null as AbortController | null, at: 0, limit: page });
  now.current.reading = reading;
  const read = async (after: string | null): Promise<void> => {
    now.current.abort?.abort();
    const abort = new AbortController();
    now.current.abort = abort;
    now.current.at = store.view.now;
    setReading((before) => ({ ...before, busy: true }));
    try {
      const found = await api.tree(after, after === null ? now.current.limit : page, abort.signal);
      if (abort.signal.aborted) return;
      const { tree: before } = now.current.reading;
      const tree = after !== null && before ? joinPages(before, found) : found;
      if (after !== null) now.current.limit += page;
      setReading({ tree, busy: false, failed: false });
    } catch {
      // The server said no or was not reached; either way the last tree stays, with a word about it.
      if (!abort.signal.aborted) setReading((before) => ({ ...before, busy: false, failed: true }));
    }
  };
  useEffect(() => {
    if (!open) return;
    now.current.limit = page;
    void read(null);
    const leave = store.subscribe(() => {
      const { reading: latest, at, limit } = now.current;
      const due = store.view.now - at >= REFRESH_SECONDS || store.view.now < at;
      if (due && !latest.busy && !document.hidden && limit <= most) void read(null);
    });
    return () => {
      leave();
      now.current.abort?.abort();
      setReading({ tree: null, busy: false, failed: false });
    };
  }, [open]);
  return {
    ...reading,
    refresh: () => {
      if (now.current.limit > most) now.current.limit = page;
      void read(null);
    },
    more: () => void read(reading.tree?.next ?? null),
  };
}

export function Owners(): JSX.Element {
  const { t, clocks } = useOps();
  const [open, setOpen] = useState(false);
  const { tree, busy, failed, refresh, more } = useTree(open);
  const [paths, setPaths] = useState<ReadonlySet<string> | null>(null);
  const roots = useMemo(() => (tree ? branches(tree.owners) : []), [tree]);
  const shown = paths ?? opened(roots);
  const toggle = (path: string): void => {
    const next = new Set(shown);
    if (!next.delete(path)) next.add(path);
    setPaths(next);
  };
  return (
    <section class="card owners" aria-labelledby="owners-title" data-testid="owners">
      <div class="section-head">
        <h2 id="owners-title">{t("owners.title")}</h2>
        <button
          type="button"
          class="button-soft"
          data-testid="owners-toggle"
          aria-expanded={open}
          aria-controls={open ? "owners-tree" : undefined}
          onClick={() => {
            setPaths(null);
            setOpen(!open);
          }}
        >
          {t(open ? "owners.hide" : "owners.show")}
        </button>
      </div>
      <p class="note">{t("owners.text")}</p>
      {open && (
        <div id="owners-tree">
          {tree && (
            <div class="owners-tools">
              <button type="button" class="button-plain button-small" onClick={() => setPaths(new Set(allPaths(roots)))}>
                {t("owners.expand")}
              </button>
              <button type="button" class="button-plain button-small" onClick={() => setPaths(new Set())}>
                {t("owners.collapse")}
              </button>
              <button type="button" class="button-plain button-small" data-testid="owners-refresh" onClick={refresh}>
                <Icon name="refresh" size={14} />
                {t("owners.refresh")}
              </button>
              <span class="note" data-testid="owners-as-of">
                {t("owners.as-of", { time: clocks.seconds(tree.t) })}
              </span>
            </div>
          )}
          {!tree && busy && <p role="status">{t("owners.loading")}</p>}
          {failed && (
            <p class="trouble" role="alert">
              {t("owners.failed")}
            </p>
          )}
          <ul class="tree">
            {roots.map((branch) => (
              <Owner key={branch.owner.path} branch={branch} open={shown} onToggle={toggle} />
            ))}
          </ul>
          {tree?.next != null && (
            <button type="button" class="button-plain button-wide" data-testid="owners-more" onClick={more} disabled={busy}>
              {t("owners.more", { n: tree.left_off })}
            </button>
          )}
        </div>
      )}
    </section>
  );
}

interface OwnerProps {
  branch: Branch;
  open: ReadonlySet<string>;
  onToggle: (path: string) => void;
}

function Owner({ branch, open, onToggle }: OwnerProps): JSX.Element {
  const { t, age } = useOps();
  const { owner, children, running, waiting, cancelling } = branch;
  const [most, setMost] = useState(CHILDREN);
  const isOpen = open.has(owner.path);
  const empty = children.length === 0 && owner.tasks.length === 0;
  const words = (
    <>
      <span class="owner-name">{lastPart(owner.path)}</span>
      <span class="owner-counts">
        {running > 0 && <span class="badge">{t("owners.running", { n: running })}</span>}
        {waiting > 0 && (
          <span class="badge" data-tone="wait">
            {t("owners.waiting", { n: waiting })}
          </span>
        )}
        {cancelling && (
          <span class="badge" data-tone="bad">
            {t("task.cancelling")}
          </span>
        )}
        {!owner.open && (
          <span class="badge" data-tone="bad">
            {t("owners.closing")}
          </span>
        )}
        <span class="owner-age">
          <span class="sr-only">{t("owners.age", { age: age(owner.age_s) })}</span>
          <span aria-hidden="true">{age(owner.age_s)}</span>
        </span>
      </span>
    </>
  );
  return (
    <li class="owner" data-testid="owner" data-path={owner.path}>
      {empty ? (
        <div class="owner-row">{words}</div>
      ) : (
        <button type="button" class="owner-row" aria-expanded={isOpen} onClick={() => onToggle(owner.path)}>
          <span class="owner-chevron">
            <Icon name="chevron" size={16} />
          </span>
          {words}
        </button>
      )}
      {isOpen && !empty && (
        <ul>
          {owner.tasks.map((task) => (
            <Task key={task.id} task={task} />
          ))}
          {owner.tasks_left_off > 0 && <li class="note">{t("owners.left-off", { n: owner.tasks_left_off })}</li>}
          {children.slice(0, most).map((child) => (
            <Owner key={child.owner.path} branch={child} open={open} onToggle={onToggle} />
          ))}
          {children.length > most && (
            <li>
              <button type="button" class="button-plain button-small" onClick={() => setMost(most + CHILDREN)}>
                {t("owners.more-here", { n: Math.min(CHILDREN, children.length - most) })}
              </button>
            </li>
          )}
        </ul>
      )}
    </li>
  );
}

function Task({ task }: { task: OpsTask }): JSX.Element {
  const { t, age } = useOps();
  const state =
    task.state === "waiting" && task.position > 0
      ? t("task.waiting-at", { n: task.position })
      : task.state === "running" || task.state === "waiting" || task.state === "cancelling"
        ? t(`task.${task.state}`)
        : task.state;
  const tone = task.state === "cancelling" ? "bad" : task.state === "waiting" ? "wait" : "good";
  return (
    <li class="task" data-testid="task" data-state={task.state}>
      <div class="task-head">
        <span class="task-name">{task.name}</span>
        <span class="badge" data-tone={tone}>
          {state}
        </span>
        <span class="owner-age">{age(task.age_s)}</span>
      </div>
      <p class="task-site">
        <Place text={t("task.site", { site: task.site })} />
      </p>
      {task.cancelled_by !== null && (
        <p class="task-cancelled">
          <Place text={t("task.cancelled-by", { who: canceller(task.cancelled_by) })} />
        </p>
      )}
      <Stack task={task.id} name={task.name} />
    </li>
  );
}

// A room: what it is, who else is there, and our own messages that wait in line.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ROOM_NAME, roomPage } from "../client/address";
import type { Queued } from "../client/state";
import type { Key } from "../i18n";
import { useApp, useSeconds } from "./context";
import { Dialog } from "./dialog";
import { Icon } from "./icons";

export function RoomInfo({ room }: { room: string }): JSX.Element {
  const { snapshot, t } = useApp();
  const { viewers } = snapshot.session;
  const [copied, setCopied] = useState(false);
  const copy = (): void => {
    void navigator.clipboard?.writeText(roomPage(location.href, room)).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 2000);
    });
  };
  return (
    <section class="room" aria-labelledby="room-title" data-testid="room">
      <h2 id="room-title" class="side-title">
        {t("room.title")}
      </h2>
      <div class="room-card">
        <p class="room-name">{room}</p>
        <p class="room-viewers" role="status" data-testid="viewers">
          <Icon name="people" size={16} />
          {viewers === null ? t("room.viewers-unknown") : viewers === 1 ? t("room.alone") : t("room.viewers", { n: viewers })}
        </p>
        <p class="room-about">{t("room.about")}</p>
        <div class="room-buttons">
          {"clipboard" in navigator && (
            <button type="button" class="button-soft" onClick={copy}>
              <Icon name={copied ? "check" : "copy"} size={16} />
              {t(copied ? "chat.copied" : "room.copy")}
            </button>
          )}
          <a class="button-plain" data-testid="leave-room" href={roomPage(location.href, null)}>
            {t("room.leave")}
          </a>
        </div>
      </div>
    </section>
  );
}

/** The way into a room. */
export function RoomsEntry(): JSX.Element {
  const { t } = useApp();
  const [asking, setAsking] = useState(false);
  return (
    <section class="rooms-entry">
      <button type="button" class="side-link" data-testid="join-room" onClick={() => setAsking(true)}>
        <Icon name="people" size={18} />
        {t("room.join")}
      </button>
      {asking && <JoinDialog onClose={() => setAsking(false)} />}
    </section>
  );
}

function JoinDialog({ onClose }: { onClose: () => void }): JSX.Element {
  const { t } = useApp();
  const [name, setName] = useState("");
  const wrong = name !== "" && !ROOM_NAME.test(name);
  const join = (event: Event): void => {
    event.preventDefault();
    if (ROOM_NAME.test(name)) location.assign(roomPage(location.href, name));
  };
  return (
    <Dialog title={t("room.join")} kind="sheet" onClose={onClose}>
      <form class="form" onSubmit={join}>
        <p>{t("room.join-about")}</p>
        <label class="field">
          <span class="choice-title">{t("room.name")}</span>
          <input
            type="text"
            data-testid="room-name"
            autocomplete="off"
            maxLength={64}
            value={name}
            aria-invalid={wrong}
            aria-describedby="room-name-hint"
            placeholder="main"
            onInput={(event) => setName(event.currentTarget.value.trim())}
          />
        </label>
        <p id="room-name-hint" class={wrong ? "field-wrong" : "field-hint"}>
          {t("room.name-hint")}
        </p>
        <div class="dialog-buttons">
          <button type="submit" class="button-main" disabled={!ROOM_NAME.test(name)}>
            {t("room.enter")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const REASONS: Record<NonNullable<Queued["reason"]>, Key> = {
  "queue-full": "queue.queue-full",
  "sender-full": "queue.sender-full",
  expired: "queue.expired",
  displaced: "queue.displaced",
  "room-closed": "queue.room-closed",
  duplicate: "queue.duplicate",
};

/** Our messages that are not being answered yet, above the message box. */
export function QueueTray(): JSX.Element | null {
  const { snapshot, t } = useApp();
  const { queue } = snapshot.session;
  if (queue.length === 0) return null;
  return (
    <ul class="queue" aria-label={t("queue.title")} data-testid="queue" tabIndex={0}>
      {queue.map((one) => (
        <QueuedRow key={one.id} one={one} />
      ))}
    </ul>
  );
}

function QueuedRow({ one }: { one: Queued }): JSX.Element {
  const { client, snapshot, t } = useApp();
  const seconds = useSeconds(one.retryAt);
  const over = one.state === "dropped" || one.state === "unknown";
  const words =
    one.state === "sent"
      ? t("queue.sent")
      : one.state === "waiting"
        ? one.position === 1
          ? t("queue.next")
          : t("queue.place", { n: one.position, all: one.waiting })
        : one.reason === null
          ? t("queue.unknown")
          : t(REASONS[one.reason]);
  return (
    <li class="queued" data-testid="queued" data-state={one.state} data-position={one.position}>
      <span class="queued-text">{one.text || t("histories.empty-line")}</span>
      <span class="queued-place" role="status">
        {over && <Icon name="warning" size={14} />}
        {words}
      </span>
      {one.state === "dropped" && one.reason !== "duplicate" && (
        <button
          type="button"
          class="button-soft"
          data-testid="queue-retry"
          disabled={!snapshot.session.connected || seconds > 0}
          onClick={() => client.dispatch({ type: "retry-queued", id: one.id, at: Date.now() })}
        >
          {seconds > 0 ? t("queue.retry-in", { n: seconds }) : t("chat.retry")}
        </button>
      )}
      {over && (
        <button
          type="button"
          class="button-icon"
          aria-label={t("queue.forget")}
          title={t("queue.forget")}
          onClick={() => client.dispatch({ type: "forget-queued", id: one.id })}
        >
          <Icon name="close" size={14} />
        </button>
      )}
    </li>
  );
}

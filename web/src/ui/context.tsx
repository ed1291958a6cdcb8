// What every part of the page needs: the client, its newest snapshot, the words, the user's choices.

import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import { fileAddress, type Address } from "../client/address";
import type { Client, Snapshot } from "../client/client";
import type { AudioPlayer } from "../client/player";
import type { Preferences } from "../client/preferences";
import { currentCharacter } from "../client/state";
import type { Language, Translate } from "../i18n";

export interface App {
  client: Client;
  player: AudioPlayer;
  address: Address;
  snapshot: Snapshot;
  t: Translate;
  language: Language;
  preferences: Preferences;
  prefer: (change: Partial<Preferences>) => void;
  openSettings: () => void;
}

export const AppContext = createContext<App | null>(null);

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error("a part of the page is outside of AppContext");
  return app;
}

export function useSnapshot(client: Client): Snapshot {
  const [snapshot, setSnapshot] = useState(client.snapshot);
  useEffect(() => {
    setSnapshot(client.snapshot);
    return client.subscribe(() => setSnapshot(client.snapshot));
  }, [client]);
  return snapshot;
}

const A_MINUTE = 60_000;

/** The time, renewed each minute while the page is in front. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now());
    }, A_MINUTE);
    return () => clearInterval(timer);
  }, []);
  // A line written a moment ago must not lie in the future of a clock that was read a minute ago.
  return Math.max(now, Date.now() - A_MINUTE);
}

/** Whole seconds until then (milliseconds since 1970), counted down; 0 when it is past or null. */
export function useSeconds(until: number | null): number {
  const [count, tick] = useState(0);
  const left = until === null ? 0 : Math.max(0, Math.ceil((until - Date.now()) / 1000));
  useEffect(() => {
    if (left === 0) return;
    const timer = setTimeout(() => tick(count + 1), 1000);
    return () => clearTimeout(timer);
  }, [until, count]);
  return left;
}

/** The name to call the character by. */
export function useName(): string {
  const { snapshot, t } = useApp();
  return snapshot.session.confName ?? t("chat.someone");
}

interface OnStage {
  name: string;
  avatar: string | null;
  description: string;
  /** What the character says first; empty if nothing. */
  greeting: string;
  language: string | undefined;
}

export function useCharacter(): OnStage {
  const { snapshot } = useApp();
  const name = useName();
  const found = currentCharacter(snapshot.session);
  return {
    name,
    avatar: found?.avatar ?? null,
    description: found?.description ?? "",
    greeting: found?.greeting?.trim() ?? "",
    language: found?.language,
  };
}

export function useFile(): (folder: "avatars" | "bg", name: string) => string {
  const { address } = useApp();
  return (folder, name) => fileAddress(address.socket, folder, name);
}

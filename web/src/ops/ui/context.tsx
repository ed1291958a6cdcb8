// What every part of the ops page needs: the store, the server's addresses, the words, the reader's choices.

import { createContext } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import type { Language } from "../../i18n/language";
import type { Api } from "../client/api";
import { age, change, figure, type Clocks, type Unit } from "../client/format";
import type { Store, View } from "../client/state";
import type { Stream, StreamState } from "../client/stream";
import type { OpsTranslate } from "../i18n";

export interface Ops {
  api: Api;
  store: Store;
  stream: Stream;
  connection: StreamState;
  t: OpsTranslate;
  language: Language;
  /** The colours in use: charts are drawn anew when it changes. */
  scheme: "light" | "dark";
  clocks: Clocks;
  figure: (value: number | null | undefined, unit: Unit) => string;
  change: (value: number | null, unit: Unit) => string;
  age: (seconds: number) => string;
}

export const OpsContext = createContext<Ops | null>(null);

export function useOps(): Ops {
  const ops = useContext(OpsContext);
  if (!ops) throw new Error("a part of the page is outside of OpsContext");
  return ops;
}

/** The functions that write figures in one language. */
export function writers(language: Language): Pick<Ops, "figure" | "change" | "age"> {
  return {
    figure: (value, unit) => figure(value, unit, language),
    change: (value, unit) => change(value, unit, language),
    age: (seconds) => age(seconds, language),
  };
}

/**
 * A part of the view. Whoever asks is drawn again only when this part is another one; a page that nobody sees is not
 * drawn at all until it is looked at.
 */
export function useView<T>(select: (view: View) => T): T {
  const { store } = useOps();
  const latest = useRef(select);
  latest.current = select;
  const part = select(store.view);
  const shown = useRef(part);
  shown.current = part;
  const [, drawAgain] = useState(0);
  useEffect(() => {
    const look = (): void => {
      if (!document.hidden && !Object.is(latest.current(store.view), shown.current)) drawAgain((count) => count + 1);
    };
    look();
    document.addEventListener("visibilitychange", look);
    const leave = store.subscribe(look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      leave();
    };
  }, [store]);
  return part;
}

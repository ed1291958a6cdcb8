// Starts the ops page: finds the server, opens the stream, follows the browser's network.

import { render } from "preact";
import type { Clock } from "../client/kept";
import { addressesOf, Api } from "./client/api";
import { Store } from "./client/state";
import { Stream } from "./client/stream";
import { Root } from "./ui/app";
import "../styles/ops.css";

const clock: Clock = {
  now: () => performance.now(),
  after: (delay, run) => {
    const timer = setTimeout(run, delay);
    return () => clearTimeout(timer);
  },
};

const api = new Api(addressesOf(location.href), (url, init) => fetch(url, init));
const store = new Store();
const listeners = new Set<() => void>();
const stream = new Stream({
  url: api.addresses.events,
  fetch: (url, init) => fetch(url, init),
  clock,
  random: Math.random,
  onState: () => {
    for (const listener of listeners) listener();
  },
  onEvent: (event) => store.dispatch(event),
});

addEventListener("online", () => stream.setNetwork(true));
addEventListener("offline", () => stream.setNetwork(false));
// A page kept by the browser for the back button must not keep the server busy.
addEventListener("pagehide", () => stream.stop());
addEventListener("pageshow", () => stream.start());

const place = document.getElementById("app");
if (!place) throw new Error("ops.html has no element #app");
const watch = (listener: () => void): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};
render(<Root api={api} store={store} stream={stream} watch={watch} />, place);
stream.start();

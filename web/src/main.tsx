// Starts the page: finds the server, makes the client, follows the browser's network and visibility.

import { render } from "preact";
import { findServer } from "./client/address";
import { Client } from "./client/client";
import type { Clock } from "./client/kept";
import { AudioPlayer } from "./client/player";
import { browserStorage, loadPreferences } from "./client/preferences";
import { Root } from "./ui/app";
import "./styles/index.css";

const clock: Clock = {
  now: () => performance.now(),
  after: (delay, run) => {
    const timer = setTimeout(run, delay);
    return () => clearTimeout(timer);
  },
};

let tellBlocked = (): void => {};
const address = findServer(location.href, loadPreferences(browserStorage("localStorage")).server);
const player = new AudioPlayer(() => tellBlocked());
const client = new Client({
  url: address.socket,
  room: address.room,
  open: (url) => new WebSocket(url),
  clock,
  random: Math.random,
  player,
  today: Date.now,
});

addEventListener("online", () => client.connection.setNetwork(true));
addEventListener("offline", () => client.connection.setNetwork(false));
document.addEventListener("visibilitychange", () => client.connection.setVisible(!document.hidden));
client.connection.setVisible(!document.hidden);
addEventListener("focus", () => client.dispatch({ type: "looked-at" }));
// A page kept by the browser for the back button must not keep the server busy.
addEventListener("pagehide", () => client.connection.stop());
addEventListener("pageshow", () => client.connection.start());

const place = document.getElementById("app");
if (!place) throw new Error("index.html has no element #app");
const onSoundBlocked = (tell: () => void): void => {
  tellBlocked = tell;
};
render(<Root client={client} player={player} address={address} onSoundBlocked={onSoundBlocked} />, place);
client.connection.start();

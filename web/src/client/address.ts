// Where the server is. Everything is relative to the WebSocket's address, so any host, port and path works.

export interface Address {
  socket: string;
  /** Set if another server was chosen than the one the page came from: its host, to be shown. */
  elsewhere: string | null;
  /** The room that is watched (`?room=NAME`); null for a conversation of one's own. */
  room: string | null;
}

/**
 * Find the server for a page at `page` (a whole address). `?ws=` names another one; else `kept` does, which is
 * what the user has set. Both count only if they are addresses of WebSockets.
 */
export function findServer(page: string, kept: string | null = null): Address {
  const here = new URL(page);
  const wanted = parse(here.searchParams.get("ws")) ?? parse(kept);
  const own = new URL("client-ws", here);
  own.protocol = here.protocol === "https:" ? "wss:" : "ws:";
  own.search = own.hash = "";
  const chosen = wanted ?? own;
  const elsewhere = chosen.href === own.href ? null : chosen.host;
  const room = here.searchParams.get("room");
  if (room === null) return { socket: chosen.href, elsewhere, room: null };
  const socket = new URL("proxy-ws", chosen);
  socket.search = new URLSearchParams({ room }).toString();
  return { socket: socket.href, elsewhere, room };
}

/** The address of a file of the server, such as `avatars/sakura.png`; `name` may hold any characters. */
export function fileAddress(socket: string, folder: "avatars" | "bg", name: string): string {
  const url = new URL(`${folder}/${encodeURIComponent(name)}`, socket);
  url.protocol = url.protocol === "wss:" ? "https:" : "http:";
  return url.href;
}

/** A room's own page: this one, with the name in its address. */
export function roomPage(page: string, room: string | null): string {
  const url = new URL(page);
  room === null ? url.searchParams.delete("room") : url.searchParams.set("room", room);
  url.hash = "";
  return url.href;
}

/** Where one logs in at the server, and comes back to this page from; at another server one stays there. */
export function loginPage(address: Address, page: string): string {
  const url = new URL("login", address.socket);
  url.protocol = url.protocol === "wss:" ? "https:" : "http:";
  url.search = address.elsewhere === null ? new URLSearchParams({ next: new URL(page).search }).toString() : "";
  return url.href;
}

/** What the server takes as a room's name. */
export const ROOM_NAME = /^[\p{L}\p{N}_.-]{1,64}$/u;

/**
 * What a user writes as a server's address, as that of its WebSocket: `example.org`, `http://127.0.0.1:12393/`
 * and `ws://127.0.0.1:12393/client-ws` mean what they seem to. Null if it is none.
 */
export function socketAddress(text: string, secure: boolean): string | null {
  const trimmed = text.trim();
  if (!trimmed || /\s/.test(trimmed)) return null;
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `${secure ? "wss" : "ws"}://${trimmed}`;
  if (!URL.canParse(whole)) return null;
  const url = new URL(whole);
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (!["ws:", "wss:"].includes(url.protocol) || !url.hostname) return null;
  if (url.pathname === "/") url.pathname = "/client-ws";
  url.hash = "";
  return url.href;
}

function parse(text: string | null): URL | null {
  if (!text || !URL.canParse(text)) return null;
  const url = new URL(text);
  return url.protocol === "ws:" || url.protocol === "wss:" ? url : null;
}

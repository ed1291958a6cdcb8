// Where the server is. Everything is relative to the WebSocket's address, so any host, port and path works.

export interface Address {
  socket: string;
  /** Set if `?ws=` chose another server than the one the page came from: its host, to be shown. */
  elsewhere: string | null;
}

/** Find the server for a page at `page` (a whole address). `?ws=` overrides it if it is a WebSocket address. */
export function findServer(page: string): Address {
  const here = new URL(page);
  const wanted = parse(here.searchParams.get("ws"));
  if (wanted) return { socket: wanted.href, elsewhere: wanted.host };
  const socket = new URL("client-ws", here);
  socket.protocol = here.protocol === "https:" ? "wss:" : "ws:";
  socket.search = socket.hash = "";
  return { socket: socket.href, elsewhere: null };
}

/** The address of a file of the server, such as `avatars/sakura.png`; `name` may hold any characters. */
export function fileAddress(socket: string, folder: "avatars" | "bg", name: string): string {
  const url = new URL(`${folder}/${encodeURIComponent(name)}`, socket);
  url.protocol = url.protocol === "wss:" ? "https:" : "http:";
  return url.href;
}

function parse(text: string | null): URL | null {
  if (!text || !URL.canParse(text)) return null;
  const url = new URL(text);
  return url.protocol === "ws:" || url.protocol === "wss:" ? url : null;
}

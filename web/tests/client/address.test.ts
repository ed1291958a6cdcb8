import { describe, expect, it } from "vitest";
import { fileAddress, findServer } from "../../src/client/address";

describe("findServer", () => {
  it("follows the page's host, port, scheme and path", () => {
    expect(findServer("http://host:1234/").socket).toBe("ws://host:1234/client-ws");
    expect(findServer("https://host/").socket).toBe("wss://host/client-ws");
    expect(findServer("https://host/cast/room/?x=1#top").socket).toBe("wss://host/cast/room/client-ws");
    expect(findServer("http://[::1]:80/index.html").socket).toBe("ws://[::1]/client-ws");
  });

  it("obeys ?ws= and tells which host that is", () => {
    const found = findServer("http://host/?ws=wss://other.example:99/x/client-ws");
    expect(found).toEqual({ socket: "wss://other.example:99/x/client-ws", elsewhere: "other.example:99" });
  });

  it("ignores a ?ws= that is no WebSocket address", () => {
    for (const wrong of ["javascript:alert(1)", "http://other/", "nonsense", ""]) {
      expect(findServer(`http://host/?ws=${wrong}`)).toEqual({ socket: "ws://host/client-ws", elsewhere: null });
    }
  });
});

describe("fileAddress", () => {
  it("lies next to the socket, and escapes what a name may hold", () => {
    expect(fileAddress("wss://host/cast/client-ws", "avatars", "a b#?.png")).toBe(
      "https://host/cast/avatars/a%20b%23%3F.png",
    );
    expect(fileAddress("ws://host:1/client-ws", "bg", "../x")).toBe("http://host:1/bg/..%2Fx");
  });
});

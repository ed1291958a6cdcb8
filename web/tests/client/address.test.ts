import { describe, expect, it } from "vitest";
import { fileAddress, findServer, loginPage, ROOM_NAME, roomPage, socketAddress } from "../../src/client/address";

describe("findServer", () => {
  it("follows the page's host, port, scheme and path", () => {
    expect(findServer("http://host:1234/").socket).toBe("ws://host:1234/client-ws");
    expect(findServer("https://host/").socket).toBe("wss://host/client-ws");
    expect(findServer("https://host/cast/room/?x=1#top").socket).toBe("wss://host/cast/room/client-ws");
    expect(findServer("http://[::1]:80/index.html").socket).toBe("ws://[::1]/client-ws");
  });

  it("obeys ?ws= and tells which host that is", () => {
    const found = findServer("http://host/?ws=wss://other.example:99/x/client-ws");
    expect(found).toEqual({ socket: "wss://other.example:99/x/client-ws", elsewhere: "other.example:99", room: null });
  });

  it("ignores a ?ws= that is no WebSocket address", () => {
    for (const wrong of ["javascript:alert(1)", "http://other/", "nonsense", ""]) {
      expect(findServer(`http://host/?ws=${wrong}`)).toEqual({ socket: "ws://host/client-ws", elsewhere: null, room: null });
    }
  });
});

describe("findServer with a kept address", () => {
  it("takes what the user has set, unless the address bar names another one or it is nonsense", () => {
    const kept = "ws://kept:9/client-ws";
    expect(findServer("http://host/", kept)).toEqual({ socket: kept, elsewhere: "kept:9", room: null });
    expect(findServer("http://host/?ws=ws://bar/client-ws", kept).socket).toBe("ws://bar/client-ws");
    expect(findServer("http://host/", "nonsense").socket).toBe("ws://host/client-ws");
  });

  it("does not call the page's own server another one", () => {
    expect(findServer("http://host/", "ws://host/client-ws").elsewhere).toBeNull();
  });
});

describe("findServer with a room", () => {
  it("enters it at the same server", () => {
    const found = findServer("https://host/cast/?room=a%20b&x=1");
    expect(found).toEqual({ socket: "wss://host/cast/proxy-ws?room=a+b", elsewhere: null, room: "a b" });
    expect(findServer("http://host/?room=main&ws=ws://other/x/client-ws").socket).toBe(
      "ws://other/x/proxy-ws?room=main",
    );
  });
});

describe("roomPage", () => {
  it("puts the room into the page's address and takes it out again", () => {
    expect(roomPage("http://host/?ws=ws://o/#x", "tea")).toBe("http://host/?ws=ws%3A%2F%2Fo%2F&room=tea");
    expect(roomPage("http://host/?room=tea", null)).toBe("http://host/");
  });
});

describe("ROOM_NAME", () => {
  it("is what the server takes", () => {
    for (const name of ["main", "A.b_c-1", "茶室", "x".repeat(64)]) expect(ROOM_NAME.test(name), name).toBe(true);
    for (const name of ["", "a b", "a/b", "<b>", "x".repeat(65)]) expect(ROOM_NAME.test(name), name).toBe(false);
  });
});

describe("socketAddress", () => {
  it("understands what people write", () => {
    expect(socketAddress("127.0.0.1:12393", false)).toBe("ws://127.0.0.1:12393/client-ws");
    expect(socketAddress(" example.org ", true)).toBe("wss://example.org/client-ws");
    expect(socketAddress("http://example.org/", false)).toBe("ws://example.org/client-ws");
    expect(socketAddress("https://example.org/cast/client-ws", false)).toBe("wss://example.org/cast/client-ws");
    expect(socketAddress("ws://h:1/client-ws#x", false)).toBe("ws://h:1/client-ws");
  });

  it("refuses what is none", () => {
    for (const wrong of ["", "  ", "two words", "javascript:alert(1)", "ftp://x/", "ws://"]) {
      expect(socketAddress(wrong, false), wrong).toBeNull();
    }
  });
});

describe("fileAddress", () => {
  it("lies next to the socket, and escapes what a name may hold", () => {
    expect(fileAddress("wss://host/cast/client-ws", "avatars", "a b#?.png")).toBe(
      "https://host/cast/avatars/a%20b%23%3F.png",
    );
    expect(fileAddress("ws://host/proxy-ws?room=a", "avatars", "a.svg")).toBe("http://host/avatars/a.svg");
    expect(fileAddress("ws://host:1/client-ws", "bg", "../x")).toBe("http://host:1/bg/..%2Fx");
  });
});

describe("loginPage", () => {
  it("comes back to the room one was in, and stays at another server", () => {
    const page = "https://host/cast/?room=tea";
    expect(loginPage(findServer(page), page)).toBe("https://host/cast/login?next=%3Froom%3Dtea");
    const away = "http://host/?ws=wss://other/client-ws";
    expect(loginPage(findServer(away), away)).toBe("https://other/login");
  });
});

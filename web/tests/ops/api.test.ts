import { describe, expect, it } from "vitest";
import { addressesOf, Api, problemOf, Refused } from "../../src/ops/client/api";
import { soak, stack, tree } from "./fixture";

interface Asked {
  url: string;
  init: RequestInit;
}

function served(answer: () => Response): { api: Api; asked: Asked[] } {
  const asked: Asked[] = [];
  const fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    asked.push({ url, init });
    return answer();
  };
  return { api: new Api(addressesOf("http://host/room/ops?token=x"), fetch), asked };
}

const json = (value: unknown, status = 200): Response => new Response(JSON.stringify(value), { status });

describe("addresses", () => {
  it("lie beside the page, under any path, and carry nothing of its query", () => {
    expect(addressesOf("https://host/room/ops?token=x#y")).toEqual({
      events: "https://host/room/ops/events",
      tree: "https://host/room/ops/tree",
      tasks: "https://host/room/ops/tasks/",
      soak: "https://host/room/ops/soak",
      export: "https://host/room/ops/export",
      login: "https://host/room/login",
      chat: "https://host/room/",
    });
  });
});

describe("requests", () => {
  it("ask for a page of the tree", async () => {
    const { api, asked } = served(() => json(tree([])));
    expect(await api.tree(null, 50)).toEqual(tree([]));
    await api.tree("1f.2e", 300);
    expect(asked.map((one) => one.url)).toEqual([
      "http://host/room/ops/tree?limit=50",
      "http://host/room/ops/tree?limit=300&after=1f.2e",
    ]);
  });

  it("ask for a stack, whatever the task is called", async () => {
    const { api, asked } = served(() => json(stack));
    expect(await api.stack("a/b?c")).toEqual(stack);
    expect(asked[0]?.url).toBe("http://host/room/ops/tasks/a%2Fb%3Fc/stack");
  });

  it("start and cancel a soak", async () => {
    const { api, asked } = served(() => json({ run: soak() }, 202));
    expect((await api.startSoak({ visits: 5, mode: "polite" })).run).toEqual(soak());
    await api.cancelSoak();
    expect(asked.map((one) => one.init.method)).toEqual(["POST", "DELETE"]);
    expect(asked[0]?.init.body).toBe('{"visits":5,"mode":"polite"}');
  });

  it("give a token in the body, never in the address", async () => {
    const { api, asked } = served(() => json({ ok: true }));
    await api.logIn("s&cret");
    expect(asked[0]?.url).toBe("http://host/room/login");
    expect(String(asked[0]?.init.body)).toBe("token=s%26cret");
  });

  it("raise the server's words", async () => {
    const error = { field: "visits", problem: "visits: 0", fix: "use 1 to 200" };
    const { api } = served(() => json({ error }, 422));
    const raised = await api.startSoak({ visits: 0, mode: "mixed" }).catch((reason: unknown) => reason);
    expect(raised).toBeInstanceOf(Refused);
    expect((raised as Refused).problem).toEqual({ ...error, status: 422, code: null });
  });
});

describe("a refusal", () => {
  it.each([["<h1>Bad gateway</h1>"], ["null"], ['{"error": 3}'], ["{}"]])("without our words (%s) is its status", async (body) => {
    const problem = await problemOf(new Response(body, { status: 502 }));
    expect(problem).toEqual({ status: 502, code: null, field: null, problem: "", fix: "" });
  });
});

import { describe, expect, it } from "vitest";
import { age, change, clocks, figure } from "../../src/ops/client/format";

describe("figures", () => {
  it.each([
    [0, "ms", "0 ms"], [0.04, "ms", "0 ms"], [0.256, "ms", "0.26 ms"], [12.345, "ms", "12.3 ms"],
    [118.4, "ms", "118 ms"], [999.4, "ms", "999 ms"], [1000, "ms", "1 s"], [12_340, "ms", "12.3 s"],
    [84.16, "mb", "84.2 MB"], [2048, "mb", "2 GB"], [6.61, "percent", "6.61 %"], [1234, "count", "1,234"],
    [2.5, "count", "2.5"], [null, "ms", "–"], [undefined, "count", "–"], [Number.NaN, "ms", "–"],
  ] as const)("%s %s are %s", (value, unit, text) => {
    expect(figure(value, unit, "en")).toBe(text);
  });

  it("are written the Chinese way in Chinese", () => {
    expect(figure(6.61, "percent", "zh")).toBe("6.61%");
    expect(figure(118.4, "ms", "zh")).toBe("118 ms");
  });
});

describe("changes", () => {
  it("have a sign, and none when there is nothing", () => {
    expect(change(121, "ms", "en")).toBe("+121 ms");
    expect(change(-1500, "ms", "en")).toBe("−1.5 s");
    expect(change(0.01, "ms", "en")).toBe("±0 ms");
    expect(change(null, "ms", "en")).toBe("–");
  });
});

describe("ages", () => {
  it.each([
    [-3, "0 s", "0秒"], [0.9, "0 s", "0秒"], [59.9, "59 s", "59秒"], [60, "1 min", "1分钟"],
    [95, "1 min 35 s", "1分钟35秒"], [3600, "1 h", "1小时"], [7500, "2 h 5 min", "2小时5分钟"],
    [90_061, "1 d 1 h", "1天1小时"],
  ])("%s s are %s and %s", (seconds, en, zh) => {
    expect(age(seconds, "en")).toBe(en);
    expect(age(seconds, "zh")).toBe(zh);
  });
});

describe("clocks", () => {
  it("count to 24 in every language", () => {
    const midnight = new Date(2026, 0, 2, 0, 5, 9).getTime() / 1000;
    for (const tag of ["en-US", "en-GB", "zh-CN"]) {
      expect(clocks(tag).seconds(midnight)).toBe("00:05:09");
      expect(clocks(tag).minutes(midnight + 13 * 3600)).toBe("13:05");
    }
  });
});

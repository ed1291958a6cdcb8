// The ops page's icons.

import type { JSX } from "preact";
import { Drawing } from "../../ui/drawing";

const PATHS = {
  check: "M5 12.500l4.500 4.500L19 7.500",
  up: "M4 17l6-6 3.500 3.500L20 8M15 7.500h5.500V13",
  wait: "M12 4.500a7.500 7.500 0 1 0 0 15 7.500 7.500 0 0 0 0-15zM12 8v4.200l2.800 1.800",
  warning: "M12 4.500 3.500 19h17zM12 10v4M12 16.500h.01",
  chevron: "M9.500 6.500 15 12l-5.500 5.500",
  save: "M12 4v10.500M7.500 10.500 12 15l4.500-4.500M5 19.500h14",
  chat: "M4.500 12a7.500 6.700 0 1 1 3.600 5.700L4.500 19l1-3.500A6.500 6.500 0 0 1 4.500 12z",
  sun: "M12 8.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM12 3v2M12 19v2M3 12h2M19 12h2M5.600 5.600 7 7M17 17l1.400 1.400M18.400 5.600 17 7M7 17l-1.400 1.400",
  moon: "M19 14.500A7.500 7.500 0 0 1 9.500 5a7.500 7.500 0 1 0 9.500 9.500z",
  table: "M4.500 6h15v12.500h-15zM4.500 10h15M4.500 14.250h15M10 6v12.500",
  chart: "M4.500 4.500v15h15M8 15.500l3.500-4 3 2.500 4.500-6",
  refresh: "M19 12a7 7 0 1 1-2-5l2 2M19 4.500V9h-4.500",
  lock: "M6.500 11h11v8.500h-11zM9 11V8a3 3 0 0 1 6 0v3",
};

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }): JSX.Element {
  return <Drawing path={PATHS[name]} size={size} />;
}

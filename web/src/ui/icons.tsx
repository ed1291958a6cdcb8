// The page's icons, and its mark.

import type { JSX } from "preact";
import { Drawing } from "./drawing";

const PATHS = {
  menu: "M4 7h16M4 12h16M4 17h10",
  close: "M6 6l12 12M18 6 6 18",
  plus: "M12 5v14M5 12h14",
  send: "M12 20V5M5.500 11 12 4.500 18.500 11",
  stop: "M7.500 7.500h9v9h-9z",
  trash: "M4.500 7h15M9.500 7V4.500h5V7M6.500 7l.8 12.500h9.400L17.500 7M10 11v5M14 11v5",
  picture: "M4 5.500h16v13H4zM4 15.500l4.500-4 4 3.500 3-2.500 4.500 3.500M15.500 9.500h.01",
  speak: "M4.500 12a7.500 6.700 0 1 1 3.600 5.700L4.500 19l1-3.500A6.500 6.500 0 0 1 4.500 12zM9 12h.01M12 12h.01M15 12h.01",
  sound: "M4.500 9.500v5h3.500L12.500 18V6L8 9.500zM16 9a4.500 4.500 0 0 1 0 6M18.500 6.500a8 8 0 0 1 0 11",
  silent: "M4.500 9.500v5h3.500L12.500 18V6L8 9.500zM16.500 9.500l5 5M21.500 9.500l-5 5",
  settings: "M4 7.500h9M17.500 7.500H20M4 16.500h2.500M11 16.500h9M15.250 5.250v4.500M8.750 14.250v4.500",
  down: "M12 5v14M5.500 12.500 12 19l6.500-6.500",
  copy: "M9 9h10.500v10.500H9zM5.500 15H4.500V4.500H15v1",
  check: "M5 12.500l4.500 4.500L19 7.500",
  warning: "M12 4.500 3.500 19h17zM12 10v4M12 16.500h.01",
  tool: "M14.500 6.500a4 4 0 0 0-5 5L4.500 16.500l3 3 5-5a4 4 0 0 0 5-5l-2.500 2.500-2.500-.5-.5-2.500z",
  ear: "M7 10a5 5 0 1 1 10 0c0 4-4 4-4 7a3 3 0 0 1-5 2M10 10a2 2 0 1 1 4 0",
  search: "M10.500 4.500a6 6 0 1 1 0 12 6 6 0 0 1 0-12zM15 15l5 5",
  pencil: "M5 19l.8-3.800L15.500 5.500a1.500 1.500 0 0 1 2.100 0l.9.9a1.500 1.500 0 0 1 0 2.100L8.800 18.200zM13.500 7.500l3 3",
  people: "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3.500 19c.3-3.400 2.400-5.500 5.500-5.500s5.200 2.100 5.500 5.500zM15.500 5.200a3 3 0 0 1 0 5.600M17 13.800c2.100.6 3.300 2.500 3.500 5.200",
  mic: "M12 4a2.800 2.800 0 0 1 2.800 2.800v4.400a2.800 2.800 0 0 1-5.600 0V6.800A2.800 2.800 0 0 1 12 4zM6 11.500a6 6 0 0 0 12 0M12 17.500V20.500",
  unplugged: "M9.500 6.500v3M14.500 6.500v3M7 9.500h10v2.500a5 5 0 0 1-8.500 3.500M12 17v3.500M4 4l16 16",
  retry: "M19 12a7 7 0 1 1-2-5l2 2M19 4.500V9h-4.500",
};

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }): JSX.Element {
  return <Drawing path={PATHS[name]} size={size} filled={name === "stop"} />;
}

export function Logo(): JSX.Element {
  return (
    <svg class="logo" width="28" height="28" viewBox="0 0 32 32" aria-hidden="true">
      <rect class="logo-room" width="32" height="32" rx="9" />
      <path class="logo-light" d="M16 4 5.500 27h21z" opacity=".3" />
      <circle class="logo-light" cx="16" cy="13" r="4.600" />
      <path class="logo-light" d="M7.600 27c.6-4.700 4-7.600 8.400-7.600s7.800 2.900 8.400 7.600z" />
    </svg>
  );
}

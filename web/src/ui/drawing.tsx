// How icons are drawn: lines on a 24-unit grid, in the text's colour, silent for screen readers.

import type { JSX } from "preact";

interface DrawingProps {
  path: string;
  size: number;
  filled?: boolean;
}

export function Drawing({ path, size, filled = false }: DrawingProps): JSX.Element {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill={filled ? "currentColor" : "none"}
      stroke="currentColor"
      stroke-width="1.7"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={path} />
    </svg>
  );
}

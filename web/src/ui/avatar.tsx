// A character's face: its picture, or its initial on a colour of its own. Glows with its voice while it speaks.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { AudioMessage } from "../protocol.generated";
import { useApp, useFile } from "./context";

interface AvatarProps {
  name: string;
  file: string | null | undefined;
  size: "small" | "medium" | "large";
  /** The sentence being spoken, if this face is the speaker's. */
  clip?: AudioMessage | null;
}

/** Pictures that are not there, so that each is asked for once and not once a bubble. */
const missing = new Set<string>();
const MOST_MISSING = 500;

function hueOf(name: string): number {
  let hue = 7;
  for (const letter of name) hue = (hue * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  return hue;
}

export function Avatar({ name, file, size, clip = null }: AvatarProps): JSX.Element {
  const address = useFile();
  const [, setBroken] = useState<string | null>(null);
  const ring = useVoice(clip);
  const forget = (gone: string): void => {
    if (missing.size < MOST_MISSING) missing.add(gone);
    setBroken(gone);
  };
  const initial = [...name.trim()][0]?.toUpperCase() ?? "·";
  return (
    <span
      ref={ring}
      class={`avatar avatar-${size}`}
      data-speaking={clip ? "" : undefined}
      style={{ "--hue": String(hueOf(name)) }}
      aria-hidden="true"
    >
      {file && !missing.has(file) ? (
        <img src={address("avatars", file)} alt="" decoding="async" onError={() => forget(file)} />
      ) : (
        <span class="avatar-initial">{initial}</span>
      )}
    </span>
  );
}

/** Follow the loudness of the sentence in the custom property `--voice` (0 to 1) of an element. */
function useVoice(clip: AudioMessage | null): { current: HTMLSpanElement | null } {
  const ring = useRef<HTMLSpanElement>(null);
  const { player } = useApp();
  useEffect(() => {
    const element = ring.current;
    if (!clip || !element || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    let frame = 0;
    const draw = (): void => {
      const slice = Math.floor((player.position * 1000) / Math.max(1, clip.slice_length));
      element.style.setProperty("--voice", String(clip.volumes[slice] ?? 0));
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => {
      cancelAnimationFrame(frame);
      element.style.removeProperty("--voice");
    };
  }, [clip]);
  return ring;
}

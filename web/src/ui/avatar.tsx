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

function hueOf(name: string): number {
  let hue = 7;
  for (const letter of name) hue = (hue * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  return hue;
}

export function Avatar({ name, file, size, clip = null }: AvatarProps): JSX.Element {
  const address = useFile();
  const [broken, setBroken] = useState<string | null>(null);
  const ring = useVoice(clip);
  const initial = [...name.trim()][0]?.toUpperCase() ?? "·";
  return (
    <span
      ref={ring}
      class={`avatar avatar-${size}`}
      data-speaking={clip ? "" : undefined}
      style={{ "--hue": String(hueOf(name)) }}
      aria-hidden="true"
    >
      {file && broken !== file ? (
        <img src={address("avatars", file)} alt="" decoding="async" onError={() => setBroken(file)} />
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

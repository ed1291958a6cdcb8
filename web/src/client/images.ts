// Makes pictures small enough to be sent: at most 1280 pixels, JPEG, and a small copy for the chat.

import type { Picture } from "./state";

export const MAX_PICTURES = 4;
const LONGEST_SIDE = 1280;
const THUMBNAIL_SIDE = 360;
/** Characters of one data URL; four of them stay below the server's 5 MiB for a message. */
const MAX_DATA = 1_200_000;
const QUALITIES = [0.85, 0.7, 0.5, 0.3];

/** A file larger than this is no picture that someone meant to show; the browser would decode it for seconds. */
export const MAX_FILE = 30 * 1024 * 1024;

/** Why files that were pasted, dropped or chosen cannot be taken; null if this one can. */
export function refusal(file: { type: string; size: number }): "not-picture" | "too-large" | null {
  if (!file.type.startsWith("image/")) return "not-picture";
  return file.size > MAX_FILE ? "too-large" : null;
}

/** Width and height that fit into a square of `longest`, never enlarged. */
export function fitted(width: number, height: number, longest: number): [number, number] {
  const scale = Math.min(1, longest / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

/** Read and shrink one picture. Raises if the browser cannot read it. */
export async function makePicture(file: Blob, source: "clipboard" | "upload"): Promise<Picture> {
  const bitmap = await createImageBitmap(file);
  try {
    let data = "";
    for (const quality of QUALITIES) {
      data = draw(bitmap, LONGEST_SIDE, quality);
      if (data.length <= MAX_DATA) break;
    }
    return {
      image: { source, data, mime_type: "image/jpeg" },
      thumbnail: draw(bitmap, THUMBNAIL_SIDE, 0.8),
    };
  } finally {
    bitmap.close();
  }
}

function draw(bitmap: ImageBitmap, longest: number, quality: number): string {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = fitted(bitmap.width, bitmap.height, longest);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser has no canvas");
  context.fillStyle = "#fff"; // JPEG knows no transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", quality);
}

"""WAV files and loudness, as the page's lip sync wants them (olv-protocol §12)."""

from __future__ import annotations

import io
import math
import wave
from array import array


def wav_file(samples: array[int], rate: int) -> bytes:
    """A 16-bit mono WAV file of signed samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


def volumes(samples: array[int], rate: int, slice_ms: int = 20) -> tuple[float, ...]:
    """RMS of each slice relative to the loudest; the last slice may be shorter. All zero for silence."""
    step = max(1, rate * slice_ms // 1000)
    levels: list[float] = []
    for start in range(0, len(samples), step):
        part = samples[start : start + step]
        levels.append(math.sqrt(sum(sample * sample for sample in part) / len(part)))
    peak = max(levels, default=0.0)
    return tuple(round(level / peak, 4) if peak else 0.0 for level in levels)

"""Tests of wav.py."""

from __future__ import annotations

import io
import wave
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.voice.wav import volumes, wav_file


@pytest.mark.parametrize("count", [0, 1, 320, 16_000])
def test_a_wav_file_that_others_can_read(count: int) -> None:
    """16-bit PCM, mono, all samples in it, a 44-byte header: what the page's lip sync parses."""
    samples = array("h", [(i * 37) % 2000 - 1000 for i in range(count)])
    data = wav_file(samples, 16_000)
    assert len(data) == 44 + 2 * count
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WAVE"
    assert int.from_bytes(data[20:22], "little") == 1  # linear PCM
    with wave.open(io.BytesIO(data)) as reader:
        assert (reader.getnchannels(), reader.getsampwidth(), reader.getframerate()) == (1, 2, 16_000)
        assert reader.readframes(count) == samples.tobytes()


@pytest.mark.parametrize(
    ("samples", "wanted"),
    [
        ([], ()),
        ([0] * 640, (0.0, 0.0)),
        ([100] * 320 + [50] * 320, (1.0, 0.5)),
        ([100] * 320 + [-100] * 10, (1.0, 1.0)),
        ([3, 4] * 160 + [0] * 320 + [7] * 5, (0.5051, 0.0, 1.0)),
        ([-32768] * 320, (1.0,)),
    ],
)
def test_volumes_of_slices(samples: list[int], wanted: tuple[float, ...]) -> None:
    """RMS of each 20 ms, the loudest being 1; the last slice may be shorter; silence is all zero."""
    assert volumes(array("h", samples), 16_000) == pytest.approx(wanted, abs=1e-4)


@given(st.lists(st.integers(-32768, 32767), max_size=900), st.sampled_from([8, 1000, 16_000, 44_100]))
def test_volumes_stay_between_0_and_1(samples: list[int], rate: int) -> None:
    """One for each begun slice, and the loudest is 1 unless all is silent."""
    levels = volumes(array("h", samples), rate)
    step = max(1, rate * 20 // 1000)
    assert len(levels) == -(-len(samples) // step)
    assert all(0 <= level <= 1 for level in levels)
    assert not any(samples) or max(levels) == 1

"""Parsers of what strangers write, fed with bytes: mutated good input, and none that is good."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .targets import SEEDS, TARGETS

ODD = (b"\x00", b"\xff\xfe", b'"', b"{", b"]", b"\n", b"&a *a", b"9" * 400, b"\\ud800")


def mutated(seed: bytes, chance: Random) -> bytes:
    """A good input with some bytes changed, taken out, doubled or put in."""
    data = bytearray(seed)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.randrange(1, 9)]
            case 2:
                data[at:at] = data[at : at + chance.randrange(1, 20)] * chance.choice((1, 1, 50))
            case _:
                data[at:at] = chance.choice(ODD)
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_bytes(name: str) -> None:
    """Only what it promises is raised, whatever it reads."""
    target = TARGETS[name]

    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.one_of(
            st.builds(mutated, st.sampled_from(SEEDS[name]), st.randoms(use_true_random=False)),
            st.binary(max_size=300),
            st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
        )
    )
    def feed(data: bytes) -> None:
        target(data)

    for seed in SEEDS[name]:
        target(seed)
    feed()

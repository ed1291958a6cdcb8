"""The defects, one line each, and the pace of the modelled provider and speech engine."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

FAULTS: dict[str, str] = {
    "fire-and-forget": "a reply in a task nobody owns: it goes on after the close and holds a provider slot",
    "untracked-init": "each switch starts an initialisation that neither a newer one nor the close stops",
    "close-never-runs": "the context is taken out of the map before it is looked up, so close() never runs",
    "speech-after-close": "sentences handed to the serial speech engine are spoken even after the close",
    "shared-memory": "one unbounded chat memory for all pages: prompts and replies get longer and longer",
    "orphaned-turn": "a second message forgets the first turn: it waits for ever, without its chain-end",
    "leaked-child": "a child process started for a page is never ended",
    "idle-spin": "closing a page leaves a task that spins without ever waiting",
    "leaked-fd": "a file opened for a page is never closed",
    "leaked-thread": "a thread started for a page never ends",
    "polling": "each page starts a loop that looks every 100 ms and never ends",
    "blocking-call": "each message makes a blocking call on the event loop",
    "files-at-open": "every history file is read and parsed, on the event loop, at each page open",
    "garbage": "each page leaves a heap of small objects: full garbage collections get longer and longer",
    "slow-connect": "each handshake walks a list that grows with every connection there has ever been",
}

AS_FOUND = (
    "fire-and-forget",
    "untracked-init",
    "close-never-runs",
    "speech-after-close",
    "shared-memory",
    "polling",
)
"""The analysed server: its defects together, at the pace of `Pace.as_found`, give the table of symptoms."""


class UnknownFault(ValueError):
    """A fault that is not in the catalog; the text says which there are."""


def faults_named(names: Iterable[str]) -> frozenset[str]:
    """The faults of these names; `as-found` stands for several, `sound` for none. Raises UnknownFault."""
    found: set[str] = set()
    for name in names:
        if name == "as-found":
            found.update(AS_FOUND)
        elif name in FAULTS:
            found.add(name)
        elif name != "sound":
            near = difflib.get_close_matches(name, FAULTS, 1)
            hint = (
                f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(FAULTS)}, as-found, sound"
            )
            raise UnknownFault(f"no fault {name!r}: {hint}")
    return frozenset(found)


@dataclass(frozen=True)
class Pace:
    """How fast the modelled engines are, in seconds (already scaled)."""

    first_token: float = 0.5
    sentence: float = 0.08
    """Of the provider, for one sentence."""
    sentences: int = 8
    speech: float = 0.4
    """Of the serial speech engine, for one sentence."""
    init: float = 1.0
    """Loading a character's agent; one at a time."""
    per_turn: float = 0.03
    """With shared memory: what each remembered turn adds to the time before the first token."""
    turns_per_sentence: float = 4.0
    """With shared memory: after so many remembered turns the reply is one sentence longer."""
    per_connection: float = 0.01
    """With slow-connect: what each earlier connection adds to the handshake."""
    playback: float = 20.0
    """The longest wait for a page to say that it has played the reply."""
    provider_slots: int = 2

    @classmethod
    def as_found(cls) -> Pace:
        """A home machine: one slot, and a character that has more to say with every turn it remembers."""
        return cls(provider_slots=1, sentences=4, turns_per_sentence=0.4)

    def scaled(self, factor: float) -> Pace:
        """The same behaviour in `factor` of the time."""
        return Pace(
            first_token=self.first_token * factor,
            sentence=self.sentence * factor,
            sentences=self.sentences,
            speech=self.speech * factor,
            init=self.init * factor,
            per_turn=self.per_turn * factor,
            turns_per_sentence=self.turns_per_sentence,
            per_connection=self.per_connection * factor,
            playback=self.playback * factor,
            provider_slots=self.provider_slots,
        )

"""Fuzz one parser by coverage: `python -m tests.fuzz.guided codec 60`. Needs `pip install atheris` (Linux).

What it finds is written to a file `crash-…` here; put its bytes among the `SEEDS` of `targets.py`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Run libFuzzer over a target, for so many seconds."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris (Linux only)")
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    name, seconds = sys.argv[1], sys.argv[2]
    with atheris.instrument_imports(include=["greenroom"]):
        from tests.fuzz.targets import SEEDS, TARGETS
    if name not in TARGETS:
        sys.exit(f"no such target: {name}; there are {', '.join(TARGETS)}")
    with tempfile.TemporaryDirectory(prefix="greenroom-fuzz-") as corpus:
        for number, seed in enumerate(SEEDS[name]):
            Path(corpus, f"seed-{number}").write_bytes(seed)
        options = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10"]
        atheris.Setup([sys.argv[0], *options, corpus], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()

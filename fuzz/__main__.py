"""`python -m fuzz TARGET [--seconds N]`: run one target, guided by the coverage of casckpt.

Needs atheris (the extra `fuzz`). An input that fails is written to the current folder as
`crash-*`; mend the reader, and keep the input in `fuzz/failed/TARGET`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Parse the arguments and hand over to atheris, which ends the process."""
    import atheris

    with atheris.instrument_imports(include=["casckpt"]):
        from fuzz.targets import TARGETS, failed
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--bytes", type=int, default=8192, help="longest input")
    asked = parser.parse_args()
    target = TARGETS[asked.target]
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate([*target.seeds(), *failed(asked.target)]):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
        options = [
            f"-max_total_time={asked.seconds}",
            f"-max_len={asked.bytes}",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
        ]
        atheris.Setup([sys.argv[0], *options, corpus], target.run)
        atheris.Fuzz()


main()

"""How many digest mismatches each server counts under load while leaders are killed, by mix.

    python -m proof --mix JJJj --java 3.9.5    Java alone: what is normal there
    python -m proof --mix JJJr --java 3.9.5    the same with an observer of ours in proof mode
"""

from __future__ import annotations

import argparse

from proof.report import report
from proof.scenario import ensemble, kill_leaders_under_load
from rig.census import assert_agree, digest_mismatches


def main() -> None:
    """Prints one line a run, and the proof's report where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mix", default="JJJj", choices=["JJJj", "JJJr"])
    parser.add_argument("--java", default="3.8.0")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of load between two events")
    options = parser.parse_args()
    for run in range(1, options.runs + 1):
        with ensemble(options.mix, options.java) as system:
            _, sent = kill_leaders_under_load(system, 2, options.seconds)
            znodes = assert_agree(system.servers)
            mismatches = {server.id: digest_mismatches(server) for server in system.servers}
            print(f"{options.mix} {options.java}, run {run}: {sent} requests, {znodes} znodes, "
                  f"digest mismatches by server: {mismatches}", flush=True)
            if options.mix.endswith("r"):
                print(report(system[4]).text(), flush=True)


if __name__ == "__main__":
    main()

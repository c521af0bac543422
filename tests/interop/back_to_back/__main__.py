"""Replays every scene against two servers and reports where they differ.

    python -m back_to_back [--reference java] [--subject ringkeeper] [--scene NAME]...

With the same kind on both sides it proves that the stream and the masks are deterministic; known
differences are then not looked at.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from rig.places import REPOSITORY
from rig.system import Kind, System, kind_of

from .compare import Comparison, Difference
from .known import judge, patterns
from .replay import Record, Replay
from .scenes import all_scenes
from .stream import Scene


def record(kind: Kind, scene: Scene) -> list[Record]:
    """Replays a scene against a fresh server; its folder stays when the server died of it."""
    system = System(kind, config={"maxSessionTimeout": "600000", **scene.config},
                    properties=scene.properties)
    with system:
        records = Replay(system.servers[0].client).run(scene)
        code = system.servers[0].process.poll() if system.servers[0].process else None
        if code is not None:
            raise RuntimeError(f"{kind} ended with {code} in {scene.name}:\n{system.servers[0].tail()}")
        return records


def main() -> int:
    """The exit code: 0 when all differences are known and all known ones are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", default="java", type=kind_of)
    parser.add_argument("--subject", default="ringkeeper", type=kind_of)
    parser.add_argument("--scene", action="append")
    parser.add_argument("--show", type=int, default=40, help="differences to print")
    options = parser.parse_args()
    scenes = [s for s in all_scenes() if not options.scene or s.name in options.scene]
    requests = sum(scene.requests() for scene in scenes)
    print(f"back_to_back: {requests} requests, {options.reference} against {options.subject}", flush=True)
    differences: list[Difference] = []
    for scene in scenes:
        begun = time.monotonic()
        with ThreadPoolExecutor(2) as both:
            expected, got = both.map(record, (options.reference, options.subject), (scene, scene))
        found = Comparison().scene(expected, got)
        print(f"  {scene.name}: {scene.requests()} requests, {len(found)} differ, "
              f"{time.monotonic() - begun:.1f} s", flush=True)
        differences += found
    known = [] if options.reference == options.subject else patterns(REPOSITORY / "tests/README.md")
    labels = [label for scene in scenes for label, _ in scene.steps]
    unknown, vanished = judge(differences, known, labels)
    for difference in unknown[:options.show]:
        print(difference)
    for pattern in vanished:
        print(f"listed as known, but nothing differs there: {pattern}")
    passed = requests - len(unknown)
    failed = len(unknown) + len(vanished)
    listed = len(differences) - len(unknown)
    print(f"back_to_back: {passed} passed, {failed} failed, {listed} known differences")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

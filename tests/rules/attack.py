"""Runs the whole media stage on a shard in a process of its own: python attack.py RESULTS CLIP=FILE…

It ends itself where one clip takes longer than CLIP_S in one script, and prints the peak of its memory in MB.
"""

import faulthandler
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "workflow" / "scripts"), str(REPOSITORY / "tests")]

from rules.media_stage import STORES, run_script  # noqa: E402

from blemore.media import shard  # noqa: E402

CLIP_S = 120  # of a machine that others use too


class Watched(shard.Progress):
    """Sets the alarm anew after each clip."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        faulthandler.dump_traceback_later(CLIP_S, exit=True)

    def step(self, parts: int = 0) -> None:
        super().step(parts)
        faulthandler.dump_traceback_later(CLIP_S, exit=True)


if __name__ == "__main__":
    shard.Progress = Watched
    clips = {clip: Path(file) for clip, _, file in (argument.partition("=") for argument in sys.argv[2:])}
    for name in STORES:
        run_script(name, clips, Path(sys.argv[1]))
    # Not `ru_maxrss`, in which Linux starts a process with what its parent had.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) // 1024)

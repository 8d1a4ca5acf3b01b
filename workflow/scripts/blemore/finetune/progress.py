"""What can be seen of a training while it runs: lines in the log of the job, and curves for TensorBoard."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tensorboardX import SummaryWriter

from blemore.learning import Watch


class Progress:
    """Writes for one seed.

    Args:
        folder: of the curves, below `results/logs`.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder, self.seconds = folder, 0.0
        self.writer: SummaryWriter | None = None
        self.started_s = time.monotonic()

    def goes_on(self, epoch: int, batch: int, seconds: float) -> None:
        """After a kill."""
        self.seconds = seconds
        print(f"goes on in epoch {epoch} after {batch} batches.", flush=True)

    def within(self, epoch: int, batch: int, batches: int, loss: float) -> None:
        """In the middle of a long epoch."""
        print(f"epoch {epoch}: {batch} of {batches} batches, loss {loss:.4f}.", flush=True)

    def epoch(
        self, epoch: int, epochs: int, train_loss: Sequence[float], watch: Watch | None, rates: Sequence[float], use: Mapping[int, Sequence[float]]
    ) -> None:
        """After an epoch: losses, score, rates, and how often each expert was chosen."""
        now_s = time.monotonic()
        self.seconds, self.started_s = self.seconds + now_s - self.started_s, now_s
        curves = {"loss/train": train_loss[-1], "rate/lowest": min(rates), "rate/highest": max(rates)}
        said = f"epoch {epoch} of {epochs}: loss {train_loss[-1]:.4f}"
        if watch:
            curves |= {"loss/stop": watch.losses[-1], "score/stop": watch.scores[-1]}
            said += f", stopping loss {watch.losses[-1]:.4f}, Score {watch.scores[-1]:.3f}, best epoch {watch.best_epoch}"
        curves |= {f"experts_block_{block}/{expert}": share for block, shares in use.items() for expert, share in enumerate(shares)}
        left_s = self.seconds / epoch * (epochs - epoch)
        print(f"{said}; {self.seconds / epoch:.1f} s an epoch, {left_s / 60:.1f} minutes left at most.", flush=True)
        self._write(curves, epoch)

    def _write(self, curves: Mapping[str, float], epoch: int) -> None:
        if self.writer is None:
            self.writer = SummaryWriter(str(self.folder), purge_step=epoch)
        for name, value in curves.items():
            self.writer.add_scalar(name, value, epoch)
        self.writer.flush()

    def close(self) -> None:
        """No more epochs."""
        if self.writer:
            self.writer.close()

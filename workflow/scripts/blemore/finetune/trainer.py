"""Training of one network on one fold: what every epoch does, and how it goes on after a kill as if there had been none."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from timm.utils import ModelEmaV3
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

from blemore.finetune.clips import Batches, EvaluatedViews, Media, Source, TrainingViews, loader
from blemore.finetune.optimisation import BETAS, mix, parameter_groups, schedule, trained_state
from blemore.finetune.progress import Progress
from blemore.finetune.resume import Resume
from blemore.finetune.trainee import Trainee
from blemore.learning import Score, Watch, diverged, is_finite, soft_label_loss
from blemore.torch_setup import FLOAT16, autocast

BALANCE_WEIGHT = 1e-3  # of the auxiliary loss
NO_MIXING = {"mixup": 0.0, "cutmix": 0.0}  # of sound
SAVED_EVERY_S = 600  # within an epoch; after each epoch anyway


class Examples(NamedTuple):
    """Clips that teach and clips that stop the training, with their soft labels (n, 6)."""

    train: Sequence[Source]
    train_y: NDArray[np.float32]
    stop: Sequence[Source]
    stop_y: NDArray[np.float32]


class Machine(NamedTuple):
    """Where it runs; processes that read change no bit."""

    device: str
    precision: str
    workers: int


class Place(NamedTuple):
    """How far a training has come: `batch` batches of `epoch` are done, with this summed loss."""

    epoch: int
    batch: int
    loss: float


class Trainer:
    """Trains a network on random views and keeps the epoch that is best on the clips that stop the training.

    All random numbers of a step depend on (seed, epoch, batch), and those of a clip on (seed, epoch, clip), so neither workers
    nor an interruption changes a bit.

    Args:
        settings: of the encoder, after `recipes.resolve`: the blocks `training` and, for pictures, `mixing`.
        score: see `Watch`.
        epochs: fixed number of epochs, without looking at clips that could stop.
    """

    def __init__(
        self,
        trainee: Trainee,
        media: Media,
        examples: Examples,
        settings: Mapping[str, Any],
        seed: int,
        score: Score,
        machine: Machine,
        resume: Resume,
        progress: Progress,
        epochs: int | None = None,
    ) -> None:
        self.training, self.mixing = settings["training"], settings.get("mixing", NO_MIXING)
        self.network: Any = trainee.network.to(machine.device)
        self.machine, self.seed, self.resume, self.progress = machine, seed, resume, progress
        self.ema = ModelEmaV3(self.network, decay=self.training["ema"]) if self.training["ema"] else None
        self.optimizer = torch.optim.AdamW(parameter_groups(trainee, self.training), betas=BETAS)
        self.scaler = torch.amp.GradScaler(machine.device, enabled=machine.precision == FLOAT16)
        self.batches = Batches(len(examples.train), self.training["batch_size"], seed)
        self.loader = loader(TrainingViews(media, examples.train, examples.train_y, seed), machine.workers, batch_sampler=self.batches)
        self.updates_per_epoch = math.ceil(self.batches.parts / self.training["accumulation"])
        self.schedule = schedule(self.optimizer, self.updates_per_epoch, self.training)
        self.last_epoch = epochs or self.training["epochs"]
        self.watch = Watch(torch.from_numpy(examples.stop_y), self.training["monitor"], score) if len(examples.stop) and epochs is None else None
        self.stop = evaluation_loader(media, examples.stop, self.training["batch_size"], machine.workers) if self.watch else None
        self.place, self.train_loss, self.saved_s = Place(1, 0, 0.0), list[float](), time.monotonic()

    @property
    def judged(self) -> nn.Module:
        """The network that predicts: the moving average where there is one."""
        return self.ema.module if self.ema else self.network

    def run(self) -> dict[str, Any]:
        """Trains to the end and leaves the best epoch's weights in `judged`.

        Returns:
            best_epoch (from 1), and per epoch train_loss (mean KL divergence), stop_loss and stop_score; the last two are empty where nothing could stop.

        Raises:
            BadInput: if the network of no epoch, or of the last one where nothing could stop, gives finite numbers.
        """
        self._restore()
        while self.place.epoch <= self.last_epoch and not self._is_over():
            self._train_epoch()
            self._judge()
            self._save()
        if not (is_finite(self.train_loss, trained_state(self.judged)) if self.watch is None else self.watch.best_epoch):
            raise diverged("encoder", self.training["learning_rate"])
        if self.watch is None:
            return {"best_epoch": self.place.epoch - 1, "train_loss": self.train_loss, "stop_loss": [], "stop_score": []}
        self.judged.load_state_dict(self.watch.best_state, strict=False)
        return {
            "best_epoch": self.watch.best_epoch,
            "train_loss": self.train_loss,
            "stop_loss": self.watch.losses,
            "stop_score": self.watch.scores,
        }

    def _is_over(self) -> bool:
        return self.watch is not None and self.watch.is_over(self.place.epoch - 1, self.training["patience"])

    def _train_epoch(self) -> None:
        self.network.train()
        self.batches.epoch, self.batches.first = self.place.epoch, self.place.batch
        for clips, labels in self.loader:
            self._step(clips, labels)
            epoch, batch, loss = self.place
            whole = batch % self.training["accumulation"] == 0 or batch == self.batches.parts
            if whole:
                self._update()
            if whole and batch < self.batches.parts and time.monotonic() - self.saved_s > SAVED_EVERY_S:
                self._save()
                self.progress.within(epoch, batch, self.batches.parts, loss / batch)
        self.train_loss.append(self.place.loss / self.batches.parts)

    def _step(self, clips: torch.Tensor, labels: torch.Tensor) -> None:
        """Adds the gradient of one batch, the part of an update that it is."""
        epoch, batch, total = self.place
        device = self.machine.device
        drawn = step_seed(self.seed, epoch, batch)
        torch.manual_seed(drawn)
        clips, labels = mix(clips.to(device), labels.to(device), **self.mixing, seed=drawn)
        np.random.seed(drawn)  # wav2vec2 draws what it masks from it
        with autocast(device, self.machine.precision):
            logits = self.network(clips)
        divergence = soft_label_loss(logits.float(), labels)
        auxiliary = BALANCE_WEIGHT * self.network.auxiliary_loss() if hasattr(self.network, "auxiliary_loss") else 0.0
        group = batch // self.training["accumulation"] * self.training["accumulation"]
        parts = min(self.training["accumulation"], self.batches.parts - group)
        self.scaler.scale((divergence + auxiliary) / parts).backward()
        self.place = Place(epoch, batch + 1, total + divergence.item())

    def _update(self) -> None:
        epoch, batch, _ = self.place
        done = (epoch - 1) * self.updates_per_epoch + math.ceil(batch / self.training["accumulation"])
        self.schedule.step_update(done - 1)
        if self.training["clip_grad"]:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.training["clip_grad"])
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.ema:
            self.ema.update(self.network, step=done)

    def _judge(self) -> None:
        epoch = self.place.epoch
        if self.watch is not None and self.stop is not None:
            logits = torch.from_numpy(predict(self.judged, self.stop, self.machine))
            self.watch.see(logits, trained_state(self.judged), epoch)
        use = self.network.expert_use() if hasattr(self.network, "expert_use") else {}
        self.progress.epoch(epoch, self.last_epoch, self.train_loss, self.watch, [group["lr"] for group in self.optimizer.param_groups], use)
        self.place = Place(epoch + 1, 0, 0.0)

    def _save(self) -> None:
        state: dict[str, Any] = {"place": tuple(self.place), "train_loss": self.train_loss, "network": trained_state(self.network)}
        state |= {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict(), "seconds": self.progress.seconds}
        if self.ema:
            state["ema"] = trained_state(self.ema.module)
        if self.watch:
            state["watch"] = {name: getattr(self.watch, name) for name in ("losses", "scores", "best_epoch", "best_value", "best_state")}
        self.resume.write(state)
        self.saved_s = time.monotonic()

    def _restore(self) -> None:
        state = self.resume.read(self.machine.device)
        if state is None:
            return
        self.place, self.train_loss = Place(*state["place"]), state["train_loss"]
        self.network.load_state_dict(state["network"], strict=False)
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.ema:
            self.ema.module.load_state_dict(state["ema"], strict=False)
        for name, value in state.get("watch", {}).items():
            setattr(self.watch, name, value)
        self.progress.goes_on(self.place.epoch, self.place.batch, state["seconds"])


def step_seed(seed: int, epoch: int, batch: int) -> int:
    """Of everything random in one step."""
    return int(np.random.SeedSequence([seed, epoch, batch]).generate_state(1)[0])


def evaluation_loader(media: Media, sources: Sequence[Source], batch_size: int, workers: int) -> DataLoader:
    """All views of clips, in their order; clips of different lengths one by one."""
    return loader(EvaluatedViews(media, sources), workers, batch_size=batch_size if media.equal_lengths else 1)


@torch.inference_mode()
def predict(network: nn.Module, clips: DataLoader, machine: Machine) -> NDArray[np.float32]:
    """Log of the mean probability over the views of each clip, shape (n, 6)."""
    network.eval()
    rows = [np.empty((0, 6), np.float32)]
    for views in clips:
        with autocast(machine.device, machine.precision):
            logits = network(views.flatten(0, 1).to(machine.device))
        of_views = functional.log_softmax(logits.float(), dim=1).unflatten(0, views.shape[:2])
        rows.append((of_views.logsumexp(1) - math.log(views.shape[1])).cpu().numpy())
    return np.concatenate(rows)

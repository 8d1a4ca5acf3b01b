"""What the trainer promises: a kill changes nothing, workers change nothing, networks compute what the library's own calls do."""

import json
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from unit.finetune.tiny import Clips, Job, checkpoint, settings

from blemore.data.emotions import EMOTIONS
from blemore.finetune import bodies, faces, speech, trainer
from blemore.finetune.clips import Source, loader
from blemore.finetune.job import Dataset, examples
from blemore.finetune.optimisation import parameter_groups, schedule
from blemore.finetune.recipes import resolve
from blemore.finetune.resume import Resume
from blemore.job import BadInput
from blemore.learning import soft_label_loss
from blemore.stores import STATUSES, read_attributes, read_manifest, read_probabilities

RATE = {"learning_rate": 0.003, "head_learning_rate": 0.003}


@pytest.fixture(autouse=True)
def _restore_torch():
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkpoints")
    return {kind: checkpoint(root / kind, kind) for kind in ("s4d", "videomae", "timesformer", "wav2vec2_finetuned")}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Sixteen clips of four actors in four folds, one of them broken, and two test clips."""
    return Clips(tmp_path_factory.mktemp("clips"), [EMOTIONS[index % 6] for index in range(16)], broken=("A1_05",), test=2)


def manifest(job):
    return read_manifest(job.output.store)["content_sha256"]


class Killed(Exception):
    pass


@pytest.mark.parametrize("after", [1, 2, 4])
def test_a_training_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path, folders, clips, monkeypatch, after):
    encoder = settings(
        "s4d", folders["s4d"], {**RATE, "epochs": 3, "accumulation": 2, "ema": 0.9, "batch_size": 2}, frozen_blocks=1, mixing={"mixup": 0.8, "cutmix": 1.0}
    )
    whole = Job(tmp_path / "whole", "s4d", clips, encoder)
    whole.run()
    monkeypatch.setattr(trainer, "SAVED_EVERY_S", 0)
    write, calls = Resume.write, []

    def kill(resume, state):
        write(resume, state)
        calls.append(state["place"])
        if len(calls) == after:
            raise Killed

    monkeypatch.setattr(Resume, "write", kill)
    stopped = Job(tmp_path / "stopped", "s4d", clips, encoder)
    with pytest.raises(Killed):
        stopped.run()
    assert len(list((tmp_path / "stopped" / "resume").iterdir())) == 1
    stopped.run()
    assert manifest(stopped) == manifest(whole)
    assert Path(stopped.output.history).read_bytes() == Path(whole.output.history).read_bytes()
    (finished,) = (tmp_path / "stopped" / "resume").iterdir()
    assert finished.name.endswith(".finished.pt")
    monkeypatch.setattr(trainer.Trainer, "_train_epoch", Mock(side_effect=AssertionError("it is trained already")))
    stopped.run()  # as where Snakemake was killed before it recorded the job
    assert manifest(stopped) == manifest(whole)
    assert Path(stopped.output.history).read_bytes() == Path(whole.output.history).read_bytes()


def test_the_store_of_a_fold_has_every_clip_with_its_part_and_status(tmp_path, folders, clips):
    encoder = settings("videomae", folders["videomae"], RATE)
    job = Job(tmp_path, "videomae", clips, encoder)
    job.run()
    rows = read_probabilities(job.output.store)
    assert rows.clip == clips.names
    assert np.isnan(rows.probability).all(1).tolist() == [name == "A1_05" for name in clips.names]
    assert rows.probability[0].sum() == pytest.approx(1, abs=1e-5)
    assert [rows.split[clips.names.index(name)] for name in ("A0_00", "A1_01", "A2_02", "test_0")] == ["scored", "inner", "train", "test"]
    assert read_manifest(job.output.store)["status_counts"] == {STATUSES[0]: 17, STATUSES[4]: 1}
    attributes = read_attributes(job.output.store)
    assert attributes["recipe"] == encoder
    assert set(attributes["weights"]) == {"config.json", "model.safetensors", "preprocessor_config.json"}
    history = json.loads(Path(job.output.history).read_text())["seeds"]["1"]
    assert [len(history[name]) for name in ("train_loss", "stop_loss", "stop_score")] == [2, 2, 2]
    assert {path.name for path in Path(job.output.weights, "seed1").iterdir()} == {"config.json", "model.safetensors"}
    assert list(Path(job.snakemake.log[0]).with_suffix("").rglob("events.out.tfevents.*"))


def test_stopping_on_the_scored_fold_holds_nobody_out(tmp_path, folders, clips):
    job = Job(tmp_path, "videomae", clips, settings("videomae", folders["videomae"], {"epochs": 1}), early_stopping="paper")
    job.run()
    assert set(read_probabilities(job.output.store).split) == {"train", "scored", "test"}


def test_processes_that_read_change_no_bit(folders, clips):
    encoder = resolve(settings("s4d", folders["s4d"], augment={"crop_scale": 0.3, "flip": True, "randaugment": "m7-n4-mstd0.5", "erasing": 0.5}))
    media = faces.media(encoder, folders["s4d"])
    sources = [Source(name, clips.stores["faces"][0], 0, 0.0) for name in clips.names if name != "A1_05"]
    batches = trainer.Batches(len(sources), 4, 1)
    views = trainer.TrainingViews(media, sources, np.zeros((len(sources), 6), np.float32), 1)
    here, there = ([seen for seen, _ in loader(views, workers, batch_sampler=batches)] for workers in (0, 2))
    assert len(here) == 5
    assert all(torch.equal(one, other) for one, other in zip(here, there, strict=True))


def test_networks_compute_what_plain_calls_do(folders):
    from transformers import TimesformerForVideoClassification, VideoMAEForVideoClassification, Wav2Vec2Model

    torch.manual_seed(0)
    for kind, cls in (("videomae", VideoMAEForVideoClassification), ("timesformer", TimesformerForVideoClassification)):
        network = bodies.build(settings(kind, folders[kind]), folders[kind]).network.eval()
        pixels = torch.randn(4, 3, settings(kind, folders[kind])["n_frames"], 32, 32)
        plain = cls.from_pretrained(folders[kind]).eval()
        plain.classifier = network.model.classifier
        with torch.inference_mode():
            ours = network(pixels)
            assert ours.numpy() == pytest.approx(plain(pixel_values=pixels.permute(0, 2, 1, 3, 4)).logits.numpy(), abs=1e-5)
            assert torch.cat([network(one[None]) for one in pixels]).numpy() == pytest.approx(ours.numpy(), abs=1e-5)
            assert torch.equal(ours, network(pixels))
    folder = folders["wav2vec2_finetuned"]
    network = speech.build({}, folder).network.eval()
    sound = torch.randn(4, 8000)
    with torch.inference_mode():
        hidden = Wav2Vec2Model.from_pretrained(folder).eval()(sound).last_hidden_state
        weights = torch.softmax(network.pooling.score(hidden), dim=1)
        ours = network(sound)
        assert ours.numpy() == pytest.approx(network.head((weights * hidden).sum(1)).numpy(), abs=1e-5)
        assert torch.cat([network(one[None]) for one in sound]).numpy() == pytest.approx(ours.numpy(), abs=1e-5)


def test_head_and_backbone_learn_at_their_own_rates_along_a_cosine(folders):
    encoder = settings(
        "videomae", folders["videomae"], {"epochs": 4, "learning_rate": 1e-5, "head_learning_rate": 1e-3, "warmup_epochs": 1, "layer_decay": 0.5}
    )
    trainee = bodies.build(encoder, folders["videomae"])
    groups = parameter_groups(trainee, encoder["training"])
    assert sum(len(group["params"]) for group in groups) == len(list(trainee.network.parameters()))
    assert all(group["weight_decay"] == 0 for group in groups for parameter in group["params"] if parameter.ndim <= 1)
    optimizer = torch.optim.AdamW(groups)
    plan = schedule(optimizer, 10, encoder["training"])
    plan.step_update(10)
    rates = sorted({round(group["lr"], 12) for group in optimizer.param_groups})
    assert rates[-1] == pytest.approx(1e-3 * (1 + np.cos(np.pi * 10 / 40)) / 2)
    assert rates[:-1] == pytest.approx([share * 1e-5 * (1 + np.cos(np.pi * 10 / 40)) / 2 for share in (0.125, 0.25, 0.5, 1)])
    plan.step_update(0)
    assert max(group["lr"] for group in optimizer.param_groups) <= 1e-7


def test_the_loss_is_the_divergence_from_the_soft_label():
    logits, target = torch.randn(3, 6), torch.tensor([[0.7, 0.3, 0, 0, 0, 0]] * 3)
    expected = np.mean([(p * np.log(p / q)).sum() for p, q in ((np.array([0.7, 0.3]), row[:2]) for row in logits.softmax(1).numpy())])
    assert float(soft_label_loss(logits, target)) == pytest.approx(expected, abs=1e-5)


def test_recipes_fill_what_is_null_and_nothing_else(folders):
    encoder = settings("s4d", folders["s4d"])
    encoder["training"] |= {"epochs": None, "batch_size": None, "accumulation": 2}
    paper, released = resolve(encoder), resolve(encoder | {"recipe": "released"})
    assert [paper["training"][name] for name in ("epochs", "batch_size", "learning_rate", "layer_decay")] == [100, 16, 1e-4, 1.0]
    assert released["training"]["learning_rate"] == pytest.approx(1e-5 * 32 / 8)
    assert released["mixing"] == {"mixup": 0.8, "cutmix": 1.0}
    assert resolve(encoder | {"mixing": {"mixup": 0.1, "cutmix": None}})["mixing"] == {"mixup": 0.1, "cutmix": 0.0}


def test_another_kind_of_checkpoint_is_refused(folders):
    with pytest.raises(BadInput, match=r"^/.* holds a checkpoint of timesformer, not of videomae; mend features\.\*\.kind or features\.\*\.model\.$"):
        bodies.build(settings("videomae", folders["timesformer"]), folders["timesformer"])
    with pytest.raises(BadInput, match=r"^/.* takes 16 frames, but features\.\*\.n_frames is 8; set it to 16\.$"):
        bodies.build(settings("videomae", folders["videomae"], n_frames=8), folders["videomae"])
    with pytest.raises(BadInput, match=r"^/.* holds a checkpoint of timesformer, not of wav2vec2; mend features\.\*\.model\.$"):
        speech.build({}, folders["timesformer"])


def test_a_head_of_other_tensors_is_refused(tmp_path, folders):
    from safetensors.torch import save_file

    network = speech.build({}, folders["wav2vec2_finetuned"]).network
    speech.save(network, tmp_path)
    save_file({"head.bias": network.head.bias.detach()}, tmp_path / "head.safetensors")
    with pytest.raises(BadInput, match=r"head\.safetensors does not hold head\.weight, pooling\..* as it should; train the encoder again\.$"):
        speech.open_trained({}, tmp_path)


def test_a_preprocessor_without_mean_and_deviation_is_refused(tmp_path):
    for name in ("preprocessor_config.json", "config.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(BadInput, match=r"preprocessor_config\.json states no image_mean and image_std; put the checkpoint's own file there\.$"):
        bodies.media({}, tmp_path)


def test_too_few_clips_are_refused():
    data = Dataset([], np.zeros((0, 6), np.float32), np.array([], "<U6"))
    with pytest.raises(BadInput, match=r"^only 0 clips are left to train on; more folds, actors or readable clips are needed\.$"):
        examples(data, "inner")


def test_a_training_without_any_finite_loss_is_refused():
    good, bad = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    torch.nn.init.constant_(bad.weight, torch.nan)
    for watch, network, loss in ((SimpleNamespace(best_epoch=0), good, 1.0), (None, bad, 1.0), (None, good, np.nan)):
        told = {"watch": watch, "judged": network, "train_loss": [2.0, loss], "training": RATE}
        diverged = SimpleNamespace(place=trainer.Place(1, 0, 0.0), last_epoch=0, _restore=lambda: None, **told)
        with pytest.raises(BadInput, match=r"^training diverged: the network gives no finite numbers; lower learning_rate of the encoder \(now 0\.003\)\.$"):
            trainer.Trainer.run(diverged)


def test_a_damaged_state_of_a_killed_training_is_named(tmp_path):
    resume = Resume(tmp_path, {"seed": 1})
    resume.path.write_bytes(b"cut off")
    with pytest.raises(BadInput, match=r"\.pt cannot be read \(\w+\); delete it, and the training begins anew\.$"):
        resume.read("cpu")


def test_every_flipped_bit_of_a_state_is_found(tmp_path):
    """PyTorch itself does not compare the checksums that it writes."""
    resume = Resume(tmp_path, {"seed": 1})
    resume.write({"place": (1, 0, 0.5), "network": {"weight": torch.arange(4000.0)}})
    whole, draw = resume.path.read_bytes(), np.random.default_rng(0)
    silent = 0
    for _ in range(60):
        flipped = bytearray(whole)
        flipped[draw.integers(len(whole))] ^= 1 << draw.integers(8)
        resume.path.write_bytes(flipped)
        try:
            found = resume.read("cpu")
            assert torch.equal(found["network"]["weight"], torch.arange(4000.0))
            assert found["place"] == (1, 0, 0.5)
            silent += 1  # of a name or a date
        except BadInput:
            continue
    assert silent < 10


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path, folders):
    from safetensors.torch import load_file, save_file

    for source in folders["videomae"].glob("*.json"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    state = load_file(folders["videomae"] / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in state.items() if "layer.1.attention.attention.query" not in name}, tmp_path / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(BadInput, match=r"^/.* lacks videomae\.encoder\.layer\.1\.attention.*: it is no checkpoint of videomae; mend features\.\*\.model\.$"):
        bodies.build(settings("videomae", tmp_path), tmp_path)

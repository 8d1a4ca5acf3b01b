import argparse
import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from unit.finetune.test_s4d import TINY, lively

from blemore.finetune.s4d import S4D, load_pretrained, write_random_checkpoint
from blemore.job import BadInput


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("released") / "vit_tiny.pt"
    write_random_checkpoint(path, seed=3, **TINY)
    return path


@pytest.fixture
def tensors(released):
    return torch.load(released, weights_only=True)["model"]


def saved(folder, content):
    torch.save(content, folder / "checkpoint.pt")
    return folder / "checkpoint.pt"


@pytest.mark.parametrize("layout", ["model", "module", "bare", "safetensors", "with arguments"])
def test_every_layout_fills_the_encoder(tmp_path, tensors, layout):
    if layout == "safetensors":
        path = tmp_path / "encoder.safetensors"
        save_file(tensors, path)
    else:
        wrapped = {"bare": tensors, "with arguments": {"model": tensors, "args": argparse.Namespace(lr=1e-3, path="/x"), "epoch": 99}}
        path = saved(tmp_path, wrapped.get(layout) or {layout: tensors, "epoch": 99})
    model = lively(S4D(**TINY))
    before = copy.deepcopy(model.state_dict())
    loaded = load_pretrained(model, path)
    after = model.state_dict()
    assert set(loaded.taken) | set(loaded.fresh) == set(after)
    assert not set(loaded.taken) & set(loaded.fresh)
    assert all(torch.equal(after[name], tensors[f"encoder.{name}"]) for name in loaded.taken)
    assert all(torch.equal(after[name], before[name]) for name in loaded.fresh)
    assert set(loaded.fresh) == {name for name in after if "moe_layer" in name or name.startswith(("fc_norm", "head"))}
    assert loaded.dropped == ["decoder.norm.weight", "encoder.norm.bias", "encoder.norm.weight", "encoder_to_decoder.weight", "mask_token"]


def test_random_checkpoints_follow_their_seed(tmp_path, tensors):
    write_random_checkpoint(tmp_path / "again.safetensors", seed=3, **TINY)
    again = load_file(tmp_path / "again.safetensors")
    assert all(torch.equal(again[name], tensors[name]) for name in tensors if name.startswith("encoder."))
    state = torch.random.get_rng_state()
    write_random_checkpoint(tmp_path / "other.safetensors", seed=4, **TINY)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(load_file(tmp_path / "other.safetensors")["encoder.blocks.0.attn.qkv.weight"], tensors["encoder.blocks.0.attn.qkv.weight"])


def changed(tensors, gone=None, **new):
    return {"model": {name: tensor for name, tensor in tensors.items() if name != gone} | {name.replace("__", "."): tensor for name, tensor in new.items()}}


@pytest.mark.parametrize(
    ("gone", "new", "message"),
    [
        (
            "encoder.blocks.1.attn.q_bias",
            {},
            r"checkpoint\.pt is no self-supervised encoder of this model: it lacks blocks\.1\.attn\.q_bias; mend the sizes, or name another file\.$",
        ),
        (None, {"encoder__cls_token": 1}, "it holds the unknown cls_token;"),
        (None, {"encoder__head__weight": 6}, r"holds the unknown head\.weight;"),
        ("encoder.patch_embed.proj.bias", {"encoder__pos_embed": 1}, r"lacks patch_embed\.proj\.bias and holds the unknown pos_embed"),
        (
            None,
            {"encoder__blocks__0__attn__q_bias": 7},
            r"checkpoint\.pt has other sizes than the model: blocks\.0\.attn\.q_bias is \(7,\) in it and \(24,\) in the model \(1 such in all\); "
            r"mend the sizes, or name another file\.$",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_the_model_left_alone(tmp_path, tensors, gone, new, message):
    path = saved(tmp_path, changed(tensors, gone, **{name: torch.zeros(size) for name, size in new.items()}))
    model = S4D(**TINY)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(BadInput, match=message):
        load_pretrained(model, path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_many_missing_names_are_counted(tmp_path, released):
    with pytest.raises(BadInput, match=r"lacks blocks\.3\..*\(13 in all\)"):
        load_pretrained(S4D(**TINY | {"depth": 4}), released)


class Trap:
    def __reduce__(self):
        return Path.touch, (Path("trap"),)


def test_nothing_in_a_checkpoint_is_run(tmp_path, tensors, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path, {"model": tensors, "args": Trap()})
    with pytest.raises(BadInput) as refused:
        load_pretrained(S4D(**TINY), path)
    assert str(refused.value) == (
        f"{path} holds objects other than tensors, and reading them could run code, which is never done here; "
        "where you trust the file, write its entry `model` as .safetensors, and name that."
    )
    assert not Path("trap").exists()


@pytest.mark.parametrize("name", ["broken.pt", "broken.safetensors", "cut.pt"])
def test_broken_files_are_named(tmp_path, released, name):
    (tmp_path / name).write_bytes(released.read_bytes()[:-2000] if name == "cut.pt" else b"no weights at all")
    with pytest.raises(BadInput, match=rf"/{name} cannot be read \(.*\); fetch it again, or name another file\.$"):
        load_pretrained(S4D(**TINY), tmp_path / name)


@pytest.mark.parametrize("content", [{"model": {"epoch": 3}}, [1, 2], {}, {"model": {}}])
def test_what_holds_no_tensors_is_refused(tmp_path, content):
    sentence = r"checkpoint\.pt is no checkpoint of S4D: neither it nor its entry `model` or `module` maps names to tensors; name another file\.$"
    with pytest.raises(BadInput, match=sentence):
        load_pretrained(S4D(**TINY), saved(tmp_path, content))


def test_an_absent_file_names_the_released_one(tmp_path):
    sentence = r"absent\.pt is not there; put vit_base_voxceleb2\+affectnet_100\.pt of cyinen/S4D into its place, or name another file\.$"
    with pytest.raises(BadInput, match=sentence):
        load_pretrained(S4D(**TINY), tmp_path / "absent.pt")

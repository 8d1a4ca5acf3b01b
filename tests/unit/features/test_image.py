import numpy as np
import pytest
import torch
from checkpoints import write_tiny
from PIL import Image

from blemore.features.image import CLASSES, ImageEncoder, image_processor
from blemore.job import BadInput

FRAMES = np.random.default_rng(3).integers(0, 256, (5, 48, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("image")
    for kind in CLASSES:
        write_tiny(kind, root / kind, 1)
    return root


def plainly(folder, kind):
    """Each picture by itself, as the library's pages show it: the whole model, the processor that it finds by itself."""
    from transformers import AutoImageProcessor, AutoModel

    processor, model = AutoImageProcessor.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        for frame in FRAMES:
            inputs = processor(images=Image.fromarray(frame), return_tensors="pt")
            if kind in ("clip", "siglip2"):
                found = model.get_image_features(**inputs)
                yield (found if torch.is_tensor(found) else found.pooler_output)[0].numpy()
            else:
                yield model(**inputs).last_hidden_state[0, 0].numpy()


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_equals_the_plain_call(folders, kind):
    assert ImageEncoder(folders / kind, kind)(FRAMES) == pytest.approx(np.stack(list(plainly(folders / kind, kind))), abs=1e-5)


def test_a_part_that_sees_may_be_saved_alone(folders, tmp_path):
    from transformers import CLIPVisionModelWithProjection

    CLIPVisionModelWithProjection.from_pretrained(folders / "clip").save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_bytes((folders / "clip/preprocessor_config.json").read_bytes())
    assert np.array_equal(ImageEncoder(tmp_path, "clip")(FRAMES), ImageEncoder(folders / "clip", "clip")(FRAMES))


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_bfloat16_gives_nearly_the_same(folders, kind):
    exact, coarse = (ImageEncoder(folders / kind, kind, precision)(FRAMES) for precision in ("float32", "bfloat16"))
    assert not np.array_equal(exact, coarse)
    assert np.corrcoef(exact.ravel(), coarse.ravel())[0, 1] > 0.999


def test_a_checkpoint_of_another_kind_is_refused(folders):
    with pytest.raises(BadInput, match=r"^/.* holds a checkpoint of dinov2, not of clip; mend features\.\*\.kind or features\.\*\.model\.$"):
        ImageEncoder(folders / "dinov2", "clip")


def test_a_checkpoint_without_its_preprocessing_is_refused(folders, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folders / "clip" / name).read_bytes())
    with pytest.raises(BadInput, match=r"preprocessor_config\.json cannot be read \(.*\); put the checkpoint's own file there\.$"):
        ImageEncoder(tmp_path, "clip")


def test_code_of_a_checkpoint_is_never_run(tmp_path, monkeypatch):
    """Not even where somebody, or a pipe, says yes to what transformers asks."""
    (tmp_path / "config.json").write_text('{"model_type": "unheard_of"}')
    (tmp_path / "preprocessor_config.json").write_text('{"auto_map": {"AutoImageProcessor": "own.Processor"}}')
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Processor:\n    from_pretrained = classmethod(lambda *a, **k: None)\n")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(BadInput, match=r"/preprocessor_config\.json names no preprocessing of transformers; put that of a supported checkpoint there\.$"):
        image_processor(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_damaged_checkpoint_is_refused(folders, tmp_path):
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((folders / "clip" / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(BadInput, match=r"^/.* cannot be loaded \(.*\); put the checkpoint's own files there\.$"):
        ImageEncoder(tmp_path, "clip")

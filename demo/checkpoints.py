"""Tiny random checkpoints of the real architectures, in the layout of the real ones, by kind of encoder."""

import sys
from collections.abc import Callable
from pathlib import Path

SMALL = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
SIDE = 32
SEEING = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 16,
    "initializer_range": 0.12,  # with the usual 0.02 so narrow a network passes hardly anything on
}
S4D_LARGER = 6  # than the usual 0.02, for the same reason
CROPPED = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
S4D_SIZES = {  # as features.s4d.sizes must have them
    "image_size": 48,
    "patch": 24,
    "tubelet": 2,
    "width": 32,
    "depth": 2,
    "heads": 2,
    "mlp_ratio": 2,
    "experts": 4,
    "top_k": 2,
    "bottleneck": 16,
    "first_moe_block": 1,
}


def write_tiny(kind: str, folder: Path, seed: int) -> None:
    """Saves the checkpoint of a kind into a folder, equal for equal seeds."""
    import torch

    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    TINY[kind](folder)


def _clip(folder: Path) -> None:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    seeing = {**SMALL, "image_size": SIDE, "patch_size": 8, "projection_dim": 12}
    CLIPModel(CLIPConfig(text_config={**SMALL, "vocab_size": 50}, vision_config=seeing, projection_dim=12)).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SIDE).save_pretrained(folder)


def _dinov2(folder: Path) -> None:
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    Dinov2Model(Dinov2Config(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=7)).save_pretrained(folder)
    BitImageProcessor(size={"shortest_edge": SIDE}, crop_size=28).save_pretrained(folder)


def _dinov3(folder: Path) -> None:
    from transformers import DINOv3ViTConfig, DINOv3ViTImageProcessor, DINOv3ViTModel

    DINOv3ViTModel(DINOv3ViTConfig(**SMALL, image_size=SIDE, patch_size=8)).save_pretrained(folder)
    DINOv3ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def _siglip2(folder: Path) -> None:
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    seeing = {**SMALL, "image_size": SIDE, "patch_size": 8}
    SiglipModel(SiglipConfig(text_config={**SMALL, "vocab_size": 50}, vision_config=seeing)).save_pretrained(folder)
    SiglipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def _xclip(folder: Path) -> None:
    from transformers import VideoMAEImageProcessor, XCLIPConfig, XCLIPModel

    between = {"mit_hidden_size": 12, "mit_intermediate_size": 16, "mit_num_hidden_layers": 1, "mit_num_attention_heads": 2}
    seeing = {**SMALL, "image_size": SIDE, "patch_size": 8, "num_frames": 8, **between}
    XCLIPModel(XCLIPConfig(text_config={**SMALL, "vocab_size": 50}, vision_config=seeing, projection_dim=12)).save_pretrained(folder)
    VideoMAEImageProcessor(size={"shortest_edge": SIDE}, crop_size=SIDE).save_pretrained(folder)


def _pe_av(folder: Path) -> None:
    from transformers import PeAudioFeatureExtractor, PeAudioVideoConfig, PeAudioVideoModel, PeVideoVideoProcessor

    layers = {**SMALL, "num_hidden_layers": 1, "head_dim": 8}
    picture = {"architecture": "vit_pe_core_large_patch14_336", "num_classes": 8, "model_args": {"depth": 1, "embed_dim": 16, "num_heads": 2, "img_size": 28}}
    hearing = {**layers, "dac_config": {"encoder_hidden_size": 4, "codebook_dim": 8, "hidden_size": 64}}
    ends = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    together = {**layers, "audio_config": hearing, "video_config": {**layers, "vision_config": picture}}
    PeAudioVideoModel(PeAudioVideoConfig(text_config={**SMALL, "vocab_size": 50, **ends}, audio_video_config=together)).save_pretrained(folder)
    scaled = {"do_rescale": True, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    PeVideoVideoProcessor(size={"height": 28, "width": 28}, do_resize=True, num_frames=4, **scaled).save_pretrained(folder)
    PeAudioFeatureExtractor().save_pretrained(folder)


def _videoswin(folder: Path) -> None:
    import torch
    from torchvision.models.video.swin_transformer import SwinTransformer3d

    model = SwinTransformer3d([2, 4, 4], 8, [1, 1, 1, 1], [1, 1, 2, 2], [8, 7, 7], num_classes=4)
    torch.save(model.state_dict(), folder / "swin3d_tiny.pth")


def _videomae(folder: Path) -> None:
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEImageProcessor

    VideoMAEForVideoClassification(VideoMAEConfig(**SEEING, num_frames=16, tubelet_size=2, num_labels=4)).save_pretrained(folder)
    VideoMAEImageProcessor(**CROPPED).save_pretrained(folder)


def _timesformer(folder: Path) -> None:
    from transformers import TimesformerConfig, TimesformerForVideoClassification, VideoMAEImageProcessor

    TimesformerForVideoClassification(TimesformerConfig(**SEEING, num_frames=8, num_labels=4)).save_pretrained(folder)
    VideoMAEImageProcessor(**CROPPED, image_mean=[0.45] * 3, image_std=[0.225] * 3).save_pretrained(folder)


def _wav2vec2_finetuned(folder: Path) -> None:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    layers = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    positions = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
    Wav2Vec2Model(Wav2Vec2Config(**layers, **positions, conv_dim=(32,) * 7)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)


def _s4d(folder: Path) -> None:
    import torch

    sys.path.append(str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))
    from blemore.finetune.s4d import write_random_checkpoint

    path = folder / "s4d_tiny.pt"
    write_random_checkpoint(path, 1, frames=8, **S4D_SIZES)
    saved = torch.load(path, weights_only=True)
    for name, tensor in saved["model"].items():
        if name.startswith("encoder.blocks.") and tensor.ndim == 2:
            tensor *= S4D_LARGER
    torch.save(saved, path)


TINY: dict[str, Callable[[Path], None]] = {
    "clip": _clip,
    "dinov2": _dinov2,
    "dinov3": _dinov3,
    "siglip2": _siglip2,
    "xclip": _xclip,
    "pe_av": _pe_av,
    "videoswin": _videoswin,
    "videomae": _videomae,
    "timesformer": _timesformer,
    "wav2vec2_finetuned": _wav2vec2_finetuned,
    "s4d": _s4d,
}

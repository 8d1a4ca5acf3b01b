"""Numbers to stand beside ours: those of the paper (arXiv:2603.23650) and of the organisers (arXiv:2601.13225), as printed."""

from typing import NamedTuple

TABLE_1, TABLE_2, ORGANISERS = "arXiv:2603.23650, Table I", "arXiv:2603.23650, Table II", "arXiv:2601.13225, MLP-512"


class Published(NamedTuple):
    """ACC_P, ACC_S and Score, and where they are printed."""

    presence: float
    salience: float
    score: float
    source: str


class Line(NamedTuple):
    """One line of a table as printed; `name` is what its encoder or ensemble is called here."""

    section: str
    text: str
    name: str
    presence: float
    salience: float
    score: float | None
    presence_std: float | None = None
    salience_std: float | None = None
    modality: str = ""


ADAPTED, PROVIDED = "Adapted or fine-tuned models of the paper", "BLEMORE baselines (pre-extracted features)"
ENCODER_LINES = (
    Line(ADAPTED, "S4D-ViTMoE (face)", "s4d", 0.340, 0.140, 0.240, 0.024, 0.018, "V"),
    Line(ADAPTED, "Gemini Embed. 2.0 (2s)", "gemini", 0.320, 0.137, 0.223, 0.033, 0.009, "AV"),
    Line(ADAPTED, "VideoMAE body (ft)", "videomae", 0.291, 0.144, 0.218, 0.016, 0.026, "V"),
    Line(ADAPTED, "Wav2Vec2 frozen+MLP-1024", "wav2vec2", 0.294, 0.120, 0.207, 0.025, 0.018, "A"),
    Line(ADAPTED, "TimeSformer body (ft)", "timesformer", 0.259, 0.131, 0.195, 0.031, 0.015, "V"),
    Line(ADAPTED, "Wav2Vec2 frozen+MLP-512", "wav2vec2_mlp_512", 0.264, 0.104, 0.184, 0.031, 0.016, "A"),
    Line(ADAPTED, "Wav2Vec2 finetuned E2E", "wav2vec2_finetuned", 0.234, 0.088, 0.161, 0.026, 0.020, "A"),
    Line(PROVIDED, "HiCMAE", "hicmae", 0.298, 0.180, 0.239, 0.025, 0.036, "AV"),
    Line(PROVIDED, "ImageBind", "imagebind", 0.290, 0.130, 0.210, 0.028, 0.008, "V"),
    Line(PROVIDED, "WavLM", "wavlm", 0.265, 0.121, 0.193, 0.027, 0.012, "A"),
    Line(PROVIDED, "VideoMAEv2", "videomaev2", 0.273, 0.106, 0.190, 0.025, 0.014, "V"),
)
NOT_IN_THE_PAPER = "BLEMORE baselines that the paper leaves out"
ORGANISERS_LINES = (  # of the validation; they print no Score
    Line(NOT_IN_THE_PAPER, "CLIP", "clip", 0.266, 0.105, None, 0.021, 0.012, "V"),
    Line(NOT_IN_THE_PAPER, "HuBERT", "hubert", 0.243, 0.104, None, 0.023, 0.024, "A"),
)

TEST_BASELINES, TEST_SUBMISSIONS, VALIDATION = "BLEMORE baselines (test)", "Submissions (test)", "Validation (5-fold CV)"
VALIDATION_BASELINES, TRIVIAL = "BLEMORE baselines (validation)", "Trivial baselines (validation)"
FUSION_LINES = (
    Line(TEST_BASELINES, "VideoMAEv2 + HuBERT", "videomaev2_hubert", 0.332, 0.114, 0.223),
    Line(TEST_BASELINES, "ImageBind + WavLM", "imagebind_wavlm", 0.327, 0.114, 0.221),
    Line(TEST_BASELINES, "HiCMAE", "hicmae", 0.268, 0.180, 0.224),
    Line(TEST_SUBMISSIONS, "S4D + Wav2Vec2", "s4d_wav2vec2", 0.327, 0.159, 0.243),
    Line(TEST_SUBMISSIONS, "9-encoder ensemble", "nine", 0.357, 0.168, 0.262),
    Line(TEST_SUBMISSIONS, "12-enc + Gemini", "twelve", 0.391, 0.168, 0.279),
    Line(VALIDATION, "S4D face only", "s4d", 0.340, 0.140, 0.240),
    Line(VALIDATION, "S4D + Wav2Vec2", "s4d_wav2vec2", 0.357, 0.175, 0.266),
    Line(VALIDATION, "9-encoder", "nine", 0.414, 0.205, 0.309),
    Line(VALIDATION, "12-encoder + Gemini", "twelve", 0.418, 0.204, 0.311),
)
ORGANISERS_FUSION_LINES = (
    Line(VALIDATION_BASELINES, "ImageBind + WavLM", "imagebind_wavlm", 0.345, 0.170, None, 0.035, 0.055),
    Line(VALIDATION_BASELINES, "VideoMAEv2 + HuBERT", "videomaev2_hubert", 0.332, 0.138, None, 0.016, 0.012),
    Line(TRIVIAL, "Most frequent emotion", "trivial_single", 0.078, 0.0, None),
    Line(TRIVIAL, "Most frequent blend", "trivial_pair_with_ratio", 0.057, 0.035, None),
)

NINE, TWELVE = "nine", "twelve"
ENCODER_TEXTS = {  # in the order of Table III
    "s4d": "S4D-ViTMoE (face)",
    "wav2vec2": "Wav2Vec2 (audio)",
    "gemini": "Gemini Embed. 2.0",
    "timesformer": "TimeSformer (body)",
    "videomae": "VideoMAE (body)",
    "hicmae": "HiCMAE",
    "wavlm": "WavLM",
    "imagebind": "ImageBind",
    "clip": "CLIP",
    "dinov2": "DINOv2",
    "dinov3": "DINOv3",
    "videoswin": "VideoSwin",
}
ADAPTED_ENCODERS = ("s4d", "wav2vec2", "gemini", "timesformer", "videomae")
# Below the weights Table III prints other validation figures of the twelve than Table II, and none of the nine.
WEIGHTED_VALIDATION = {NINE: None, TWELVE: (0.386, 0.150, 0.268)}
WEIGHTED_TEST = {NINE: (0.357, 0.168, 0.262), TWELVE: (0.391, 0.168, 0.279)}


def _validation_figures() -> dict[str, Published]:
    sources = (
        ((line for line in FUSION_LINES if line.section == VALIDATION), TABLE_2),
        (ENCODER_LINES, TABLE_1),
        ((line for line in (*ORGANISERS_LINES, *ORGANISERS_FUSION_LINES) if line.section != TRIVIAL), ORGANISERS),
    )
    return {line.name: Published(line.presence, line.salience, score_of(line), source) for lines, source in sources for line in lines}


def score_of(line: Line) -> float:
    """As printed, else the mean of both accuracies."""
    return round((line.presence + line.salience) / 2, 4) if line.score is None else line.score


PUBLISHED = _validation_figures()  # five-fold validation, by name

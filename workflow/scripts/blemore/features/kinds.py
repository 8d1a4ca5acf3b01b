"""Which kinds of encoders belong together. Scripts that extract never import this: another kind would make them stale."""

SPEECH = ("wav2vec2", "wavlm", "hubert")  # hidden layers of a network that hears 16 kHz
FINE_TUNED = ("s4d", "videomae", "timesformer", "wav2vec2_finetuned")  # trained here as a whole, once per fold
OWN = (*FINE_TUNED, "probabilities")  # kinds that yield probabilities themselves, without a feature store and a head
OWN_HEAD = "own"  # what stands for the head of these
IMAGE = ("clip", "dinov2", "dinov3", "siglip2")  # one vector per picture
VIDEO = ("xclip", "pe_av")  # one vector of a short clip, in the place of a paid one
PREPROCESSING = {  # files that a checkpoint must bring
    **dict.fromkeys((*IMAGE, "xclip", "videomae", "timesformer"), ("preprocessor_config.json",)),
    "pe_av": ("preprocessor_config.json", "video_preprocessor_config.json"),
}

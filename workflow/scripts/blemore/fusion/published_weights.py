"""The weights that the paper prints. Standard library only, because the configuration is checked by them."""

# Table III of the paper, by the default names of its encoders. Its second column prints ten weights, which sum to 1.
PUBLISHED = {
    "paper_9": {
        "s4d": 0.094,
        "wav2vec2": 0.170,
        "hicmae": 0.261,
        "wavlm": 0.156,
        "imagebind": 0.050,
        "clip": 0.071,
        "dinov2": 0.041,
        "dinov3": 0.092,
        "videoswin": 0.064,
    },
    "paper_12": {
        "s4d": 0.117,
        "wav2vec2": 0.111,
        "gemini": 0.192,
        "timesformer": 0.090,
        "videomae": 0.110,
        "hicmae": 0.103,
        "wavlm": 0.124,
        "imagebind": 0.079,
        "dinov3": 0.042,
        "videoswin": 0.032,
    },
}

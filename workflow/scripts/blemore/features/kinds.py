"""Which kinds of encoders belong together. Scripts that extract never import this: another kind would make them stale."""

SPEECH = ("wav2vec2", "wavlm", "hubert")  # hidden layers of a network that hears 16 kHz

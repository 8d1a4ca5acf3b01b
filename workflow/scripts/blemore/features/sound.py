"""The sound that networks of speech hear. Standard library only, because the configuration is checked by it."""

SPEECH_RATE_HZ = 16000

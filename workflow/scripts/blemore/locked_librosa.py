"""librosa, imported by one process at a time: `from blemore.locked_librosa import librosa`.

These modules compile gufuncs as they are imported. Two processes that do so at once leave two files in numba's cache that do not belong
together, and every later process that reads them dies of a segmentation fault (numba's issue 10128).
"""

import fcntl
import importlib.util
import os
from pathlib import Path

_spec = importlib.util.find_spec("librosa")
assert _spec is not None
assert _spec.origin is not None
_package = Path(_spec.origin).parent
LOCK = (_package if os.access(_package, os.W_OK) else Path.home()) / ".compiling.lock"

with open(LOCK, "a") as _lock:
    fcntl.flock(_lock, fcntl.LOCK_EX)
    import librosa
    import librosa.core.pitch
    import librosa.feature
    import librosa.onset

__all__ = ["LOCK", "librosa"]

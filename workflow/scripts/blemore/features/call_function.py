"""Saves what a user's function yields: call_function.py FILE FUNCTION INPUTS OUTPUTS. In a process of its own, so that it can be given up."""

import importlib.util
import sys
from pathlib import Path

import numpy as np


def main(file: str, name: str, inputs: str, outputs: str) -> None:
    """Calls `name(inputs)` of a Python file, which yields (clip, array); each array becomes `outputs/{clip}.npy`, without pickle."""
    sys.path.insert(0, str(Path(file).resolve().parent))  # its neighbours can be imported, as if it were run by itself
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file; name a .py file in features.*.function.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for clip, array in getattr(module, name)(Path(inputs)):
        if Path(clip).name != clip:
            raise ValueError(f"{name} yields {clip!r}, which is no clip; yield the names in {inputs}, without their extensions.")
        np.save(Path(outputs) / f"{clip}.npy", np.asarray(array), allow_pickle=False)


if __name__ == "__main__":
    main(*sys.argv[1:])

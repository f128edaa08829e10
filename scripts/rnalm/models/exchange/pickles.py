"""Checkpoint files read without running anything that they contain.

A torch checkpoint is a pickle, which can name any function to be called. Here tensors and plain Python values are
accepted, and `argparse.Namespace`, in which fairseq keeps its options; a file with anything else is refused.
"""

import argparse
import pickle
import re
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from rnalm.errors import InputError


def read(path) -> dict:
    """What a `.safetensors` file or a torch checkpoint holds, tensors on the CPU. InputError if it cannot be read."""
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "is no file", "name a checkpoint file")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise InputError(path, f"cannot be read: {error}", "download it again") from None
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            # Only torch's zip format can be mapped.
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused:
            problem = f"is a pickle that would call {refused[1]}, which is refused"
            raise InputError(path, problem, "save its tensors alone, as .safetensors, where you trust it") from None
        raise _damaged(path, error) from None
    except Exception as error:  # a damaged pickle can raise anything
        raise _damaged(path, error) from None
    if not isinstance(content, dict):
        raise InputError(path, f"holds a {type(content).__name__}, no state dict", "save the model's state dict")
    return content


def _damaged(path: Path, error: Exception) -> InputError:
    first = str(error).strip().split("\n")[0][:200]
    return InputError(path, f"cannot be read as a checkpoint ({type(error).__name__}: {first})", "download it again")

"""Checkpoint files, read without running anything that they contain.

A torch checkpoint is a pickle, which can name any function to be called. Here tensors and plain Python values are
accepted, and `argparse.Namespace`, in which fairseq keeps its options; a file with anything else is refused. So is one
in torch's zip format whose contents do not have the checksums that it states.
"""

import argparse
import pickle
import re
import warnings
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
        zipped = zipfile.is_zipfile(path)
        if zipped:
            _check_sums(path)
        # What torch advises about such files is not for the user of a command.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings(action="ignore"):
            # Only torch's zip format can be mapped.
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
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


def write(content: dict, path) -> None:
    """A torch checkpoint. OSError if it cannot be written."""
    with open(path, "wb") as handle:
        try:
            torch.save(content, handle)
        except RuntimeError as error:
            # Torch ends the file after an error of the system, fails, and hides it.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def _check_sums(path: Path) -> None:
    """BadZipFile if a part of the file is not what was written: torch itself does not look."""
    with zipfile.ZipFile(path) as archive:
        if broken := archive.testzip():
            raise zipfile.BadZipFile(f"{broken} has another checksum than it was written with")


def _damaged(path: Path, error: Exception) -> InputError:
    # The first sentence: further ones of torch's advise to read the file without these precautions.
    first = re.split(r"\n|\. ", str(error).strip())[0][:200]
    return InputError(path, f"cannot be read as a checkpoint ({type(error).__name__}: {first})", "download it again")

"""Import and export of weights by the name of a layout."""

import csv
import os
from pathlib import Path

import torch

from rnalm.errors import InputError
from rnalm.files import atomic, atomic_directory, sha256
from rnalm.models import directory, registry
from rnalm.models.exchange import ernie_rna, multimolecule, rinalmo, rnaret
from rnalm.models.exchange.weights import ENCODER_ALONE, Weights, fit

FILES = {"rinalmo": rinalmo, "ernie-rna": ernie_rna, "rnaret": rnaret}
LAYOUTS = FILES | {"multimolecule": multimolecule}
# Published files: name, family, what it is, SHA-256 where known, address.
PUBLISHED = Path(__file__).with_name("published.csv")
# Settings that no weights depend on: of training, and how a `<mask>` is read, of which the authors have two ways.
FREE = ("dropout", "attention_dropout", "activation_dropout", "mask_pairs")

CARD = """# {file}, imported

Weights of others in the layout {layout}: a {family} encoder of {parameters:,} parameters{head}.

- file `{file}`, SHA-256 `{sum}`
- {checked}

## Use

```python
import rnalm
model = rnalm.load("{directory}")
```
"""


def import_weights(path, layout: str, out, heads: int | None = None) -> list[Path]:
    """A checkpoint of others -> model directory; returns its files.

    heads: attention heads, where the layout does not say. InputError for what is no whole checkpoint of the layout, is
    not the published file of its name, or would be written over something.
    """
    path, out = Path(path), Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(out, "is there already", "name a new directory")
    file = path / "model.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise InputError(file, "is no file", "name a checkpoint file")
    if not os.access(file, os.R_OK):
        raise InputError(file, "cannot be read", "change its permissions")
    total = sha256(file)
    checked = check(file, total)
    weights = LAYOUTS[layout].read(path, heads)
    if heads not in (None, weights.model["heads"]):
        raise InputError(path, f"has {weights.model['heads']} attention heads, not {heads}", "leave --heads out")
    encoder, model = fit(weights, path)
    about = {
        "file": file.name,
        "layout": layout,
        "family": weights.model["family"],
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "head": f" with a head for {weights.head['task']}" if weights.head else "",
        "sum": total,
        "checked": checked,
        "directory": out,
    }
    source = {"file": file.name, "layout": layout, "sha256": total}
    return directory.save(out, encoder, CARD.format(**about), model, weights.head, source=source)


def check(file: Path, total: str) -> str:
    """What the table of published files says of this one; InputError if it is another than the one of its name."""
    with open(PUBLISHED, newline="", encoding="utf-8") as handle:
        row = next((row for row in csv.DictReader(handle) if row["file"] == file.name), None)
    if row is None or not row["sha256"]:
        return "no sum of a published file of this name is known: nothing to check it against"
    if row["sha256"] != total:
        problem = f"has SHA-256 {total}, the published file of this name {row['sha256']}"
        raise InputError(file, problem, f"download it again from {row['where']}, or rename it if it is another")
    return f"equal to the published file: {row['what']}, {row['where']}"


def export_weights(loaded: directory.ModelDirectory, layout: str, out) -> None:
    """A loaded model directory -> a checkpoint file, or a directory for `multimolecule`.

    What was written is read again and compared bit by bit before it gets its name. InputError for another family, or a
    head or a setting that the layout cannot hold.
    """
    out, family = Path(out), loaded.config["model"]["family"]
    if out.exists():
        raise InputError(out, "is there already", "name a new file or directory")
    if layout in FILES and out.suffix == ".safetensors":
        raise InputError(out, f"is no name for a checkpoint of {layout}, which is torch's", "end it in .pt")
    if layout in FILES and family != FILES[layout].FAMILY:
        raise InputError(
            f"--to {layout}", f"does not hold a model of the family {family}", "export it to its own layout"
        )
    module = LAYOUTS[layout]
    with (atomic if layout in FILES else atomic_directory)(out) as temporary:
        module.write(loaded, temporary)
        compare(loaded, module.read(temporary, loaded.encoder.config.heads), layout)


def compare(loaded: directory.ModelDirectory, weights: Weights, layout: str) -> None:
    """InputError if the weights read from a layout are not those that were written to it."""
    encoder, model = fit(weights, f"--to {layout}")
    pairs = [(loaded.encoder.state_dict(), encoder.state_dict())]
    if model is not None:
        pairs.append((loaded.model.head.state_dict(), model.head.state_dict()))
    lost = [name for ours, again in pairs for name in ours if not torch.equal(ours[name].cpu(), again[name])]
    head, back = (entry or {} for entry in (loaded.config["head"], weights.head))
    lost += [key for key in head if key not in ("kind", "task") and head[key] != back.get(key)]
    settings, read = registry.describe(loaded.encoder), registry.describe(encoder)
    lost += [f"{key} {settings[key]}" for key in settings if key not in FREE and settings[key] != read[key]]
    if lost:
        problem = f"has no place for {', '.join(lost[:3])} of this model"
        raise InputError(f"--to {layout}", problem, ENCODER_ALONE)

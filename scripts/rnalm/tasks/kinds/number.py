"""A measured number. Heads predict it standardised by mean and standard deviation of the training part."""

import numpy as np
import polars as pl
import torch

from rnalm.tasks.losses import huber_loss, squared_loss
from rnalm.tasks.records import identities
from rnalm.tasks.scores import regression as scores

METRIC = "r2"


def standardised(records, head, device) -> torch.Tensor:
    values = np.array([record.label for record in records])
    return torch.from_numpy(((values - head["mean"]) / head["std"]).astype(np.float32)).to(device)


def squared(output, records, head) -> torch.Tensor:
    """RiNALMo's for the ribosome load."""
    return squared_loss(output, standardised(records, head, output.device))


def huber(output, records, head) -> torch.Tensor:
    """RiNALMo's for translation efficiency and expression level."""
    return huber_loss(output, standardised(records, head, output.device))


LOSSES = {"squared": squared, "huber": huber}


def weight(records) -> int:
    """Every item counts alike."""
    return len(records)


def described(head: dict, train) -> dict:
    """The head with mean and population standard deviation of the training labels, unless it says its own."""
    values = np.array([record.label for record in train])
    # A constant cannot be standardised; it is predicted as it is.
    return {"mean": float(values.mean()), "std": float(values.std()) or 1.0, **head}


def arrays(output, batch, model) -> list[np.ndarray]:
    """() the number of each item, in the unit of the measurement."""
    return list(model.unscaled(output.float()).cpu().numpy())


def reduced(number: np.ndarray, record) -> np.ndarray:
    return number


def validated(kept, records, head) -> tuple[dict, dict]:
    return scores.metrics(table(records, kept, head)), {}


def decoded(number: np.ndarray, record, head) -> np.ndarray:
    return number


def trivial(train, test, head) -> list[float]:
    """The mean of the training part."""
    mean = float(np.mean([record.label for record in train]))
    return [mean for _ in test]


def told(number: np.ndarray, head) -> list[dict]:
    return [{"predicted": float(number)}]


def table(records, predictions, head) -> pl.DataFrame:
    """A row per item: the measured and the predicted number."""
    return pl.DataFrame(
        {
            **identities(records),
            "true": [record.label for record in records],
            "predicted": pl.Series(map(float, predictions), dtype=pl.Float64),
        }
    )

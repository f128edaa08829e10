"""RNA language models: from the public RNA databases to an evaluated model.

Rooms, each importing only from the ones before it:
sequences, corpus, tokens, models, structure, tasks, training, evaluation.
"""

__version__ = "0.1.0"


def load(directory):
    """Model directory -> `rnalm.inference.LanguageModel` (hidden_states, pair_probabilities, fold)."""
    from rnalm.inference import LanguageModel

    return LanguageModel.from_directory(directory)


__all__ = ["__version__", "load"]

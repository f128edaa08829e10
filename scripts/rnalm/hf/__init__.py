"""Models of ours in Transformers: `import rnalm.hf`, then its Auto classes and pipelines take our model directories.

    import rnalm.hf
    from transformers import AutoModel, AutoTokenizer
    tokenizer, model = (auto.from_pretrained(directory) for auto in (AutoTokenizer, AutoModel))

What `save_pretrained` writes is a model directory again. Nothing is downloaded and no remote code is trusted: the
classes are registered with AutoConfig, AutoTokenizer, AutoModel, AutoModelForMaskedLM, AutoModelForTokenClassification
and AutoModelForSequenceClassification. Nothing else in the library imports Transformers.
"""

try:
    import transformers
except ModuleNotFoundError as error:
    if error.name != "transformers":
        raise
    raise ModuleNotFoundError("rnalm.hf needs Transformers: pip install 'rnalm[hf]'", name=error.name) from None

from rnalm.hf.config import RnalmConfig
from rnalm.hf.models import (
    RnalmForMaskedLM,
    RnalmForSequenceClassification,
    RnalmForTokenClassification,
    RnalmModel,
)
from rnalm.hf.tokenizer import RnalmTokenizer

transformers.AutoConfig.register(RnalmConfig.model_type, RnalmConfig)
transformers.AutoTokenizer.register(RnalmConfig, RnalmTokenizer)
transformers.AutoModel.register(RnalmConfig, RnalmModel)
transformers.AutoModelForMaskedLM.register(RnalmConfig, RnalmForMaskedLM)
transformers.AutoModelForSequenceClassification.register(RnalmConfig, RnalmForSequenceClassification)
transformers.AutoModelForTokenClassification.register(RnalmConfig, RnalmForTokenClassification)

__all__ = [
    "RnalmConfig",
    "RnalmForMaskedLM",
    "RnalmForSequenceClassification",
    "RnalmForTokenClassification",
    "RnalmModel",
    "RnalmTokenizer",
]

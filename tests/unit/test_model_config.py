"""Settings of a model: each family has keys of its own."""

import pytest
import yaml
from rnalm import config
from rnalm.errors import InputError
from small_models import ROOT

GONE = object()


@pytest.mark.parametrize(
    ("model", "change", "said"),
    [
        ("rnaret_3mer", {"k": 4}, "'k' is wrong: 4 is not one of"),
        ("rnaret_3mer", {"value_dim": 510}, "'value_dim' is wrong: 510 channels are not shared by 4 heads"),
        ("rnaret_3mer", {"dim": 388}, "'dim' is wrong"),
        ("rnaret_3mer", {"hidden": GONE}, "'hidden' is missing"),
        ("rnaret_3mer", {"attention_dropout": 0.1}, "unknown key 'attention_dropout'; the nearest known key is"),
        ("ernie_rna", {"pair_hidden": 0}, "'pair_hidden' is wrong"),
        ("ernie_rna", {"k": 3}, "unknown key 'k'"),
        ("ernie_rna", {"mask_pairs": "no"}, "'mask_pairs' is wrong"),
        ("giga", {"hidden": 3413}, "unknown key 'hidden'"),
        ("giga", {"family": GONE}, "'family' is missing"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_key(tmp_path, model, change, said):
    settings = yaml.safe_load((ROOT / "config/models" / f"{model}.yaml").read_text()) | change
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({name: value for name, value in settings.items() if value is not GONE}))
    with pytest.raises(InputError) as error:
        config.load(path, "model")
    message = str(error.value)
    assert said in message and str(path) in message and "\n" not in message

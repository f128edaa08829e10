"""Low-rank adapters (LoRA, Hu et al., arXiv 2106.09685) on the linear layers of an encoder's blocks, by `peft`.

Each weight W stays as it is, and W + alpha / rank * B A takes its place, of which A and B are trained. B is zero at
first, so nothing changes; afterwards the product is added to W, and the encoder is a plain one again.
"""

from torch import nn

from rnalm.errors import InputError
from rnalm.models.encoder import Encoder


def add_lora(encoder: Encoder, rank: int, alpha: float, dropout: float) -> list[nn.Parameter]:
    """Put adapters into the encoder, in place; returns their parameters, the only ones of it that are then trained.

    A is drawn from torch's generator, on the weights' device. InputError where `peft` is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise InputError("adapters", "need the package peft", "pip install 'rnalm[lora]'") from None
    inside = {id(module) for block in encoder.blocks for module in block.modules() if isinstance(module, nn.Linear)}
    targets = [name for name, module in encoder.named_modules() if id(module) in inside]
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets), encoder)
    return [parameter for parameter in encoder.parameters() if parameter.requires_grad]


def merge_lora(encoder: Encoder) -> None:
    """Add the products of adapters, if there are any, to the weights: layers and tensors are as before `add_lora`."""
    if not hasattr(encoder, "peft_config"):
        return
    from peft.tuners.lora import LoraLayer

    for name, module in list(encoder.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            encoder.set_submodule(name, module.get_base_layer())
    del encoder.peft_config

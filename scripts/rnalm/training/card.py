"""Model cards: the README of a model directory, made from the run that made the model."""

from rnalm.tasks import kinds

USE = """## Use

```python
import rnalm
model = rnalm.load("{directory}")
model.hidden_states(["GGGAAACCC"])   # one ({tokens}, d) array per sequence
```
"""


def use(directory, tokeniser) -> str:
    """How to load the model in a directory and what it gives."""
    special = len(tokeniser.encode(""))
    return USE.format(directory=directory, tokens=f"length + {special}" if special else "length")


def pretrained(
    run: str, directory, model: dict, tokeniser, parameters: dict, counts: dict, corpus: list[dict], scores: dict
) -> str:
    """Card of a pre-trained encoder.

    parameters: of the pre-training manifest; corpus: manifests of the corpus stages; scores: the last validation row
    """
    settings, rate = parameters["settings"], parameters["settings"]["learning_rate"]
    stages = [f"| {m['stage']} | {', '.join(f'{k} {v:,}' for k, v in m['counts'].items())} |" for m in corpus]
    return "\n".join(
        [
            f"# {model['family']} {run}",
            "",
            f"A {model['family']} encoder of {counts['parameters']:,} parameters ({model['layers']} layers, width "
            f"{model['dim']}, {model['heads']} heads), pre-trained by masked-language modelling.",
            "",
            "## Training",
            "",
            f"- {counts['steps']:,} steps of {settings['batch_size']:,} sequences, {counts['tokens']:,} tokens, "
            f"{counts['processes']} processes, seed {parameters['seed']}",
            f"- learning rate {rate['start']:g} to {rate['peak']:g} in {rate['warmup_steps']:,} steps, cosine to "
            f"{rate['end']:g} over {rate['decay_epochs']} epochs",
            f"- AdamW with betas {settings['betas']} and framework-default initialisation (the paper states neither), "
            f"weight decay {settings['weight_decay']}, gradient clip {settings['gradient_clip']}",
            f"- held-out clusters: loss {scores['loss']:.4f} nats, perplexity {scores['perplexity']:.3f}, "
            f"masked accuracy {scores['masked_accuracy']:.3f}",
            "",
            "## Data",
            "",
            "| stage | counts |",
            "|---|---|",
            *stages,
            "",
            exclusion(corpus),
            "",
            use(directory, tokeniser),
        ]
    )


def exclusion(corpus: list[dict]) -> str:
    """What was kept from training for the sake of benchmarks; corpus: manifests of the corpus stages."""
    for made in corpus:
        if made["stage"] == "exclude":
            asked, counts = made["parameters"], made["counts"]
            whole = " and the other members of their clusters" if asked["scope"] == "clusters" else ""
            return (
                f"Excluded from training: {counts['excluded']:,} sequences of the corpus, those with an identity of at "
                f"least {asked['identity']:g} over at least {asked['coverage']:g} of a test or validation item of "
                f"{', '.join(asked['sets'])}, on either strand{whole}, so that scores on these items are not scores on "
                "sequences seen in pre-training."
            )
    return (
        "Nothing was excluded from training for the sake of benchmarks: test and validation sequences of the tasks may "
        "have been seen, without their labels."
    )


def finetuned(split: str, init: str, directory, tokeniser, head: dict, settings, sizes: dict, result) -> str:
    """Card of a fine-tuned model.

    head: its description, with task and what was fitted
    settings, result: of training.finetuning
    sizes: {part: number of records}
    """
    command = FOLD if kinds.of(head) == "pairs" else PREDICT
    fitted = [f"- {name} {value}, fitted to the validation records" for name, value in result.fitted.items()]
    best = ""
    if result.history:
        best = f", best validation {result.metric} {result.value:.4f} in epoch {result.best_epoch}"
    if settings.choose_by == "last":
        best = ", the last one kept"
    return "\n".join(
        [
            f"# {head['task']}, split {split}, encoder {init}",
            "",
            f"An encoder with a head of kind {head.get('kind', 'pairs')}, trained on {sizes['train']} labelled "
            f"records, chosen on {sizes['valid']} others.",
            "",
            f"- {settings.epochs} epochs, learning rate {settings.learning_rate}{best}",
            *fitted,
            "",
            use(directory, tokeniser),
            *command.format(directory=directory).splitlines(),
            "",
        ]
    )


FOLD = """```bash
rnalm fold {directory} my.fasta -o my.dbn
```"""
PREDICT = """```bash
rnalm predict {directory} my.fasta -o my.csv
```"""

# Masked language modelling, one segment of epochs after the other, and the model that comes out.


rule pretrain:
    input:
        draws=segment_draws,
        validation=VALIDATION,
        previous=previous_segment,
        deepspeed=config["pretrain"]["deepspeed"],
    output:
        update("results/pretrain/{run}/epochs-{epochs}/manifest.json"),
    log:
        "results/logs/pretrain/{run}/epochs-{epochs}.log",
    benchmark:
        "results/benchmarks/pretrain/{run}/epochs-{epochs}.tsv"
    conda:
        "../../envs/pretrain.yaml"
    threads: config["pretrain"]["processes"]
    resources:
        mem="4GB",
        runtime="4d",
        nodes=1,
        # Not params: on how many devices and how often it saves does not make another model, and resources are not compared.
        processes=config["pretrain"]["processes"],
        device=config["pretrain"]["device"],
        settings=training(LAUNCH),
    params:
        stage_version=1,
        science=training(LAUNCH + OPERATION),
        model=canonical(MODEL),
        model_config=MODEL_CONFIG,
        seed=SEED,
        first_epoch=first_epoch,
        previous=previous_option,
        state="results/.state/pretrain/{run}/epochs-{epochs}",
    message:
        "Pre-train {wildcards.run} from epoch {params.first_epoch} to {wildcards.epochs}"
    # The progress bar needs the terminal: the script writes its log itself.
    shell:
        "bash scripts/launch.sh {resources.processes} {resources.nodes} {threads} "
        "scripts/pretrain.py --run {wildcards.run} --stage-version {params.stage_version} --seed {params.seed} "
        "--settings {resources.settings:q} "
        "--model-config {params.model_config} --deepspeed {input.deepspeed} --device {resources.device} "
        "--draws {input.draws} --first-epoch {params.first_epoch} --validation {input.validation} {params.previous} "
        "--state {params.state} --log {log} --manifest {output}"


rule export:
    input:
        segment=segment(EPOCHS),
        corpus=CORPUS_MANIFESTS,
    output:
        update("results/{run}/models/pretrained/manifest.json"),
    log:
        "results/logs/export/{run}.log",
    benchmark:
        "results/benchmarks/export/{run}.tsv"
    conda:
        "../../envs/export.yaml"
    threads: 1
    resources:
        mem="4GB",
        runtime="1h",
    params:
        stage_version=2,
    message:
        "Export the pre-trained model of {wildcards.run}"
    shell:
        "python scripts/export.py --segment {input.segment} --corpus-manifests {input.corpus} "
        "--manifest {output} &> {log}"

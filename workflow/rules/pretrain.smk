# Masked language modelling, one segment of epochs after the other, and the model that comes out.

# All that the trainer is told; params holds the part whose change trains again.
SETTINGS = training(LAUNCH)


rule pretrain:
    input:
        draws=segment_draws,
        validation=VALIDATION,
        previous=previous_segment,
        deepspeed=config["pretrain"]["deepspeed"],
    output:
        "results/pretrain/{run}/epochs-{epochs}/manifest.json",
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
    params:
        stage_version=1,
        science=training(LAUNCH + OPERATION),
        model=json.dumps(MODEL),
        model_config=MODEL_CONFIG,
        seed=SEED,
        first_epoch=first_epoch,
        previous=previous_option,
        state="results/.state/pretrain/{run}/epochs-{epochs}",
    message:
        "Pre-train {wildcards.run} from epoch {params.first_epoch} to {wildcards.epochs}"
    # The progress bar needs the terminal: the script writes its log itself.
    shell:
        "bash scripts/launch.sh {config[pretrain][processes]} {resources.nodes} {threads} "
        "scripts/pretrain.py --settings {SETTINGS:q} --model-config {params.model_config} --run {wildcards.run} "
        "--deepspeed {input.deepspeed} --device {config[pretrain][device]} --seed {params.seed} --draws {input.draws} --validation {input.validation} {params.previous} "
        "--first-epoch {params.first_epoch} --state {params.state} --log {log} --manifest {output}"


rule export:
    input:
        segment=segment(EPOCHS),
        corpus=CORPUS_MANIFESTS,
    output:
        "results/{run}/models/pretrained/manifest.json",
    log:
        "results/logs/export/{run}.log",
    benchmark:
        "results/benchmarks/export/{run}.tsv"
    conda:
        "../../envs/pretrain.yaml"
    threads: 1
    resources:
        mem="4GB",
        runtime="1h",
    params:
        stage_version=1,
        model_config=MODEL_CONFIG,
    message:
        "Export the pre-trained model of {wildcards.run}"
    shell:
        "python scripts/export.py --segment {input.segment} --model-config {params.model_config} --run {wildcards.run} "
        "--corpus-manifests {input.corpus} --manifest {output} &> {log}"

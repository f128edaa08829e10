# What the model sees and when: held-out clusters, then one member of each other cluster per epoch, in training order.


rule hold_out:
    input:
        sequences="results/corpus/{corpus}/sequences/manifest.json",
        clusters="results/corpus/{corpus}/clusters.manifest.json",
        excluded=EXCLUDED,
    output:
        update("results/corpus/{corpus}/draws/validation/manifest.json"),
    log:
        "results/logs/hold_out/{corpus}.log",
    benchmark:
        "results/benchmarks/hold_out/{corpus}.tsv"
    conda:
        "../../envs/hold_out.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="4h",
    params:
        stage_version=1,
        seed=SEED,
        validation_fraction=config["corpus"]["validation_fraction"],
        crop=config["corpus"]["crop"],
        rows_per_shard=config["corpus"]["rows_per_shard"],
        excluded=excluded_option,
    message:
        "Hold out validation clusters of corpus {wildcards.corpus}"
    shell:
        "python scripts/hold_out.py --sequences {input.sequences} --clusters {input.clusters} --seed {params.seed} "
        "--validation-fraction {params.validation_fraction} --crop {params.crop} "
        "--rows-per-shard {params.rows_per_shard} {params.excluded} --manifest {output} &> {log}"


rule draw:
    input:
        sequences="results/corpus/{corpus}/sequences/manifest.json",
        clusters="results/corpus/{corpus}/clusters.manifest.json",
        excluded=EXCLUDED,
    output:
        update("results/corpus/{corpus}/draws/epoch-{epoch}/manifest.json"),
    log:
        "results/logs/draw/{corpus}/epoch-{epoch}.log",
    benchmark:
        "results/benchmarks/draw/{corpus}/epoch-{epoch}.tsv"
    conda:
        "../../envs/draw.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="4h",
    params:
        stage_version=1,
        seed=SEED,
        validation_fraction=config["corpus"]["validation_fraction"],
        crop=config["corpus"]["crop"],
        rows_per_shard=config["corpus"]["rows_per_shard"],
        excluded=excluded_option,
    message:
        "Draw epoch {wildcards.epoch} of corpus {wildcards.corpus}"
    shell:
        "python scripts/draw.py --epoch {wildcards.epoch} --sequences {input.sequences} --clusters {input.clusters} "
        "--seed {params.seed} --validation-fraction {params.validation_fraction} --crop {params.crop} "
        "--rows-per-shard {params.rows_per_shard} {params.excluded} --manifest {output} &> {log}"


rule draw_audit:
    input:
        sequences="results/corpus/{corpus}/sequences/manifest.json",
        clusters="results/corpus/{corpus}/clusters.manifest.json",
        excluded=EXCLUDED,
        validation="results/corpus/{corpus}/draws/validation/manifest.json",
        epochs=draws(0, EPOCHS),
    output:
        update("results/corpus/{corpus}/draws/audit/manifest.json"),
    log:
        "results/logs/draw_audit/{corpus}.log",
    benchmark:
        "results/benchmarks/draw_audit/{corpus}.tsv"
    conda:
        "../../envs/draw_audit.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="4h",
    params:
        stage_version=1,
        excluded=excluded_option,
    message:
        "Audit the draws of corpus {wildcards.corpus}"
    shell:
        "python scripts/draw_audit.py --sequences {input.sequences} --clusters {input.clusters} {params.excluded} "
        "--validation {input.validation} --epochs {input.epochs} --manifest {output} &> {log}"

# An update of an earlier corpus: what changed, for all that was made of the earlier one.


rule delta:
    input:
        sequences="results/corpus/{corpus}/sequences/manifest.json",
        clusters="results/corpus/{corpus}/clusters.manifest.json",
        excluded=EXCLUDED,
        leakage=compared_leakage,
        previous_sequences=previous_sequences,
        previous_clusters=previous_clusters,
        previous_excluded=previous_excluded,
        previous_leakage=previous_leakage,
    output:
        manifest=update("results/corpus/{corpus}/delta/manifest.json"),
        page=report(
            update("results/corpus/{corpus}/delta/index.html"), caption="../report/delta.rst", category="Corpus"
        ),
    log:
        "results/logs/delta/{corpus}.log",
    benchmark:
        "results/benchmarks/delta/{corpus}.tsv"
    conda:
        "../../envs/delta.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="4h",
    params:
        stage_version=1,
        previous=PREVIOUS,
        seed=SEED,
        validation_fraction=config["corpus"]["validation_fraction"],
    message:
        "Say what corpus {wildcards.corpus} changed of {params.previous}"
    shell:
        "python scripts/delta.py --corpus {wildcards.corpus} --previous {params.previous} "
        "--sequences {input.sequences} --previous-sequences {input.previous_sequences} "
        "--clusters {input.clusters} --previous-clusters {input.previous_clusters} "
        "--excluded {input.excluded} --previous-excluded {input.previous_excluded} "
        "--leakage {input.leakage} --previous-leakage {input.previous_leakage} "
        "--seed {params.seed} --validation-fraction {params.validation_fraction} --manifest {output.manifest} &> {log}"

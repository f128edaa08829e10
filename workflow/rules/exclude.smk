# What resembles benchmark items is kept from training, where the config asks for it.


rule exclude:
    input:
        leakage=EXCLUDE_LEAKAGE,
        sequences="results/corpus/{corpus}/sequences/manifest.json",
        clusters="results/corpus/{corpus}/clusters.manifest.json",
        ledger="results/corpus/{corpus}/ledger.csv",
    output:
        manifest=update("results/corpus/{corpus}/excluded/manifest.json"),
        ledger=update("results/corpus/{corpus}/excluded/ledger.csv"),
    log:
        "results/logs/exclude/{corpus}.log",
    benchmark:
        "results/benchmarks/exclude/{corpus}.tsv"
    conda:
        "../../envs/exclude.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="4h",
    params:
        stage_version=1,
        settings=canonical(EXCLUDE),
    message:
        "Exclude relatives of benchmark items from corpus {wildcards.corpus}"
    shell:
        "python scripts/exclude.py --leakage {input.leakage} --sequences {input.sequences} --clusters {input.clusters} "
        "--ledger {input.ledger} --settings {params.settings:q} --manifest {output.manifest} &> {log}"

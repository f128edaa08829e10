# The sources become one corpus: each distinct sequence once, every record accounted for.


rule deduplicate:
    input:
        NORMALISED,
    output:
        manifest=update("results/corpus/{corpus}/sequences/manifest.json"),
        ledger=update("results/corpus/{corpus}/ledger.csv"),
    log:
        "results/logs/deduplicate/{corpus}.log",
    benchmark:
        "results/benchmarks/deduplicate/{corpus}.tsv"
    conda:
        "../../envs/deduplicate.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="12h",
    params:
        stage_version=2,
    message:
        "Merge the sources of corpus {wildcards.corpus}"
    shell:
        "python scripts/deduplicate.py --normalised {input} --threads {threads} --ledger {output.ledger} "
        "--manifest {output.manifest} &> {log}"

# One page about the corpus, for those who want to know what a model has read.


rule corpus_report:
    input:
        normalised=NORMALISED,
        sequences="results/corpus/{corpus}/sequences/manifest.json",
        clusters="results/corpus/{corpus}/clusters.manifest.json",
        ledger=LEDGER,
        leakage=LEAKAGE,
        excluded=EXCLUDED,
        delta=DELTA,
        audit="results/corpus/{corpus}/draws/audit/manifest.json",
    output:
        manifest=update("results/corpus/{corpus}/report/manifest.json"),
        page=report(
            update("results/corpus/{corpus}/report/index.html"), caption="../report/corpus.rst", category="Corpus"
        ),
    log:
        "results/logs/corpus_report/{corpus}.log",
    benchmark:
        "results/benchmarks/corpus_report/{corpus}.tsv"
    conda:
        "../../envs/corpus_report.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="4h",
    params:
        stage_version=1,
        excluded=excluded_option,
    message:
        "Write the report of corpus {wildcards.corpus}"
    shell:
        "python scripts/corpus_report.py --corpus {wildcards.corpus} --normalised {input.normalised} "
        "--sequences {input.sequences} --clusters {input.clusters} --ledger {input.ledger} --leakage {input.leakage} "
        "{params.excluded} --delta {input.delta} --audit {input.audit} --manifest {output.manifest} &> {log}"

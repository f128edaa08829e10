# Benchmark items that have relatives in the corpus, or in the train part of their own split.


rule leakage:
    input:
        data=f"results/tasks/{{task}}/{RUN}/data/manifest.json",
        sequences="results/corpus/{corpus}/sequences/manifest.json",
    output:
        update("results/corpus/{corpus}/leakage/{task}/manifest.json"),
    log:
        "results/logs/leakage/{corpus}/{task}.log",
    benchmark:
        "results/benchmarks/leakage/{corpus}/{task}.tsv"
    conda:
        "../../envs/leakage.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="1d",
    params:
        stage_version=1,
        coverage=config["corpus"]["leakage"]["coverage"],
        state="results/.state/leakage/{corpus}/{task}",
    message:
        "Search corpus {wildcards.corpus} for the items of task {wildcards.task} with MMseqs2"
    shell:
        "python scripts/leakage.py --task {wildcards.task} --data {input.data} --sequences {input.sequences} "
        "--coverage {params.coverage} --threads {threads} --state {params.state} --manifest {output} &> {log}"

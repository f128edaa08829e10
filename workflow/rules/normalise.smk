# One alphabet for all sources; what is too short, too long or no nucleotide is dropped and accounted for.


rule normalise:
    input:
        retrieved,
    output:
        update("results/corpus/{corpus}/normalised/{source}/manifest.json"),
    log:
        "results/logs/normalise/{corpus}/{source}.log",
    benchmark:
        "results/benchmarks/normalise/{corpus}/{source}.tsv"
    conda:
        "../../envs/normalise.yaml"
    threads: 1
    resources:
        mem="4GB",
        runtime="12h",
    params:
        stage_version=1,
        lock=LOCK,
        release=release,
        min_length=config["corpus"]["min_length"],
        max_length=config["corpus"]["max_length"],
        max_n_fraction=config["corpus"]["max_n_fraction"],
    message:
        "Normalise and filter {wildcards.source}"
    shell:
        "python scripts/normalise.py --source {wildcards.source} --release {params.release} --retrieved {input} "
        "--lock {params.lock} --min-length {params.min_length} --max-length {params.max_length} "
        "--max-n-fraction {params.max_n_fraction} --manifest {output} &> {log}"

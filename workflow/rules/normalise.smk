# One alphabet for all sources; what is too short, too long or no nucleotide is dropped and accounted for. The result is
# not a corpus' own: another corpus of the same release and limits shares it.


rule normalise:
    input:
        retrieved="resources/{source}/{release}/manifest.json",
        rules=selection_files,
    output:
        update("results/normalised/{source}/{release}/{limits}/manifest.json"),
    log:
        "results/logs/normalise/{source}/{release}/{limits}.log",
    benchmark:
        "results/benchmarks/normalise/{source}/{release}/{limits}.tsv"
    conda:
        "../../envs/normalise.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="12h",
    params:
        stage_version=2,
        min_length=config["corpus"]["min_length"],
        max_length=config["corpus"]["max_length"],
        max_n_fraction=config["corpus"]["max_n_fraction"],
    message:
        "Normalise and filter {wildcards.source} {wildcards.release}"
    shell:
        "python scripts/normalise.py --source {wildcards.source} --release {wildcards.release} --retrieved {input.retrieved} "
        "--min-length {params.min_length} --max-length {params.max_length} --max-n-fraction {params.max_n_fraction} "
        "--threads {threads} --manifest {output} &> {log}"

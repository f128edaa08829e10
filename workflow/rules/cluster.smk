# Clusters of similar sequences: the unit that is held out and that an epoch draws from.


rule cluster:
    input:
        sequences="results/corpus/{corpus}/sequences/manifest.json",
        previous=previous_clusters,
    output:
        update("results/corpus/{corpus}/clusters.manifest.json"),
    log:
        "results/logs/cluster/{corpus}.log",
    benchmark:
        "results/benchmarks/cluster/{corpus}.tsv"
    conda:
        "../../envs/cluster.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="2d",
    params:
        stage_version=2,
        min_seq_id=config["corpus"]["cluster"]["min_seq_id"],
        coverage=config["corpus"]["cluster"]["coverage"],
        split_memory_limit=config["corpus"]["cluster"]["split_memory_limit"],
        split_strands=split_strands_option,
        state="results/.state/cluster/{corpus}",
    message:
        "Cluster corpus {wildcards.corpus} with MMseqs2"
    shell:
        "python scripts/cluster.py --sequences {input.sequences} --previous {input.previous} "
        "--min-seq-id {params.min_seq_id} --coverage {params.coverage} --split-memory-limit {params.split_memory_limit} "
        "{params.split_strands} --threads {threads} --state {params.state} --manifest {output} &> {log}"

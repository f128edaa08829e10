# Downloads: the pinned files of a release, with sizes and hashes.


rule retrieve:
    output:
        update("resources/{source}/{release}/manifest.json"),
    log:
        "results/logs/retrieve/{source}/{release}.log",
    benchmark:
        "results/benchmarks/retrieve/{source}/{release}.tsv"
    # Compute nodes often see no internet.
    localrule: True
    conda:
        "../../envs/retrieve.yaml"
    threads: 2
    resources:
        mem="1GB",
        runtime="2d",
    params:
        stage_version=2,
        lock=LOCK,
        pinned=pinned,
        base_url=base_url,
    message:
        "Download {wildcards.source} {wildcards.release}"
    shell:
        "python scripts/retrieve.py --source {wildcards.source} --release {wildcards.release} --lock {params.lock} "
        "{params.base_url} --manifest {output} &> {log}"

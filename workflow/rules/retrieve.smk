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


rule check_releases:
    output:
        update(f"results/releases/{TODAY}/manifest.json"),
    log:
        f"results/logs/check_releases/{TODAY}.log",
    benchmark:
        f"results/benchmarks/check_releases/{TODAY}.tsv"
    localrule: True
    conda:
        "../../envs/check_releases.yaml"
    threads: 1
    resources:
        mem="1GB",
        runtime="10m",
    params:
        stage_version=1,
        lock=LOCK,
    message:
        "Ask the databases for their newest releases"
    shell:
        "python scripts/check_releases.py --lock {params.lock} --manifest {output} &> {log}"

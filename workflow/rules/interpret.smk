# What the pre-trained encoder's score maps point at.


rule interpret:
    input:
        sequences=SEQUENCES,
        structures=STRUCTURES,
        coding=CODING,
        model="results/{run}/models/pretrained/manifest.json",
    output:
        update("results/{run}/interpretation/manifest.json"),
    log:
        "results/logs/interpret/{run}.log",
    benchmark:
        "results/benchmarks/interpret/{run}.tsv"
    conda:
        "../../envs/interpret.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="4h",
    params:
        stage_version=1,
        seed=SEED,
    message:
        "Read the score maps of {wildcards.run}"
    shell:
        "python scripts/interpret.py --sequences {input.sequences} --structures {input.structures} --coding {input.coding} "
        "--model {input.model} --seed {params.seed} --threads {threads} --manifest {output} &> {log}"

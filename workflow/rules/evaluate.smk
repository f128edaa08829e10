# Scores on the test parts: of the fine-tuned models, of the baseline, and of the embeddings.


rule evaluate:
    input:
        data="results/tasks/{task}/{run}/data/manifest.json",
        model="results/{run}/models/{task}-{split}-{init}/manifest.json",
    output:
        update("results/tasks/{task}/{run}/{split}/{init}/manifest.json"),
    log:
        "results/logs/evaluate/{run}/{task}-{split}-{init}.log",
    benchmark:
        "results/benchmarks/evaluate/{run}/{task}-{split}-{init}.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="4h",
    params:
        stage_version=1,
        name=MODEL_NAME,
        seed=SEED,
    message:
        "Evaluate task {wildcards.task}, split {wildcards.split}, {wildcards.init} encoder"
    shell:
        "python scripts/evaluate.py --task {wildcards.task} --data {input.data} --model {input.model} "
        "--name {params.name} --split {wildcards.split} --init {wildcards.init} --seed {params.seed} --threads {threads} "
        "--manifest {output} &> {log}"


rule baseline:
    input:
        "results/tasks/{task}/{run}/data/manifest.json",
    output:
        update("results/tasks/{task}/{run}/{split}/baseline/manifest.json"),
    log:
        "results/logs/baseline/{run}/{task}-{split}.log",
    benchmark:
        "results/benchmarks/baseline/{run}/{task}-{split}.tsv"
    conda:
        "../../envs/baseline.yaml"
    threads: 2
    resources:
        mem="2GB",
        runtime="4h",
    params:
        stage_version=1,
    message:
        "Fold the test part of split {wildcards.split} with RNAfold"
    shell:
        "python scripts/baseline.py --data {input} --split {wildcards.split} --threads {threads} "
        "--manifest {output} &> {log}"


rule atlas:
    input:
        sequences=f"results/corpus/{CORPUS}/sequences/manifest.json",
        model="results/{run}/models/pretrained/manifest.json",
    output:
        update("results/{run}/atlas/manifest.json"),
    log:
        "results/logs/atlas/{run}.log",
    benchmark:
        "results/benchmarks/atlas/{run}.tsv"
    conda:
        "../../envs/atlas.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="4h",
    params:
        stage_version=1,
        seed=SEED,
    message:
        "Embed sequences of known families with {wildcards.run}"
    shell:
        "python scripts/atlas.py --sequences {input.sequences} --model {input.model} --seed {params.seed} --threads {threads} "
        "--manifest {output} &> {log}"

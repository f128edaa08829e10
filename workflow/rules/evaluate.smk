# Scores on the test parts: of the fine-tuned models, of the baseline, and of the embeddings.


rule evaluate:
    input:
        data="results/tasks/{task}/{run}/data/manifest.json",
        models=cell_models,
    output:
        update("results/tasks/{task}/{run}/{split}/{start}/manifest.json"),
    log:
        "results/logs/evaluate/{run}/{task}-{split}-{start}.log",
    benchmark:
        "results/benchmarks/evaluate/{run}/{task}-{split}-{start}.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="4h",
    params:
        stage_version=2,
        name=model_name,
        init=init_of,
        seed=SEED,
    message:
        "Evaluate task {wildcards.task}, split {wildcards.split}, {wildcards.start}"
    shell:
        "python scripts/evaluate.py --task {wildcards.task} --data {input.data} --models {input.models} "
        "--name {params.name} --split {wildcards.split} --init {params.init} --seed {params.seed} --threads {threads} "
        "--manifest {output} &> {log}"


rule baseline:
    input:
        "results/tasks/{task}/{run}/data/manifest.json",
    output:
        update("results/tasks/{task}/{run}/{split}/baseline-{baseline}/manifest.json"),
    log:
        "results/logs/baseline/{run}/{task}-{split}-{baseline}.log",
    benchmark:
        "results/benchmarks/baseline/{run}/{task}-{split}-{baseline}.tsv"
    conda:
        "../../envs/baseline.yaml"
    threads: 2
    resources:
        mem="2GB",
        runtime="4h",
    params:
        stage_version=2,
        task_config=task_config,
        head=task_head,
        seed=SEED,
    message:
        "Baseline {wildcards.baseline} of task {wildcards.task}, split {wildcards.split}"
    shell:
        "python scripts/baseline.py --task {wildcards.task} --task-config {params.task_config} --data {input} "
        "--split {wildcards.split} --name {wildcards.baseline} --seed {params.seed} --threads {threads} "
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
        stage_version=2,
        seed=SEED,
    message:
        "Map sequences of known families with {wildcards.run}"
    shell:
        "python scripts/atlas.py --sequences {input.sequences} --model {input.model} --seed {params.seed} --threads {threads} "
        "--manifest {output} &> {log}"

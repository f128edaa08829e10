# Tasks: labelled data and its splits, and models that are fine-tuned on them.


rule task_data:
    input:
        task_source,
    output:
        update("results/tasks/{task}/{run}/data/manifest.json"),
    log:
        "results/logs/task_data/{run}/{task}.log",
    benchmark:
        "results/benchmarks/task_data/{run}/{task}.tsv"
    conda:
        "../../envs/task_data.yaml"
    threads: 1
    resources:
        mem="4GB",
        runtime="1h",
    params:
        stage_version=1,
        task_config=task_config,
        settings=task_data_settings,
        seed=SEED,
    message:
        "Read and split the data of task {wildcards.task}"
    shell:
        "python scripts/task_data.py --task-config {params.task_config} --retrieved {input} --seed {params.seed} "
        "--manifest {output} &> {log}"


rule finetune:
    input:
        data="results/tasks/{task}/{run}/data/manifest.json",
        model="results/{run}/models/pretrained/manifest.json",
    output:
        update("results/{run}/models/{task}-{split}-{init}/manifest.json"),
    log:
        "results/logs/finetune/{run}/{task}-{split}-{init}.log",
    benchmark:
        "results/benchmarks/finetune/{run}/{task}-{split}-{init}.tsv"
    conda:
        "../../envs/finetune.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="2d",
    params:
        stage_version=1,
        task_config=task_config,
        settings=finetune_settings,
        seed=SEED,
    message:
        "Fine-tune task {wildcards.task}, split {wildcards.split}, {wildcards.init} encoder"
    shell:
        "python scripts/finetune.py --task-config {params.task_config} --data {input.data} --model {input.model} "
        "--split {wildcards.split} --init {wildcards.init} --seed {params.seed} --threads {threads} "
        "--manifest {output} &> {log}"

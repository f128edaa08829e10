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
        stage_version=2,
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
        model=encoder_file,
    output:
        update("results/{run}/models/{task}-{split}-{start}-{replicate}/manifest.json"),
    log:
        "results/logs/finetune/{run}/{task}-{split}-{start}-{replicate}.log",
    benchmark:
        "results/benchmarks/finetune/{run}/{task}-{split}-{start}-{replicate}.tsv"
    conda:
        "../../envs/finetune.yaml"
    threads: 2
    resources:
        mem="4GB",
        runtime="2d",
    params:
        stage_version=2,
        task_config=task_config,
        settings=finetune_settings,
        init=init_of,
        state="results/.state/finetune/{run}/{task}-{split}-{start}-{replicate}",
    message:
        "Fine-tune task {wildcards.task}, split {wildcards.split}, {wildcards.start}, seed {wildcards.replicate}"
    shell:
        "python scripts/finetune.py --task-config {params.task_config} --data {input.data} --model {input.model} "
        "--split {wildcards.split} --init {params.init} --seed {wildcards.replicate} --threads {threads} "
        "--state {params.state} --manifest {output} &> {log}"

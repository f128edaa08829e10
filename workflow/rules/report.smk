# One table, one page.


rule collect:
    input:
        evaluations=EVALUATIONS,
        leakage=LEAKAGE,
        published=PUBLISHED,
        ledger=LEDGER,
    output:
        manifest=update("results/{run}/collect.manifest.json"),
        metrics=report(update("results/{run}/metrics.csv"), caption="../report/metrics.rst", category="Results"),
        ledger=update("results/{run}/ledger.csv"),
    log:
        "results/logs/collect/{run}.log",
    benchmark:
        "results/benchmarks/collect/{run}.tsv"
    conda:
        "../../envs/collect.yaml"
    threads: 1
    resources:
        mem="4GB",
        runtime="6h",
    params:
        stage_version=2,
        tasks=task_files,
        settings=task_settings,
        leakage=leakage_of_tasks,
        seed=SEED,
        run_directory="results/{run}",
    message:
        "Collect the results of {wildcards.run}"
    shell:
        "python scripts/collect.py --evaluations {input.evaluations} --tasks {params.tasks} --leakage {params.leakage} "
        "--published {input.published} --ledger {input.ledger} --seed {params.seed} "
        "--run-directory {params.run_directory} --manifest {output.manifest} &> {log}"


rule report:
    input:
        published=PUBLISHED,
        sequences=SEQUENCES,
        clusters=CLUSTERS,
        pretrain=segment(EPOCHS),
        model=PRETRAINED,
        evaluations=EVALUATIONS,
        atlas="results/{run}/atlas/manifest.json",
        interpretation="results/{run}/interpretation/manifest.json",
        collected="results/{run}/collect.manifest.json",
    output:
        manifest=update("results/{run}/report/manifest.json"),
        page=report(update("results/{run}/report/index.html"), caption="../report/report.rst", category="Results"),
    log:
        "results/logs/report/{run}.log",
    benchmark:
        "results/benchmarks/report/{run}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem="4GB",
        runtime="1h",
    params:
        stage_version=1,
        corpus_directory=corpus_directory,
    message:
        "Write the report of {wildcards.run}"
    shell:
        "python scripts/report.py --run {wildcards.run} --corpus-directory {params.corpus_directory} "
        "--collected {input.collected} --pretrain {input.pretrain} --model {input.model} --atlas {input.atlas} "
        "--interpretation {input.interpretation} "
        "--evaluations {input.evaluations} --published {input.published} --manifest {output.manifest} &> {log}"

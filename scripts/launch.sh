#!/usr/bin/env bash
# Start a training script with one process per device: torchrun on one node; on several, srun starts torchrun once on each.
#   usage: launch.sh PROCESSES NODES THREADS script.py [arguments]     PROCESSES over all nodes, THREADS on each
set -euo pipefail
processes=$1 nodes=$2 threads=$3
shift 3
if ((processes % nodes)); then
    echo "error: pretrain.processes: $processes do not divide into $nodes nodes; give a multiple of $nodes" >&2
    exit 2
fi
per_node=$((processes / nodes))
# Snakemake sets this to all threads of the job, each process would take them all.
export OMP_NUM_THREADS=$((threads > per_node ? threads / per_node : 1))
export PROCESSES=$processes PROCESSES_PER_NODE=$per_node

# In one process first: what is wrong with the input is said once and in one line, which torchrun would bury.
python "$@" --check

# `--`: torchrun would take the script's options for abbreviations of its own.
if [ "$nodes" -eq 1 ]; then
    exec torchrun --standalone --nproc-per-node "$per_node" -- "$@"
fi

# What a node needs to know of the others is in the environment of the step, not in that of the job.
# shellcheck disable=SC2016
exec srun --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 --cpus-per-task="$threads" --kill-on-bad-exit=1 \
    bash -c 'exec torchrun --nnodes "$SLURM_NNODES" --node-rank "$SLURM_NODEID" --nproc-per-node "$PROCESSES_PER_NODE" \
        --master-addr "$(scontrol show hostnames "$SLURM_STEP_NODELIST" | head -n 1)" \
        --master-port $((20000 + SLURM_JOB_ID % 20000)) -- "$@"' torchrun "$@"

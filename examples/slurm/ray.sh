#!/bin/bash
#SBATCH --job-name=crystalgfn-ray
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
# A Ray cluster of the job's machines, and one run on it:  sbatch ray.sh crystals.parquet 100000 candidates
set -euo pipefail
export OMP_NUM_THREADS=1 RAY_USAGE_STATS_ENABLED=0
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
start() { srun --nodes=1 --ntasks=1 --overlap "$@" & }
start -w "$head" ray start --head --port=6379 --num-cpus="$SLURM_CPUS_PER_TASK" --block
for node in $(scontrol show hostnames "$SLURM_JOB_NODELIST" | tail -n +2); do
    start -w "$node" ray start --address="$head:6379" --num-cpus="$SLURM_CPUS_PER_TASK" --block
done
sleep 60
srun --nodes=1 --ntasks=1 --overlap -w "$head" \
    crystalgfn structures "$1" -n "$2" -o "$3" --engine ray --address "$head:6379"

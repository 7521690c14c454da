#!/bin/bash
#SBATCH --job-name=crystalgfn
#SBATCH --array=1-64
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --time=24:00:00
#SBATCH --requeue
# One shard for each task of the array; a task that is ended and queued again goes on where it was.
#     sbatch shards.sh crystals.parquet 100000 candidates
#     sbatch --dependency=afterok:JOB merge.sh candidates
set -euo pipefail
export OMP_NUM_THREADS=1
shard=$3/shard-$SLURM_ARRAY_TASK_ID
resume=$([ -e "$shard/manifest.json" ] && echo --resume || true)
crystalgfn structures "$1" -n "$2" -o "$shard" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" $resume \
    --workers "${SLURM_CPUS_PER_TASK:-2}" --best 0

#!/bin/bash
#SBATCH --job-name=crystalgfn-merge
#SBATCH --cpus-per-task=1
#SBATCH --mem=8G
#SBATCH --time=4:00:00
# Joins the shards that shards.sh made:  sbatch --dependency=afterok:JOB merge.sh candidates
set -euo pipefail
export OMP_NUM_THREADS=1
resume=$([ -e "$1/all/manifest.json" ] && echo --resume || true)
crystalgfn structures merge "$1"/shard-* -o "$1/all" $resume

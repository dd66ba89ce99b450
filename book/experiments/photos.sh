#!/usr/bin/env bash
# Both steps on a folder of photos: book/experiments/photos.sh NAME FOLDER SPLIT [SETTING…]
#   book/experiments/photos.sh voc-mini path/to/voc-mini val
# Trains on split train, measures on SPLIT, with the preset for photos; settings are those
# of train-cam.
set -euo pipefail
runs=build/runs
name=$1 folder=$2 split=$3
settings=("${@:4}")
weaktr() { python -m weaktr_core "$@"; }

weaktr doctor "$folder" --split train
cam=$runs/$name seg=$runs/$name-seg
weaktr train-cam --data "$folder" --val "$split" --run "$cam" --resume \
  ${settings[0]+--set "${settings[@]}"}
weaktr evaluate "$cam" --split "$split" --json "$cam/scores.json"
weaktr make-labels "$cam"
weaktr train-seg --data "$folder" --val "$split" --labels "$cam/labels/masks" --run "$seg" --resume
weaktr evaluate "$seg" --split "$split" --json "$seg/scores.json"

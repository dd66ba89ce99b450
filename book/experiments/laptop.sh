#!/usr/bin/env bash
# Both steps on the built-in scenes, once per seed: book/experiments/laptop.sh 0 1 2
# Runs go to build/runs; what is there already is kept, what was interrupted goes on.
set -euo pipefail
runs=build/runs
weaktr() { python -m weaktr_core "$@"; }
score() {  # FOLDER NAME OPTION…: on scenes that no setting was chosen by
  [ -e "$1/$2.json" ] || weaktr evaluate "$1" --split test --json "$1/$2.json" "${@:3}"
}
label() {  # RUN FOLDER OPTION…: masks of the training scenes
  [ -e "$2/labels.json" ] || weaktr make-labels "$1" --out "$2" "${@:3}"
}
retrain() {  # FOLDER LABELS SETTING…: one network of step 2, trained and scored
  weaktr train-seg --preset laptop --labels "$2" --run "$1" --resume --set "${@:3}"
  score "$1" plain --scales 1
  score "$1" test --crf voc-seg --data scenes:200
}

for seed in "$@"; do
  cam=$runs/laptop-$seed
  weaktr train-cam --preset laptop --run "$cam" --resume --set "seed=$seed"
  label "$cam" "$cam/labels"
  for other in "otsu none" "peek none" "peek voc-cam"; do
    read -r threshold crf <<<"$other"
    label "$cam" "$cam/labels-$threshold-$crf" --cams "$cam/labels/cams" \
      --threshold "$threshold" --crf "$crf"
  done
  masks=$cam/labels/masks
  retrain "$runs/seg-$seed" "$masks" "seed=$seed"
  retrain "$runs/seg-unclipped-$seed" "$masks" "seed=$seed" loss=cross-entropy
  retrain "$runs/seg-true-$seed" true "seed=$seed" loss=cross-entropy
  score "$cam" test
done

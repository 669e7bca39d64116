#!/usr/bin/env bash
# Meta-World 3.1.1: the test goals of ML1 with one seed are the training goals of ML1 with the next.
#
# Taken for granted until the numbers said otherwise: runs with the seeds 0 to 4 have goals that have nothing to do with each other, in training and in the test,
# since that is what seeds are for.
# Seen (metaworld 3.1.1, mujoco 3.3.0, numpy 2.4.6, Python 3.11): for reach-v3 the 50 test goals with seed 0 are the 50 training goals with seed 1, in the same
# order, to the bit; likewise for pick-place-v3, and for 1 and 2, 2 and 3, 3 and 4. Of the 250 test goals of five runs 200 are trained on in
# another of them. Within a seed no goal is in both, and with the seeds 0 and 2 none is shared.
# Why: the training goals are drawn from the seed, the test goals by the same function from the seed plus one.
# The documentation says that training and test have different goals, which they have within a seed; it names no relation between seeds.
# Who meets it: whoever chooses settings or checkpoints by the test of one seed and reports others, carries one run's network into
# another, or takes the runs for independent in an interval. Take seeds that are two apart.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
  "metaworld==3.1.1" "mujoco==3.3.0" "gymnasium==1.4.0" "numpy==2.4.6" "packaging==26.4"
"$place/venv/bin/python" -W ignore - <<'PY'
import metaworld

SEEDS = range(5)
reach = [metaworld.ML1("reach-v3", seed=seed) for seed in SEEDS]
other = [metaworld.ML1("pick-place-v3", seed=seed) for seed in (0, 1)]


def shared(ours, theirs):
    """How many of our tasks are among theirs."""
    theirs = {task.data for task in theirs}
    return sum(task.data in theirs for task in ours)


of_the_next = [ours.test_tasks == theirs.train_tasks for ours, theirs in zip(reach, reach[1:])]
of_another = sum(
    shared(run.test_tasks, [task for rival in reach if rival is not run for task in rival.train_tasks]) for run in reach
)
within = [shared(run.test_tasks, run.train_tasks) for run in reach]
apart = shared(
    reach[0].train_tasks + reach[0].test_tasks, reach[2].train_tasks + reach[2].test_tasks
)
again = metaworld.ML1("reach-v3", seed=0).train_tasks == reach[0].train_tasks
elsewhere = other[0].test_tasks == other[1].train_tasks
print(
    f"metaworld: tests of a seed are the training of the next: {of_the_next}, in pick-place: {elsewhere}",
    f"| test goals that another run trains on: {of_another} of {50 * len(reach)} | within a seed: {within}",
    f"| seeds 0 and 2 share {apart} | the same seed again gives the same: {again}",
)
as_said = all(of_the_next) and elsewhere and of_another == 200 and not any(within) and apart == 0 and again
raise SystemExit(0 if as_said else "this has changed")
PY

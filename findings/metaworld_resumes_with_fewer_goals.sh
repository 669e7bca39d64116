#!/usr/bin/env bash
# Meta-World 3.1.1: worlds of a meta-learning benchmark that are put back to a checkpoint of their own all have the goals of the first.
#
# Guess, before looking: `worlds.call("load_checkpoint", worlds.call("get_checkpoint"))` changes nothing; each of the worlds is told apart by
# its name in the checkpoint.
# Seen (metaworld 3.1.1, gymnasium 1.4.0, mujoco 3.3.0, numpy 2.4.6, Python 3.11): `make_ml_envs_train("reach-v3", meta_batch_size=10)` splits the 50
# training goals among ten worlds, five each. After the two calls all ten have the five of the first: 45 goals are gone, and nothing
# is raised.
# Why: the name is made of the class and a number, and the meta-learning benchmarks leave the number out, as the multi-task ones do not; the
# first state whose name matches is taken.
# Who meets it: whoever resumes a meta-training (ML1, or ML10 with more than one world a class): it goes on with a part of its tasks. Give
# each world of `worlds.envs` its own state: `world.env.load_checkpoint(state)`.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
  "metaworld==3.1.1" "mujoco==3.3.0" "gymnasium==1.4.0" "numpy==2.4.6" "packaging==26.4"
"$place/venv/bin/python" -W ignore - <<'PY'
import metaworld

WORLDS = 10


def goals(worlds):
    """The goals of each world."""
    return [{task.data for task in world.get_wrapper_attr("tasks")} for world in worlds.envs]


worlds = metaworld.make_ml_envs_train("reach-v3", seed=0, meta_batch_size=WORLDS)
worlds.call("sample_tasks")
before = goals(worlds)
checkpoint = worlds.call("get_checkpoint")
worlds.call("load_checkpoint", checkpoint)
after = goals(worlds)
for world, (_, state) in zip(worlds.envs, checkpoint):  # one by one
    world.env.load_checkpoint(state)
mended = goals(worlds)
names = {name for name, _ in checkpoint}
print(
    f"names in the checkpoint of {WORLDS} worlds: {len(names)} | goals before: {len(set().union(*before))},",
    f"after: {len(set().union(*after))}, put back one by one: {len(set().union(*mended))}",
)
as_said = (
    len(names) == 1
    and len(set().union(*before)) == 50
    and after == [before[0]] * WORLDS
    and mended == before
)
raise SystemExit(0 if as_said else "this has changed")
PY

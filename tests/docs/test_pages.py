"""The pages are complete and true to the code: names, logged fields, commands, links."""

from __future__ import annotations

import dataclasses
import importlib
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from markdown_blocks import blocks, commands, headings, links, table_below

import metarl
from metarl.cli import VERBS, parse_arguments
from metarl.controller import TokenPolicyConfig, sample_tokens, token_inputs, token_policy
from metarl.optimizer_search.comparing.comparison_document import entry_json
from metarl.optimizer_search.comparing.problem_results import EntrantResult
from metarl.optimizer_search.searching.counts import Counts, generation_row
from metarl.optimizer_search.searching.sorting import Sorting
from metarl.optimizer_search.settings.compare_config import PROTOCOL_VERSION
from metarl.optimizer_search.strategies import names
from metarl.optimizer_search.strategies.contract import LOGGED_BY_THE_SEARCH
from metarl.policy_gradient import Batch, ppo, reinforce, trpo
from metarl.rl_squared import WorldConfig, preset
from metarl.rl_squared.learning.train_job import TrainJob
from metarl.rl_squared.settings.config import ALGORITHMS
from metarl.runs.driver import ADDED_METRICS
from metarl.statistics import Interval

LOGGED = "What is logged"


# Names -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def api(docs):
    """The maker of the pages of packages."""
    return importlib.import_module("api_pages")


def test_every_name_that_a_package_offers_is_on_its_page(api):
    for name in api.documented_modules():
        module, page = importlib.import_module(name), api.api_page(name)
        for offered in getattr(module, "__all__", []):
            assert re.search(rf"^\.\. auto\w+:: {offered}$", page, flags=re.MULTILINE), (
                f"{offered} is not on the page of {name}"
            )


def test_every_package_and_every_door_within_one_has_a_page(api):
    root = Path(metarl.__file__).parent
    doors = {".".join(path.parent.relative_to(root.parent).parts) for path in root.rglob("*.pyi")}
    assert (doors | {f"metarl.{name}" for name in metarl.__all__}) - {"metarl"} == set(
        api.documented_modules()
    )


def test_a_module_without_all_shows_what_it_defines_and_nothing_that_it_imports(api):
    shown = api.public_names(importlib.import_module("metarl.errors"))
    assert {"InvalidInput", "require", "unknown_name"} <= set(shown)
    assert not {"annotations", "difflib", "Iterable"} & set(shown)


def test_a_field_is_shown_with_the_comment_behind_it(docs):
    plain_docstrings = importlib.import_module("plain_docstrings")
    source = '''
    class Pair(NamedTuple):
        first: int  # [B], how many
        second: (
            float
        )  # of what
        third: str
        """A text."""
        _hidden: int  # nobody's business
    '''
    assert plain_docstrings.fields_of(source) == {
        "first": ("int", "[B], how many", ""),
        "second": ("float", "of what", ""),
        "third": ("str", "", "A text."),
    }


def test_what_is_plain_in_a_docstring_stays_plain(docs):
    plain = importlib.import_module("plain_docstrings").plain
    text = ["Returns |x| * y_ of `a_`s.", "", "  w <- w - r * u", "", "Args:", "  *x: [B] numbers."]
    assert plain(text) == [
        "Returns \\|x\\| \\* y\\_ of `a_`\\ s.",
        "",
        *("::", "", "    w <- w - r * u", "  ", ""),
        "Args:",
        "  \\*x: [B] numbers.",
    ]


# Commands --------------------------------------------------------------------------------------


def test_every_verb_and_every_flag_has_its_line(docs):
    page = importlib.import_module("command_page").command_page()
    for verb in VERBS:
        assert f"\n## metarl {verb.name}\n" in page
    for flag in ("--training.learning-rates", "--filters.min-cosine", "--ppo.max-kl", "--against"):
        assert flag in page


def test_every_command_in_a_page_can_be_typed(page):
    verbs = {verb.name: verb for verb in VERBS}
    for line, words in commands(page):
        if words[1].startswith("-"):
            continue
        assert words[1] in verbs, f"{page.name}:{line}: there is no verb {words[1]!r}"
        module = verbs[words[1]].load()
        parse = getattr(module, "parse", None)
        try:
            if parse:
                parse(words[2:], "metarl")
            else:
                parse_arguments(module.Arguments, words[2:], program="metarl")
        except SystemExit:
            pytest.fail(f"{page.name}:{line}: {' '.join(words)!r} cannot be parsed")


def test_a_page_with_a_wrong_command_would_be_seen(tmp_path):
    wrong = tmp_path / "wrong.md"
    wrong.write_text("```\nmetarl export powersign --to fortran\n```\n", encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match=r"wrong\.md:2: 'metarl export powersign"):
        test_every_command_in_a_page_can_be_typed(wrong)


# Links -----------------------------------------------------------------------------------------


def test_every_link_of_a_page_leads_somewhere(page, docs):
    for target in links(page):
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        first = place.relative_to(docs.resolve()).parts[0]
        if first in ("api", "commands.md"):  # made at a build, which looks at them
            continue
        if first == "experiments":
            source = docs.parent / place.relative_to(docs.resolve()).with_suffix("")
            source = docs.parent if source.name == "index" else source
            assert (source / "README.md").exists(), f"{page.name}: {target}"
            continue
        assert place.is_file(), f"{page.name}: {target}"
        assert not anchor or anchor in headings(place), f"{page.name}: {target}"


def test_every_page_is_in_the_tree_of_contents(docs):
    index = (docs / "index.md").read_text(encoding="utf-8")
    listed = {line for block in blocks(docs / "index.md") for line in block.lines}
    for written in docs.rglob("*.md"):
        name = written.relative_to(docs).with_suffix("").as_posix()
        made = name.split("/")[0] in ("api", "experiments", "_build", "front")
        assert made or name in {*listed, "index"}, f"{name} is not in index.md"
    assert "{toctree}" in index


def test_a_page_with_marks_says_what_they_mean(docs):
    says = {"[v]": "read ", "[r]": "recalled", "[?]": "recalled with low confidence"}
    pages = [
        *docs.rglob("*.md"),
        *(docs.parent / "experiments").rglob("*.md"),
        docs.parent / "README.md",
    ]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for mark, meaning in says.items():
            assert mark not in text or meaning in text, f"{page}: {mark} is not explained"


# Fields ----------------------------------------------------------------------------------------


def algorithm_fields(algorithm) -> set[str]:
    """Returns what an outer algorithm logs, of token sequences; nothing is computed."""
    policy = token_policy((3, 3), TokenPolicyConfig(hidden_size=2, embedding_size=2))

    def metrics(key):
        state = algorithm(policy).init(policy.init(key))
        mask = lambda tokens, position: jnp.ones((4, 3), bool)  # noqa: E731
        sample = sample_tokens(policy, state.params, key, 4, mask)
        zeros = jnp.zeros_like(sample.log_probs)
        batch = Batch(
            token_inputs(sample.tokens, sample.masks), sample.tokens, sample.log_probs,
            zeros, sample.values, zeros, zeros == 0,
        )  # fmt: skip
        return algorithm(policy).update(key, state, batch)[1]

    with jax.debug_key_reuse(False):  # one key serves for all, since nothing is drawn
        return set(jax.eval_shape(metrics, jax.random.key(0)))


def generation_fields() -> set[str]:
    """Returns what a search itself logs of a generation, here one in which nothing was trained."""
    nothing = np.zeros(1, bool)
    sorting = Sorting(None, [b""], [], nothing, nothing, np.zeros(0, int))  # type: ignore[arg-type]
    return set(generation_row(Counts(), sorting, np.zeros(1, np.float32), None, None))


def test_no_metric_of_a_strategy_may_have_the_name_of_a_field_of_the_search():
    assert generation_fields() | set(ADDED_METRICS) == set(LOGGED_BY_THE_SEARCH)


def test_every_field_that_a_search_logs_is_explained(docs):
    explained = table_below(docs / "methods" / "optimizer_search.md", LOGGED)
    logged = generation_fields() | set(ADDED_METRICS)
    for algorithm in (ppo, reinforce, trpo):
        logged |= algorithm_fields(algorithm)
    # what strategies add is held to the page where they run (tests/optimizer_search/strategies)
    assert logged < set(explained)


def training(**settings) -> TrainJob:
    """Returns a tiny training."""
    config = preset("smoke", WorldConfig(arms=2, episodes=2))
    return TrainJob(dataclasses.replace(config, **settings))


def training_fields(job: TrainJob) -> set[str]:
    """Returns what a chunk of updates logs; nothing is computed."""
    if job.sizes.imitation_updates:
        chunk, rows = job.imitation_chunk, job.imitation_rows(0, 1)
    else:
        chunk, rows = job.reinforcement_chunk, job.reinforcement_rows(0, 1)
    return set(jax.eval_shape(lambda: chunk(job.init().learner, *rows)[1]))


def test_every_field_that_a_training_logs_is_explained(docs):
    explained = table_below(docs / "methods" / "rl_squared.md", LOGGED)
    tried = {"start_validation_return", "validation_return", "validation_returns"}
    logged = {*ADDED_METRICS, "phase", *tried}
    for algorithm in ALGORITHMS:
        logged |= training_fields(training(algorithm=algorithm))
    logged |= training_fields(training(warm_start="thompson"))
    mazes = WorldConfig("maze", size=3, episodes=2, setting=("width=1", "height=1"))
    predicting = training_fields(training(world=mazes, auxiliary_weight=0.1))
    logged |= {re.sub("^accuracy_.*", "accuracy_NAME", field) for field in predicting}
    assert set(explained) - {"imitation", *ALGORITHMS} == logged


def test_everything_that_a_comparison_measures_is_explained(docs):
    entry = EntrantResult(*[Interval(1.0, 0.5, 2.0)] * len(EntrantResult._fields))  # type: ignore[arg-type]
    explained = table_below(docs / "methods" / "comparison.md", "What is measured on one problem")
    assert set(explained) == set(entry_json(entry))


def test_the_page_of_the_comparison_tells_of_the_protocol_in_force(docs):
    text = (docs / "methods" / "comparison.md").read_text(encoding="utf-8")
    assert f"Version {PROTOCOL_VERSION};" in text


def test_every_strategy_of_a_search_is_described(docs):
    described = table_below(docs / "methods" / "optimizer_search.md", "Strategies")
    assert set(names()) <= set(described)


def test_every_file_that_a_new_run_has_is_described(docs):
    files = table_below(docs / "run_directory.md", "Files of every run")
    assert {"run.json", "config.json", "provenance.json", "metrics.jsonl", "outcome.json"} <= set(
        files
    )

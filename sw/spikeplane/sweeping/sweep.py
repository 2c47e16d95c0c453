"""The search: Optuna draws choices, trials are run, and everything is kept in Optuna's storage."""

import itertools
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, Trial, TrialState
from spikeplane_hw.config import SMALL, CoreConfig
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from ..data.sets.datasets import load_dataset
from ..pruning.costs import Budget, weight_bytes
from ..pruning.groups import find_groups
from ..training.net.layer_recipe import TRANSFORMER_OPTIONS
from ..training.recipe.recipes import Recipe
from ..training.run.checkpoint import Checkpoint
from ..training.run.options import RunOptions
from ..writing import check_folder
from .space import Space, SweepError, own_choices
from .trial import Infeasible, Trials

__all__ = ["Swept", "TrialResult", "pareto_front", "sweep"]

STORAGE = "sweep.db"
SETTINGS = "settings"
"""Attribute of a study that says what it is a study of."""
RESULTS = ("accuracy", "size", "cycles", "checkpoint", "reason")
"""Attributes of a trial that say what came of it."""
REPEAT = "repeat"
"""Attribute of a trial that drew what another one had drawn already: it is none, and nothing was run."""
INTERRUPTED = "interrupted"
"""Attribute of a trial that was interrupted: what it drew is waiting to be run by another one."""
HEARTBEAT = 10
"""Seconds between signs of life of a process."""
GRACE = 60
"""Seconds without such a sign after which a trial is given to another process."""
OPENINGS, PAUSE = 5, 0.5
"""How often a storage whose tables another process is making is opened, and the seconds between."""
RETRIES = 3
"""How often a trial is given on."""
DRAWS = 1000
"""Random combinations that are drawn to find a new one, before all are gone through."""
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """One combination of choices and what came of it."""

    number: int
    values: dict[str, Any]
    """The choice of each parameter."""
    accuracy: float | None = None
    """On the validation part, 0 to 1; None: infeasible."""
    size: float | None = None
    """Bytes of weights."""
    cycles: float | None = None
    seconds: float = 0.0
    """That the trial took."""
    checkpoint: str | None = None
    """Of the trained network, on the machine that trained it."""
    reason: str | None = None
    """Why it is infeasible."""
    best: bool = False
    """Whether it is in the Pareto front: no other trial is as accurate and as cheap, and better in one of these."""

    def cost(self, kind: str) -> float:
        """Return bytes or cycles, as a budget of this kind says; infinite where it is infeasible."""
        found = self.size if kind == "size" else self.cycles
        return math.inf if found is None else found


@dataclass(frozen=True, kw_only=True)
class Swept:
    """A sweep as far as it got."""

    recipe: str
    config: str
    budget: Budget
    limit: float
    """The budget in bytes or cycles."""
    samples: int
    """Of the validation part."""
    parameters: dict[str, tuple]
    trials: list[TrialResult]
    """One for each combination, in the order of their numbers."""
    running: int
    """Trials of other processes that are not done."""

    @property
    def front(self) -> list[TrialResult]:
        """The Pareto front, cheapest first."""
        return sorted((trial for trial in self.trials if trial.best), key=lambda trial: trial.cost(self.budget.kind))


def sweep(
    recipe: Recipe,
    space: Space,
    budget: Budget,
    out: Path,
    *,
    trials: int = 20,
    config: CoreConfig = SMALL,
    storage: str | None = None,
    study_name: str | None = None,
    data_root: Path | None = None,
    options: RunOptions | None = None,
    notify: Callable[[Swept, int], object] = lambda swept, total: None,
) -> Swept:
    """Train a recipe with combinations of choices and return accuracy against bytes or cycles.

    Accuracy is that of the integer model on the recipe's validation part; test data decide nothing. ``budget`` is of
    "size" or "cycles": what is above it, or does not fit ``config``, is infeasible. It goes on until ``trials``
    combinations are done, counted over all processes; a sweep in the same storage goes on where it ended, also after
    an interrupt. ``storage`` is an URL as Optuna takes it, an SQLite file in the folder ``out`` unless given.
    ``notify`` is called at the start and after each trial, with the sweep as it is then and how many combinations
    there are to be.

    A SweepError, all before the first training, says what recipe, space, budget or storage is wrong.
    """
    if trials < 1:
        raise SweepError(f"trials must be 1 or more, not {trials}")
    out = Path(out)
    check_folder(out)
    limit, parameters = _checked(recipe, space, budget, data_root)
    held_out = load_dataset(recipe.data, "validation", data_root)
    runner = Trials(
        recipe=recipe, config=config, budget=budget, limit=limit, folder=out / "trials", data_root=data_root,
        options=options or RunOptions(),
    )
    out.mkdir(parents=True, exist_ok=True)
    settings = {
        "recipe": recipe.to_dict(), "parameters": {name: list(values) for name, values in parameters.items()},
        "budget": [budget.kind, limit], "config": config.name,
    }
    url = _with_driver(storage) if storage else str(URL.create("sqlite", database=str(out / STORAGE)))
    study = _study(url, study_name or recipe.name, settings)
    own = own_choices(recipe, parameters)
    total = min(trials, math.prod(map(len, parameters.values())))
    swept = Swept(
        recipe=recipe.name, config=config.name, budget=budget, limit=limit, samples=len(held_out.labels),
        parameters=parameters, trials=[], running=0,
    )
    with _storage_errors(url), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        if own is not None and not study.get_trials(deepcopy=False):
            study.enqueue_trial(own)
        fail_stale_trials(study)  # Of processes that were killed.
        swept = _results(study, swept)
        notify(swept, total)
        while len(swept.trials) + swept.running < total:
            _next(study, runner, parameters, recipe.seed)
            swept = _results(study, swept)
            notify(swept, total)
    return swept


def _checked(recipe: Recipe, space: Space, budget: Budget, data_root: Path | None) -> tuple[float, dict[str, tuple]]:
    """Return the budget's limit and the parameters; a SweepError says what is wrong, before anything is trained."""
    if not recipe.data.validation:
        raise SweepError(
            f"recipe {recipe.name}: it holds no training samples out, by which a sweep chooses: set data.validation to "
            f"how many, as --set data.validation=200"
        )
    for layer in recipe.layers:
        if not layer.has_integers:
            raise SweepError(f"recipe {recipe.name}: layer {layer.name!r} has {layer.weights} weights, which no core "
                             f"runs: set its weights, as --set layers.{layer.name}.weights=absmax")
    if budget.kind not in ("size", "cycles"):
        raise SweepError(f"budget {budget.kind}: a sweep has a budget of size or cycles")
    if budget.kind == "cycles" and budget.relative:
        raise SweepError(f"budget cycles={budget.value:.0%}: what the recipe takes is known only once it is trained: "
                         f"give a number of cycles")
    test = load_dataset(recipe.data, "test", data_root)
    network = Checkpoint.start(recipe, test.input, test.classes).network
    groups: dict[str, int] = {}
    if space.ratios:
        streams = [layer.name for layer in recipe.layers if layer.kind in TRANSFORMER_OPTIONS]
        if streams:
            raise SweepError(f"--ratios: layer {streams[0]!r}: transformers are not pruned")
        groups = {group.name: group.channels for group in find_groups(network, recipe.layers)}
    return budget.limit(sum(weight_bytes(network).values())), space.parameters(recipe, groups)


def _study(url: str, name: str, settings: dict) -> optuna.Study:
    """Return the study of a name, made if it is not there; a SweepError says that it is of another sweep."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with _storage_errors(url), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study = optuna.create_study(
            storage=_opened(url), study_name=name, directions=["maximize", "minimize"], load_if_exists=True,
        )
        former = study.user_attrs.get(SETTINGS)
        # As JSON gives it back: lists where there are tuples.
        wanted = json.loads(json.dumps(settings))
        if former is None:
            study.set_user_attr(SETTINGS, wanted)
    if former is not None and former != wanted:
        differ = [key for key in wanted if former.get(key) != wanted[key]]
        raise SweepError(f"storage {_shown(url)}: study {name!r} is of another sweep: other {', '.join(differ)}. Name "
                         f"another study, or another folder")
    return study


def _opened(url: str) -> RDBStorage:
    """Return a storage, whose tables are made if they are not there.

    Of processes that start at once each finds none, and the database lets one of them make the tables.
    """
    def open_storage() -> RDBStorage:
        return RDBStorage(url, heartbeat_interval=HEARTBEAT, grace_period=GRACE,
                          heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(RETRIES))

    for _ in range(OPENINGS - 1):
        try:
            return open_storage()
        except (SQLAlchemyError, StorageInternalError) as error:
            cause = error.__cause__ if isinstance(error, StorageInternalError) else error
            if not isinstance(cause, IntegrityError) and "already exists" not in str(cause):
                raise
            time.sleep(PAUSE)
    return open_storage()


@contextmanager
def _storage_errors(url: str) -> Iterator[None]:
    """Let what a storage refuses be a SweepError that names it, without its password."""
    try:
        yield
    except ArgumentError as error:
        raise SweepError(f"storage {url!r}: no URL of a database, as sqlite:///sweep.db") from error
    except ImportError as error:
        raise SweepError(f"storage {_shown(url)}: its driver is not installed: for PostgreSQL install Spikeplane with "
                         f"its extra, as spikeplane[postgresql]") from error
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = str(getattr(error.__cause__, "orig", None) or getattr(error, "orig", None) or error)
        raise SweepError(f"storage {_shown(url)}: {reason.strip().splitlines()[0]}") from error


def _with_driver(url: str) -> str:
    """Return the URL of a storage, of PostgreSQL with the driver of our extra, whatever SQLAlchemy's own choice is."""
    return url.replace("postgresql:", "postgresql+psycopg:", 1) if url.startswith("postgresql:") else url


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def _next(study: optuna.Study, runner: Trials, parameters: dict[str, tuple], seed: int) -> None:
    """Run one trial; what comes of it is in the study."""
    known = study.get_trials(deepcopy=False, states=COUNTED)
    tried = {_key(trial.params): trial for trial in known}
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    seed += len(known) + sum(INTERRUPTED not in trial.user_attrs for trial in failed)
    # A new one for each trial: it draws the same after an interrupt, something else after a failure, which would come
    # again, and in other processes.
    study.sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)

    def objective(trial: Trial) -> tuple[float, float]:
        values = {name: trial.suggest_categorical(name, choices) for name, choices in parameters.items()}
        former = tried.get(_key(values))
        if former is not None:
            study.enqueue_trial(_untried(parameters, tried, Random(seed)))
            trial.set_user_attr(REPEAT, True)
            raise optuna.TrialPruned
        try:
            outcome = runner.run(values)
        except Infeasible as error:
            trial.set_user_attr("reason", str(error))
            raise optuna.TrialPruned from error
        except KeyboardInterrupt:
            study.enqueue_trial(values)
            trial.set_user_attr(INTERRUPTED, True)
            raise
        for name in ("accuracy", "size", "cycles"):
            trial.set_user_attr(name, getattr(outcome, name))
        trial.set_user_attr("checkpoint", str(outcome.checkpoint))
        return outcome.accuracy, outcome.cost(runner.budget.kind)

    # What a trial without enough memory held is freed ahead of the next one.
    study.optimize(objective, n_trials=1, gc_after_trial=True)


def _untried(parameters: dict[str, tuple], tried: dict[str, Any], random: Random) -> dict[str, Any]:
    """Return choices that no trial has, of which there are some."""
    for _ in range(DRAWS):
        values = {name: random.choice(choices) for name, choices in parameters.items()}
        if _key(values) not in tried:
            return values
    every = (dict(zip(parameters, values, strict=True)) for values in itertools.product(*parameters.values()))
    return next(values for values in every if _key(values) not in tried)


def _key(values: dict[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)


def _results(study: optuna.Study, swept: Swept) -> Swept:
    """Return ``swept`` with the trials of a study."""
    known = [trial for trial in study.get_trials(deepcopy=False, states=COUNTED) if REPEAT not in trial.user_attrs]
    # Two processes may have drawn the same at once: the first counts.
    done = {_key(trial.params): _result(trial) for trial in reversed(known) if trial.state is not TrialState.RUNNING}
    found = sorted(done.values(), key=lambda result: result.number)
    best = pareto_front(found, swept.budget.kind)
    return replace(
        swept, trials=[replace(each, best=each.number in best) for each in found],
        running=sum(trial.state is TrialState.RUNNING for trial in known),
    )


def _result(trial: FrozenTrial) -> TrialResult:
    return TrialResult(
        number=trial.number, values=trial.params,
        seconds=trial.duration.total_seconds() if trial.duration is not None else 0.0,
        **{name: trial.user_attrs.get(name) for name in RESULTS},  # pyright: ignore[reportArgumentType]
    )


def pareto_front(trials: list[TrialResult], kind: str) -> set[int]:
    """Return the numbers of feasible trials to which no other is at least equal and in one of both better.

    Of equal ones the first is taken. ``kind`` is that of the budget.
    """
    front, accuracy = set(), -1.0
    feasible = [trial for trial in trials if trial.accuracy is not None]
    for trial in sorted(feasible, key=lambda trial: (trial.cost(kind), -(trial.accuracy or 0), trial.number)):
        if (trial.accuracy or 0) > accuracy:
            front.add(trial.number)
            accuracy = trial.accuracy or 0
    return front

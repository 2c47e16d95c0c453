"""Findings: what is wrong with a trained network or its training, from plain numbers.

Each function looks at one kind of thing, and returns a finding where a limit is exceeded. ``basis``
says on what its values rest, as "in epoch 3" or "on 250 test samples".
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = [
    "DEAD_SHARE", "EXPLODED_TIMES", "LOST_POINTS", "SATURATED_SHARE", "SIGMAS", "SILENT_RATE", "Finding",
    "accuracy_lost", "clipped_multipliers", "dead_channels", "exploded_loss", "no_better_than_guessing",
    "saturated_potentials", "silent_layers", "unfinished", "without_repeats",
]

SILENT_RATE = 0.001
"""A layer that fires less passes on next to nothing."""
DEAD_SHARE = 0.01
"""Channels of a layer that may never fire on the samples looked at."""
SATURATED_SHARE = 0.05
"""Updates of potentials that may saturate."""
EXPLODED_TIMES = 2.0
"""How many times the first epoch's loss, or that of guessing, a loss may be."""
LOST_POINTS = 0.2
"""Percentage points of accuracy that integers may lose."""
SIGMAS = 2.0
"""Standard deviations of what drawing the samples explains."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong."""

    kind: str
    """What it is of, in a word or two; with ``layer`` it tells findings apart."""
    layer: str | None = None
    """The layer at fault; None: the whole network."""
    what: str
    """Value and limit."""
    remedy: str

    @property
    def text(self) -> str:
        """All of it, in a line."""
        where = "" if self.layer is None else f"layer {self.layer!r}: "
        return f"{where}{self.what}; {self.remedy}"


def without_repeats(findings: Iterable[Finding], known: Iterable[Finding] = ()) -> list[Finding]:
    """Return the first finding of each kind and layer, without those whose kind and layer are ``known``."""
    seen = {(finding.kind, finding.layer) for finding in known}
    left: dict[tuple[str, str | None], Finding] = {}
    for finding in findings:
        left.setdefault((finding.kind, finding.layer), finding)
    return [finding for key, finding in left.items() if key not in seen]


def silent_layers(rates: Mapping[str, float], basis: str) -> list[Finding]:
    """Return the layers that hardly fire; ``rates`` are firing rates, 0 to 1, of layers with neurons."""
    return [
        Finding(
            kind="silent layer", layer=name,
            what=f"it fires at {rate:.3%} {basis}, at least {SILENT_RATE:.1%} is wanted: it passes on next to nothing",
            remedy="lower training.learning_rate, raise training.regularizers.spike_regulation.weight, or give "
                   "the layer more channels",
        )
        for name, rate in rates.items() if not rate >= SILENT_RATE
    ]


def dead_channels(counts: Mapping[str, tuple[int, int]], basis: str) -> list[Finding]:
    """Return the layers with channels that never fire; ``counts`` are (dead channels, channels) of layers."""
    return [
        Finding(
            kind="dead channels", layer=name,
            what=f"{dead} of {channels} channels never fire {basis}, limit {DEAD_SHARE:.0%}: they cost memory and "
                 f"do nothing",
            remedy="give the layer fewer channels, lower training.learning_rate, or set "
                   "training.regularizers.spike_regulation",
        )
        for name, (dead, channels) in counts.items() if DEAD_SHARE * channels < dead
    ]


def saturated_potentials(shares: Mapping[str, float], basis: str) -> list[Finding]:
    """Return the layers whose currents or potentials saturate; ``shares`` are those of all updates, 0 to 1."""
    return [
        Finding(
            kind="saturation", layer=name,
            what=f"{share:.2%} of its updates saturate {basis}, limit {SATURATED_SHARE:.0%}: what is beyond the "
                 f"range of currents and potentials is cut off",
            remedy="lower training.learning_rate or raise training.weight_decay, so that its currents stay "
                   "within the potentials' range",
        )
        for name, share in shares.items() if share > SATURATED_SHARE
    ]


def clipped_multipliers(counts: Mapping[str, tuple[int, int]]) -> list[Finding]:
    """Return the layers with multipliers at their limit; ``counts`` are (such multipliers, all) of layers."""
    return [
        Finding(
            kind="clipped multipliers", layer=name,
            what=f"M of {clipped} of {channels} channels is at the limit of its bits, limit 0 channels: export "
                 f"clips the gain of channels whose sums hardly vary",
            remedy="compare the accuracies of `spikeplane evaluate`; if integers lose, give the layer fewer "
                   "channels or weights of more bits (weights, weight_bits)",
        )
        for name, (clipped, channels) in counts.items() if clipped
    ]


def exploded_loss(loss: float, first: float, guessing: float | None, basis: str) -> list[Finding]:
    """Return a finding if a loss is not finite, or far above that of the first epoch or of ``guessing``.

    ``guessing`` is the loss of a network that thinks all classes equally likely; None: unknown. What is
    below it has not exploded, however little the first epoch's loss was.
    """
    found = []
    if not math.isfinite(loss):
        found.append("must be finite")
    elif loss > EXPLODED_TIMES * first and (guessing is None or loss > guessing):
        found.append(f"limit {EXPLODED_TIMES:g} times the {first:.4g} of the first epoch")
    elif guessing is not None and loss > EXPLODED_TIMES * guessing:
        found.append(f"limit {EXPLODED_TIMES:g} times the {guessing:.4g} of guessing")
    return [
        Finding(
            kind="exploded loss", what=f"the loss is {loss:.4g} {basis}, {limit}",
            remedy="lower training.learning_rate",
        )
        for limit in found
    ]


def no_better_than_guessing(accuracy: float, guess: float, samples: int | None, basis: str) -> list[Finding]:
    """Return a finding if an accuracy, 0 to 1, is not above that of always naming one class, ``guess``.

    It is above if it exceeds it by more than ``SIGMAS`` standard deviations of ``samples`` drawn at random;
    at all if their number is None, unknown.
    """
    margin = 0.0 if samples is None else SIGMAS * math.sqrt(guess * (1 - guess) / samples)
    limit = min(guess + margin, 1.0)
    if accuracy > limit + 1e-9:  # A count over a count, and 1 over the classes, may be rounded differently.
        return []
    by_chance = f", up to {limit:.2%} by chance" if margin else ""
    return [Finding(
        kind="guessing",
        what=f"accuracy is {accuracy:.2%} {basis}, no better than always naming one class ({guess:.2%}{by_chance})",
        remedy="look at the findings of layers and of the loss; lower training.learning_rate, train more epochs, "
               "or check that labels and samples belong together",
    )]


def accuracy_lost(lost: int, gained: int, samples: int) -> list[Finding]:
    """Return a finding if integers predict worse than the network as trained, beyond what chance explains.

    Of ``samples``, integers get ``lost`` wrong that the network as trained got right, and ``gained``
    right that it got wrong. If only chance told these apart, ``lost - gained`` would have the deviation
    ``sqrt(lost + gained)``.
    """
    points = 100 * (lost - gained) / samples
    by_chance = 100 * SIGMAS * math.sqrt(lost + gained) / samples
    limit = max(LOST_POINTS, by_chance)
    if points <= limit:
        return []
    return [Finding(
        kind="accuracy lost",
        what=f"integers predict {points:.2f} points worse than the network as trained on {samples:,} samples, "
             f"limit {limit:.2f} points",
        remedy="give potentials or weights more bits (neuron.state_bits, weight_bits), and look at the findings "
               "of layers",
    )]


def unfinished(epoch: int, epochs: int, batch: int) -> list[Finding]:
    """Return a finding if a training stopped after ``epoch`` of ``epochs`` and ``batch`` batches more."""
    if epoch >= epochs:
        return []
    more = f" and {batch} batch{'es' * (batch > 1)}" if batch else ""
    return [Finding(
        kind="unfinished", what=f"the training was stopped after epoch {epoch} of {epochs}{more}",
        remedy="the same `spikeplane train` command goes on from there",
    )]

"""What a model owes the rest of the program, tried on a few images and said in sentences.

Families of the house are held to it by tests; a network of the user's own is held to it here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hvae_core.common.errors import DataError, HVAEError
from hvae_core.common.noise import ImageNoise
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.bounds import bound_terms, log_weights
from hvae_core.evaluation.trial import Trial
from hvae_core.models import HierarchicalVAE
from hvae_core.models.frozen import frozen

MOST = 8
"""Images that a check looks at."""
_SAMPLES = 64
_SIGMAS = 5.0
_FIRST = ("finite", "seed")
"""Where one of these is not kept, what the later points say follows from it."""


@dataclass(frozen=True)
class Finding:
    """One point of the contract: whether it is kept, and in a sentence what is so or what to do."""

    point: str
    ok: bool
    sentence: str

    def __str__(self) -> str:
        return f"{'ok   ' if self.ok else 'FAULT'}  {self.point}: {self.sentence}"


@dataclass(frozen=True)
class Contract:
    """All findings on a model; ``ok`` where every point is kept, and ``str`` reads as a list."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether every point is kept."""
        return all(finding.ok for finding in self.findings)

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The points that are not."""
        return tuple(finding for finding in self.findings if not finding.ok)

    def __str__(self) -> str:
        count = len(self.faults)
        verdict = "keeps the contract" if self.ok else f"has {count} fault{'s' * (count > 1)}"
        return "\n".join([f"{self.name} {verdict}.", *map(str, self.findings)])

    __repr__ = __str__


def check_model(model: HierarchicalVAE, images: ImageSet, *, seed: int = 0) -> Contract:
    """Hold a model to the contract on the first images of a set.

    Shapes; finite values; the same numbers for the same seed, alone as in a batch, in any order; a
    prior that sees no image; L_>0 as the ELBO (HVK Eq. 5); importance weighting that does not fall
    below it (HVK Eq. 9). Raises ``DataError`` for fewer than two different images.
    """
    images = images.fit(model.image_shape).take(MOST)
    if len(set(images.image_digests())) < 2:
        raise DataError("A check compares images: give it two different ones or more.")
    trial = Trial(model, images, seed)
    findings: list[Finding] = []
    for point, look in _POINTS:
        try:
            with torch.no_grad(), np.errstate(all="ignore"):
                found = [Finding(point, ok, sentence) for ok, sentence in look(trial)]
        except HVAEError as error:
            findings.append(Finding(point, False, str(error)))
            break  # what the others would say follows from this
        findings += found
        if point in _FIRST and not all(finding.ok for finding in found):
            break
    name = getattr(model.config, "name", "") or model.config.label
    return Contract(str(name), tuple(findings))


Said = tuple[bool, str]
"""Whether a point is kept, and the sentence."""
Look = Callable[[Trial], Iterator[Said]]

_GREY = """p(x | z) is a Bernoulli and the images are grey: its numbers are then no
log-probabilities. Give hv.adapt prepare="binarise", or a function that makes pixels 0 and 1."""
_SEED = """the same seed gives other numbers: something in the network draws by itself. Common:
F.dropout without training=self.training, torch.randn in forward (the z that goes on must be what
hv.latent gave), a prepare= that draws. Draw by the marks alone; binary pixels come from
prepare="binarise". What else is amiss shows when this is mended."""
_BATCH = """an image has other numbers alone than in a batch: the network computes across images.
Common: BatchNorm with track_running_stats=False, F.batch_norm with training=True, a mean over axis
0. Scores would depend on who else is in the batch."""
_ORDER = """the order of the images changes their numbers: the network keeps something from one
image to the next. Nothing may be stored between images or calls."""
_COPY = """a copy of the network gives other numbers: it holds on to something outside of it, such
as a global or another network's layers. Keep all it needs in its attributes."""
_BLIND = """{name} changes with the image that the network is shown while every latent comes from
its prior: it reads the image by another way than through the latents, such as features of the
encoder, a z that was inferred and not what hv.prior gave, or q in the place of p. L>k is then no
bound, and samples are none: take p and p(x | z) from latents alone."""
_FINITE = """{name} is not finite for {lost} of {images} images at k = {k}; keep scales away from 0,
as by softplus(raw) + 1e-3, and check the weights."""
_KL = """the divergence of {name} in closed form is {gap:+.3g} nats from that of its draws: q or p
is not what its draws and densities say. A distribution of your own must have log_prob and
kl_divergence of the same law."""
_WEIGHTED = """at k = {k} the importance-weighted bound lies below the plain one, which no draws
from q allow: the log_prob of some q is not the density of its draws."""


def _fault(text: str, **values: object) -> Said:
    return False, " ".join(text.format(**values).split())


def _shapes(trial: Trial) -> Iterator[Said]:
    model, images = trial.model, len(trial.images)
    shape = "x".join(map(str, model.image_shape))
    trace = trial.traces()[0]
    if trace.likelihood.mean.shape[1:] != (images, *model.image_shape):
        yield _fault("p(x | z) is no distribution over {shape} pixels of each image.", shape=shape)
    else:
        yield True, f"images {shape}; {trial.names}; k = 0 to {model.n_levels - 1}."
    if any(part.training for part in model.modules() if part is not model):
        yield True, "the network is in training mode; here it runs in eval mode and is put back."
    if trial.half:
        yield (
            True,
            "weights are in half precision, which rounds every number to three digits; "
            "hv.adapt(net.float(), ...) keeps the weights and loses nothing more.",
        )
    counts = (b for name, b in model.named_buffers() if name.endswith("num_batches_tracked"))
    if any(not int(count) for count in counts):
        yield (
            True,
            "its BatchNorm saw no training batch yet: is this the trained network? Load its state "
            "dict before hv.adapt.",
        )


def _likelihood(trial: Trial) -> Iterator[Said]:
    kind, x = str(trial.model.config.likelihood), trial.model.as_seen(trial.x())
    if kind == "Bernoulli" and bool(((x > 0) & (x < 1)).any()):
        yield _fault(_GREY)
    elif kind in ("Normal", "Laplace", "Gaussian"):
        yield (
            True,
            f"a density ({kind}) of what the network sees: its nats are in that unit, and bits a "
            "dimension do not compare with those of grey levels.",
        )


def _finite(trial: Trial) -> Iterator[Said]:
    for trace in trial.traces():
        terms = {"log p(x | z)": trace.log_px}
        for i, spec in enumerate(trial.model.latents):
            terms[f"log q of {spec.name}"] = trace.log_q[i]
            terms[f"log p of {spec.name}"] = trace.log_p[i]
        for name, values in terms.items():
            lost = int((~values.isfinite()).any(0).sum())
            if lost:
                images = len(trial.images)
                yield _fault(_FINITE, name=name, lost=lost, images=images, k=trace.k)
                return
    yield True, "every term of every L>k is a finite number."


def _repeats(trial: Trial) -> Iterator[Said]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = trial.weights()
        torch.manual_seed(2)
        again = trial.weights()
    same = trial.same(first, again)
    yield (True, "the same seed gives the same numbers.") if same else _fault(_SEED)


def _alone(trial: Trial) -> Iterator[Said]:
    single = [trial.weights(trial.images.take([i])) for i in range(len(trial.images))]
    same = trial.same(torch.cat(single, -1), trial.weights())
    kept = True, "an image has the same numbers alone as in a batch."
    yield kept if same else _fault(_BATCH)


def _order(trial: Trial) -> Iterator[Said]:
    backwards = trial.images.take(range(len(trial.images) - 1, -1, -1))
    same = trial.same(trial.weights(backwards).flip(-1), trial.weights())
    yield (True, "the order of the images does not matter.") if same else _fault(_ORDER)


def _copies(trial: Trial) -> Iterator[Said]:
    same = trial.same(trial.weights(of=frozen(trial.model)), trial.weights())
    yield (True, "a copy gives the same numbers.") if same else _fault(_COPY)


def _blind(trial: Trial) -> Iterator[Said]:
    """The prior does not see the image: p is the same whatever is shown."""
    x, digests = trial.x(), trial.images.image_digests()
    some, other, black = (
        trial.model.from_prior(shown, noise=ImageNoise(digests, trial.seed))
        for shown in (x, x.flip(0), torch.zeros_like(x))
    )
    for name, values in some.items():
        if not (trial.close(values, other[name]) and trial.close(values, black[name])):
            yield _fault(_BLIND, name=name)
            return
    yield True, "p of every layer and p(x | z) do not see the image."
    if trial.model.source:
        yield (
            True,
            "samples are drawn with a black image as the input of forward, which runs on nothing "
            "else and does not read it.",
        )


def _elbo(trial: Trial) -> Iterator[Said]:
    """Each reported divergence against log q - log p of the draws themselves."""
    trace = trial.traces(samples=_SAMPLES)[0]
    for i, spec in enumerate(trial.model.latents):
        gap = (trace.log_q[i] - trace.log_p[i] - trace.kl[i]).double().mean(1)  # (S,)
        error = gap.std() / _SAMPLES**0.5 + 1e-3 + 1e-5 * trace.kl[i].abs().mean()
        if not gap.mean().abs() < _SIGMAS * error:
            yield _fault(_KL, name=spec.name, gap=float(gap.mean()))
            return
    yield True, "L>0 is the ELBO: each divergence is that of the draws."


def _weighting(trial: Trial) -> Iterator[Said]:
    """log (1/S) sum w of the draws against the mean of the terms of the plain bound."""
    for trace in trial.traces(samples=_SAMPLES):
        weights, terms = log_weights(trace).double(), bound_terms(trace).double()
        weighted = weights.logsumexp(0) - np.log(_SAMPLES)
        error = (terms.std(0) + (weights - terms).std(0)) / _SAMPLES**0.5 + 1e-3
        if not bool((weighted - terms.mean(0) > -_SIGMAS * error).all()):
            yield _fault(_WEIGHTED, k=trace.k)
            return
    yield True, f"importance weighting of {_SAMPLES} samples does not lower any L>k."


_POINTS: Sequence[tuple[str, Look]] = (
    ("shapes", _shapes),
    ("likelihood", _likelihood),
    ("finite", _finite),
    ("seed", _repeats),
    ("batch", _alone),
    ("order", _order),
    ("copy", _copies),
    ("prior", _blind),
    ("elbo", _elbo),
    ("weighting", _weighting),
)

"""The detector that users of scikit-learn expect: a model, a score, and a promised rate of alarms.

``fit`` takes held-out in-distribution images and learns nothing but their scores. If a new image
is drawn as they were, it is called out with probability at most ``alpha``, whatever model and score
(``conformal``). Higher ``score_samples`` and ``decision_function`` mean more normal, as
scikit-learn has it; ``scores`` are higher for more out of distribution, as everywhere else here.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from hvae_core.common.arrays import Floats, Shape
from hvae_core.data.given import Range, given_images, is_rows
from hvae_core.data.image_set import ImageSet
from hvae_core.data.prepare import parse_steps
from hvae_core.detection.detector_html import as_html
from hvae_core.detection.judging import Judging, Weights, judging, same_weights
from hvae_core.detection.overlap import overlaps, training_digests
from hvae_core.detection.ranked import Ranked
from hvae_core.detection.read import (
    BOUNDS,
    LEVELS,
    halves,
    material_of,
    score_columns,
    scores_asked,
)
from hvae_core.detection.rows import checked_rows
from hvae_core.detection.standard import PATH, By, standard_of
from hvae_core.detection.verdict import Judgement, judge
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.scores import Material, Score


class DetectorWarning(UserWarning):
    """Something that makes a promised false-alarm rate doubtful, in a sentence."""


class Detector(OutlierMixin, BaseEstimator):
    """An out-of-distribution detector by scores of a hierarchical VAE (HVK section 5).

    ``model`` is a checkpoint's name, the path or the bytes of its file, the folder of a run, a
    ``Checkpoint`` or a ``HierarchicalVAE``. ``by`` is "levels" for the verdict that pages give, by
    -L at both ends, all ratios LLR_{>k} and the path through the levels; "bounds" for the same
    without the path, "ratios" for the ratios alone; the key of a score, a ``Score``, or several of
    them. Several share one pass through the model and are decided by the calibrated harmonic mean
    of their p-values. Where a score fits a density to held-out images, as the path does, one half
    of them is fitted to and the other ranks; of too few for both the path has no say, which
    ``notes_`` then tells. (It is ``score`` in ``hv.detector``; here that name
    would stand for a method of scikit-learn's.) ``alpha`` is the rate of false alarms.

    Images are uint8 (N, C, H, W), an ``ImageSet``, a path, a list of files, or rows (N, pixels) of
    images of ``shape`` (C, H, W), in which one side may be -1. ``scale`` (black, white) says what
    values mean that are neither grey levels nor fractions; ``prepare`` names steps as in
    "invert,pad". ``training`` are the images that the model was trained on, where it cannot know
    them itself: some scores compare with them, and none of them may calibrate. ``settings`` are
    those of the bounds.

    After ``fit``: ``offset_`` (``score_samples`` below it are out), ``reference_`` the scores of
    the N held-out images that rank (N, K), ``keys_`` of the K scores, ``evaluation_`` the bounds of
    all held-out images, ``held_out_`` what densities were fitted to, ``model_name_`` and
    ``model_digest_``, and ``notes_`` on what decides and what makes the rate doubtful; the latter
    ``fit`` and the others also say as a ``DetectorWarning``.
    """

    held_out_: Material | None = None  # detectors that were pickled before there was one have none

    def __init__(
        self,
        model: Any,
        by: Any = LEVELS,
        alpha: float = 0.05,
        *,
        shape: Shape | None = None,
        scale: Range | None = None,
        prepare: str = "",
        training: Any = None,
        settings: EvalSettings | None = None,
    ) -> None:
        self.model = model
        self.by = by
        self.alpha = alpha
        self.shape = shape
        self.scale = scale
        self.prepare = prepare
        self.training = training
        self.settings = settings

    def fit(self, X: Any, y: Any = None) -> Self:
        """Take the scores of held-out images, which the model was not trained on; y is ignored."""
        known = self._judging(fitted=False)
        scores = scores_asked(self.by, known)
        images = self._images(X, known, reset=True)
        evaluation = known.evaluate(images, self.settings or EvalSettings())
        told: tuple[str, ...] = ()
        if self.by_verdict and self.by == LEVELS:
            standard = standard_of(evaluation.table, self.alpha)
            scores = scores_asked(standard.by, known)
            told = (standard.note,) if standard.note else ()
        # 1. The reference: one row a held-out image, one column a score.
        ranking, self.held_out_ = halves(
            scores, self._material(known, scores, images, evaluation=evaluation)
        )
        self.reference_ = score_columns(scores, ranking)
        self.keys_ = tuple(score.key for score in scores)
        self.evaluation_ = evaluation
        self.model_name_, self.model_digest_ = known.name, known.digest
        self.image_shape_, self.units_, self.levels_ = known.image_shape, known.units, known.levels
        # 2. What is below it is out: exactly where the p-value is at most alpha.
        self.offset_ = self._ranked.offset()
        # 3. What makes the promised rate doubtful.
        self.digests_ = np.unique(np.array(images.image_digests(), dtype=np.uint64))
        trained = training_digests(known, self._training(known))
        self.notes_ = (
            *images.notes,
            *told,
            *overlaps(images, trained, "those that the model was trained on, so it calls out too "
                      "many others: fit it to held-out images"),
        )  # fmt: skip
        if not np.isfinite(self.offset_):
            beside = (
                " beside those that a density is fitted to" if self.held_out_ is not None else ""
            )
            self.notes_ = (*self.notes_, self._ranked.too_few(beside))
        self._warn(self.notes_[len(images.notes) + len(told) :])
        return self

    def score_samples(self, X: Any) -> Floats:
        """(N,) numbers, higher for more normal: minus the score, or the p-value of several."""
        scores = self._scored(X)  # says so where it is not fitted
        return self._ranked.normal(scores)

    def decision_function(self, X: Any) -> Floats:
        """``score_samples`` less ``offset_``, (N,): below zero is out of distribution."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """(N,) of +1 for in distribution and -1 for out: -1 where the p-value is at most alpha."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: Any) -> Floats:
        """Conformal p-values (N,) (Havtorn et al. 2021, section 5), of several together.

        Of images drawn as the held-out ones, a share of at most alpha has a p-value up to alpha.
        """
        scores = self._scored(X)
        return self._ranked.p_values(scores)

    def scores(self, X: Any) -> dict[str, Floats]:
        """Every score (N,) by its key, higher for more out of distribution: one pass for all."""
        return dict(zip(self.keys_, self._scored(X).T, strict=True))

    def judgements(self, X: Any) -> list[Judgement]:
        """The verdict over all levels of every image, for ``detection.verdict.in_words``.

        It decides as a detector by "levels" does, or one by "bounds", as this one is fitted.
        """
        _, evaluation = self._evaluated(X)
        reference = self.evaluation_.table
        return [
            judge(
                evaluation.table.take([row]), reference, self.units_, levels=self.levels_,
                alpha=self.alpha, by=self._decided_by,
            )
            for row in range(len(evaluation))
        ]  # fmt: skip

    # --- how it does that ------------------------------------------------------------------------

    def _judging(self, *, fitted: bool = True) -> Judging:
        """The model, loaded once for each value of ``model``; after ``fit``, the same weights."""
        held: tuple[Any, Judging] | None = self.__dict__.get("_held")
        known = held[1] if held is not None and held[0] is self.model else judging(self.model)
        if known.live:  # its weights may have changed since
            now = judging(self.model)
            known = known if known.digest == now.digest else now
        self.__dict__["_held"] = (self.model, known)
        if fitted:
            same_weights(known, self.model_name_, self.model_digest_)
        return known

    def _images(self, X: Any, known: Judging, *, reset: bool) -> ImageSet:
        if is_rows(X):
            X = checked_rows(self, X, known.image_shape, shape=self.shape, reset=reset)
        return self._given(X, known)

    def _training(self, known: Judging) -> ImageSet | None:
        return None if self.training is None else self._given(self.training, known)

    def _given(self, values: Any, known: Judging) -> ImageSet:
        return given_images(
            values, known.image_shape, shape=self.shape, scale=self.scale,
            prepare=parse_steps(self.prepare),
        )  # fmt: skip

    def _material(
        self,
        known: Judging,
        scores: Sequence[Score],
        images: ImageSet,
        *,
        evaluation: Evaluation,
    ) -> Material:
        return material_of(
            known, scores, images, evaluation=evaluation, training=lambda: self._training(known)
        )

    def _evaluated(self, X: Any) -> tuple[ImageSet, Evaluation]:
        check_is_fitted(self)
        known = self._judging()
        images = self._images(X, known, reset=False)
        again = "those that it was fitted to, whose p-values mean nothing: judge others"
        self._warn(overlaps(images, frozenset(self.digests_.tolist()), again))
        return images, known.evaluate(images, self.evaluation_.settings)

    def _scored(self, X: Any) -> Floats:
        """Scores of the images (N, K), higher for more out of distribution."""
        images, evaluation = self._evaluated(X)
        known = self._judging()
        scores = scores_asked(self._decided_by if self.by_verdict else self.by, known)
        material = self._material(known, scores, images, evaluation=evaluation)
        return score_columns(scores, replace(material, held_out=self.held_out_))

    @property
    def by_verdict(self) -> bool:
        """Whether it decides as the verdict does, with or without the path."""
        return isinstance(self.by, str) and self.by in (LEVELS, BOUNDS)

    @property
    def _decided_by(self) -> By:
        """What decides since ``fit``, which looked at how many held-out images there are."""
        return "bounds" if self.by_verdict and PATH not in self.keys_ else "levels"

    @property
    def _ranked(self) -> Ranked:
        return Ranked(self.reference_, self.alpha, self.by_verdict)

    def _warn(self, sentences: Sequence[str]) -> None:
        for sentence in sentences:
            warnings.warn(DetectorWarning(sentence), stacklevel=3)

    # --- what scikit-learn, pickle and notebooks ask for -----------------------------------------

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Thresholds and the model's name and digest; its weights are not stored."""
        state = dict(cast("Mapping[str, Any]", super().__getstate__()))
        held = state.pop("_held", None)
        if not isinstance(self.model, str | Weights) and self.model is not None:
            known = held[1] if held else self._judging(fitted=False)
            path = str(known.path) if known.path else None
            state["model"] = path or Weights(known.name, known.digest)
        return state

    def __sklearn_clone__(self) -> Self:
        """Without what was fitted; the model is shared, which nothing here changes."""
        given = {key: deepcopy(value) for key, value in self.get_params(deep=False).items()
                 if key != "model"}  # fmt: skip
        return type(self)(self.model, **given)

    def _repr_html_(self) -> str:
        return as_html(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": as_html(self)}


def detector(
    model: Any,
    score: Any = LEVELS,
    alpha: float = 0.05,
    *,
    shape: Shape | None = None,
    scale: Range | None = None,
    prepare: str = "",
    training: Any = None,
    settings: EvalSettings | None = None,
) -> Detector:
    """An out-of-distribution detector with scikit-learn's conventions, to be fitted: ``Detector``.

    judged = hv.detector("glyphs-hvae3-elbo").fit(held_out).predict(images)   # +1 in, -1 out
    """
    return Detector(
        model, score, alpha, shape=shape, scale=scale, prepare=prepare, training=training,
        settings=settings,
    )  # fmt: skip

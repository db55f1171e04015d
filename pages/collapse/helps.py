"""What the headings of the collapse page say when they are asked."""

from __future__ import annotations

KL_HELP = (
    "Mean over the images of each layer's term in the bound, log q − log p, in closed form where "
    "there is one. With bottom-up inference only the top layer's term is a KL divergence in the "
    "strict sense. The terms of lower layers compare q(z | layers below) with p(z | layers above), "
    "and may even be negative (Havtorn et al. 2021, App. F). A layer counts as collapsed when its "
    "term is within the threshold of zero, in nats a unit."
)
UNITS_HELP = (
    "A unit is active when its posterior mean E[z | x] varies over the images by more than the "
    "threshold (Burda et al. 2016). Units are sorted by that variance."
)
BITS_HELP = (
    "−L>k bounds the bits that an image costs when only the layers above k see it; −log p(x | z>k) "
    "is the part paid for the pixels. A flat step means that what is skipped there knew nothing."
)
INFORMATION_HELP = (
    "I(x; z>k) is what the levels above k know of the image. It is the KL term E KL(q(z>k | x) || "
    "p(z>k)) less KL(q(z>k) || p(z>k)). Here q(z>k) is the posterior averaged over these images "
    "(Li et al. 2022, App. A.1). N images cannot show more than log N nats: a mark at the dotted "
    'line says "as much or more". Bars are 95 % intervals.'
)
CURVES_HELP = (
    "*active*: units whose posterior mean varies over the images by more than a threshold "
    "(Kuzina and Tomczak 2024, Eq. 23, 24). *collapsed*: units whose KL stays below eps for at "
    "least 1 − δ of the images (Lucas et al. 2019). The dotted line is the threshold chosen above."
)

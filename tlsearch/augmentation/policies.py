"""What the words light, strong and randaugment stand for, and a policy at a strength."""

from __future__ import annotations

import math

from tlsearch.config.policy import LIMITS, LONGEST_ASPECT, SMALLEST_CROP, Policy

LIGHT = Policy(name="as-light", rotation=15, zoom=0.1, shift=0.1)
STRONG = Policy(
    name="as-strong",
    rotation=30,
    zoom=0.25,
    shift=0.15,
    brightness=0.25,
    contrast=0.25,
    saturation=0.25,
)
# Two operations at magnitude 9: what Cubuk et al. 2020 found for a ResNet-50 on ImageNet.
RANDAUGMENT = Policy(name="as-randaugment", operations=2, magnitude=9)
BUILT_IN = {"light": LIGHT, "strong": STRONG, "randaugment": RANDAUGMENT}


def at_strength(policy: Policy, strength: float) -> Policy:
    """The policy with every range multiplied by `strength`, but none beyond its limit.

    How often photos are mirrored, and how many operations follow, stays as it is.
    """
    values: dict[str, float] = {
        key: min(limit, strength * getattr(policy, key)) for key, limit in LIMITS.items()
    }
    values["crop"] = max(SMALLEST_CROP, 1 - strength * (1 - policy.crop))
    values["aspect"] = math.exp(min(math.log(LONGEST_ASPECT), strength * math.log(policy.aspect)))
    return policy.model_copy(update=values)

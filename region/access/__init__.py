"""IAM's policy language and its evaluation. Pure: it knows neither requests nor tables.

:func:`compile_policy` reads a document, a :class:`Principal` carries identity policies, and a :class:`Case` holds
what all the policies say of one action of one principal on one resource; its ``decide`` gives the :class:`Decision`.
"""

from region.access.evaluation import Case, Decision
from region.access.pattern import Lookup, nothing
from region.access.policy import Policy, PolicyError, Statement, compile_policy
from region.access.principal import Principal
from region.access.wording import denial

__all__ = [
    "Case",
    "Decision",
    "Lookup",
    "Policy",
    "PolicyError",
    "Principal",
    "Statement",
    "compile_policy",
    "denial",
    "nothing",
]

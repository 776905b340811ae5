"""Who may do what: from a request to the actions and resources that it needs, and to a decision about each. Pure.

:class:`Guard` is asked once for each request, before anything is looked up for it; ``demands`` has one entry for every
operation; a :class:`Credential` is what a client signs with, and whose it is.
"""

from region.authorization.credential import Credential
from region.authorization.facts import Circumstances
from region.authorization.guard import Guard

__all__ = ["Circumstances", "Credential", "Guard"]

"""Python's side of Sextant: a logging handler, and cases as data frames.

    import logging, sextant
    logging.getLogger().addHandler(sextant.Handler("http://127.0.0.1:8514"))

    case = sextant.open_case("http://127.0.0.1:8514")
    case.query("event.outcome:failure | stats by (user.name) count() n")   # a pandas DataFrame

It needs nothing but Python's own library; pandas only where a frame is asked for.
"""

from .case import Case, QueryError, open_case
from .handler import Handler

__all__ = ["Case", "Handler", "QueryError", "open_case"]
__version__ = "0.1.0"

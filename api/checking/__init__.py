"""The operator's own check of a database: is everything that is stored what was signed, and what the entries lead to?"""

from api.checking.examination import examine
from api.checking.findings import Findings

__all__ = ["Findings", "examine"]

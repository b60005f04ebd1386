"""The operator's own check of a database: is everything that is stored what was signed, and what the entries lead to?"""

from api.check.examination import examine
from api.check.findings import Findings

__all__ = ["Findings", "examine"]

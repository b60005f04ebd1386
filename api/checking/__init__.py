"""The operator's own check of a database: is everything stored as it was signed, and as the entries lead to?"""

from api.checking.examination import examine
from api.checking.findings import Findings

__all__ = ["Findings", "examine"]

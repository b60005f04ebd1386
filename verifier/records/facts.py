"""The facts that pass from reading one entry's evidence to judging it: plain tuples, lists, texts and numbers, so that
they pass between processes cheaply and without pickling classes."""

from __future__ import annotations

from typing import NamedTuple

from verifier.bytes.encoding import Object
from verifier.errors import Refuted

DefectRow = tuple[str, str, str, str, str]
"""Code, sentence, field, expected, found."""

OTHER_VERSION = "OTHER_VERSION"
"""In place of a code: nothing is wrong, but this verifier cannot read it."""

ASKED = ("accounts", "customer_present", "from", "interaction_id", "permissions", "purpose", "to")
"""The members of an access that the rules look at once its form, its signature and its chain were checked."""


MAY_BE_ASKED = ("asserted", "region")
"""Those that may be absent."""


class Facts(NamedTuple):
    """The contents of an entry's evidence. `jti_key` and `payload_key` are 16-byte hashes of (iss, jti) and of the
    payload; `position` is that within a batch, -1 outside one. `behalf`: whom the signer `iss` acts for, empty if for
    itself. `content`: the act's members; of an access those `ASKED`, and of `MAY_BE_ASKED` those that are there."""

    act: str
    iss: str
    kid: str
    iat: int
    jti_key: bytes
    payload_key: bytes
    position: int
    relayed: bool
    content: Object
    outcome: Object | None
    assertion: Object | None
    behalf: str = ""

    @property
    def party(self) -> str:
        """The participant whose act it is: it must have the role, and be the party of the consent."""
        return self.behalf or self.iss

    @property
    def signed_act(self) -> str:
        """The act that the statement names."""
        return self.act if self.position < 0 else "access.batch"


class Found(NamedTuple):
    """The result for one entry: facts if its evidence could be read, and the defects."""

    facts: Facts | None
    defects: list[DefectRow]


def row_of(refusal: Refuted) -> DefectRow:
    """A refusal as plain texts."""
    defect = refusal.defect
    return (str(defect.code), defect.sentence, defect.place.field or "", defect.expected, defect.found)

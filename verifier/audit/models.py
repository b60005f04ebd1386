"""The models of a bundle: bytes with the hash that their name says, in their one form (docs/spec/risk.md, bundles.md)."""

from __future__ import annotations

from hashlib import sha256

from verifier.bytes.archive import Archive, Unreadable
from verifier.bytes.encoding import encode_base64url
from verifier.errors import Code, Defect, NotFound, Place, Refuted, refuted
from verifier.rules.findings import Findings
from verifier.rules.forest import MAX_MODEL, Forest, read_model


class Models:
    """Reads models out of a bundle."""

    def __init__(self, archive: Archive, findings: Findings) -> None:
        self._archive, self._findings = archive, findings

    def read(self, text: str) -> Forest | None:
        """The model whose bytes have this hash (base64url); None if it is not here or cannot be read, which is told."""
        path = f"models/{text}.json"
        try:
            # Step 4.3.
            data = self._archive.read(path, MAX_MODEL)
            if encode_base64url(sha256(data).digest()) != text:
                raise refuted(Code.BAD_ENCODING, "the model has another hash than its name says")
            return read_model(data)
        except NotFound:
            return None
        except Refuted as refusal:
            self._findings.refuse(refusal, file=path)
        except Unreadable as error:
            self._findings.add(Defect(Code.BAD_ENCODING, str(error), Place(file=path)))
        return None

"""A bundle's own words, which are manifest, checkpoint and policy; and the files that these imply, no more and no
fewer."""

from __future__ import annotations

import re

from verifier.audit.evidence_files import INDEXES_A_FILE, evidence_path, request_path
from verifier.audit.succession import verify_head
from verifier.bytes.archive import Archive, Unreadable
from verifier.bytes.encoding import Object, check_members, check_version, decode_canonical, get_integer, get_text
from verifier.bytes.growing_tree import WIDTH
from verifier.crypto.backend import Backend
from verifier.errors import CannotCheck, Code, Defect, NotFound, Place, Refuted, printable, refuted
from verifier.rules.findings import Findings
from verifier.tlog.note import MAX_NOTE
from verifier.tlog.policy import MAX_POLICY, PolicyHead
from verifier.tlog.tiles import parse_tile_path
from verifier.tlog.trust import Trust

FORMAT = "consent-ledger-bundle/1"
MAX_MISSING = 1_000
"""Entry bundles that may be missing, however few there are, for the others to be gone through."""
LEVELS = ("full", "partial", "none")
MODEL_PATH = re.compile(r"models/([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])\.json", re.ASCII)
_LINES_PATH = re.compile(r"(evidence|requests)/((?:x[0-9]{3}/)*[0-9]{3})\.jsonl\.gz", re.ASCII)
_PATH_OF = {"evidence": evidence_path, "requests": request_path}


def claimed_origin(archive: Archive) -> str:
    """The log of which a bundle says that it is: by its manifest, or, where that cannot be read, by its checkpoint. Nothing is
    verified. Raises CannotCheck."""
    try:
        return get_text(decode_canonical(archive.read("manifest.json", 4_096), 4_096), "origin", 255)
    except NotFound:
        raise CannotCheck(f"{archive.name} has no manifest.json: not a bundle") from None
    except (Refuted, Unreadable):
        return str(_without_manifest(archive)["origin"])


class Top:
    """Reads the three files; `head` is the verified checkpoint, None if it is not valid. Raises CannotCheck."""

    def __init__(self, archive: Archive, trust: Trust, backend: Backend, findings: Findings) -> None:
        self._archive, self._trust, self._backend, self._findings = archive, trust, backend, findings
        self.origin, self.size, self.level, self.created = "", 0, "none", 0
        self.head: PolicyHead | None = None
        self.models: list[str] = []
        """The files that are named as models are."""
        self._read()

    def _read(self) -> None:
        # Steps 2.1, 2.2.
        manifest = self._read_manifest()
        self.origin, self.size = get_text(manifest, "origin", 255), get_integer(manifest, "size")
        self.level, self.created = get_text(manifest, "evidence", 16), get_integer(manifest, "created")
        try:
            # Steps 3.1, 3.2.
            note = self._archive.read("checkpoint", MAX_NOTE)
            head, _ = verify_head(self._archive, note, self._trust, self._backend)
        except Refuted as refusal:
            self._findings.refuse(refusal, file="checkpoint")
        except NotFound:
            self._file(Code.BAD_PROOF, "the checkpoint is missing", "checkpoint", "a signed checkpoint", "none")
        except Unreadable as error:
            self._file(Code.BAD_ENCODING, str(error), "checkpoint", "", "")
        else:
            self.head = head
            checkpoint = head.head.checkpoint
            self._findings.checked["checkpoint signatures"] += len(head.head.log) + len(head.head.cosignatures)
            # Step 3.3.
            if checkpoint.origin != self.origin:
                self._file(
                    Code.BAD_SIGNATURE,
                    "the checkpoint is of another log than the manifest",
                    "manifest.json",
                    checkpoint.origin,
                    self.origin,
                    "origin",
                )
                self.origin = checkpoint.origin
            if checkpoint.size != self.size:
                self._file(
                    Code.BAD_PROOF,
                    "the manifest names another size than the checkpoint",
                    "manifest.json",
                    checkpoint.size,
                    self.size,
                    "size",
                )
                self.size = checkpoint.size
        self._compare_policy()

    def _read_manifest(self) -> Object:
        try:
            manifest = decode_canonical(self._archive.read("manifest.json", 4_096), 4_096)
            check_version(manifest, "the bundle")
            if get_text(manifest, "format", 64) != FORMAT:
                raise CannotCheck(
                    f"the bundle has a format this verifier does not know: {printable(manifest['format'])}"
                )
            check_members(manifest, {"created", "evidence", "format", "origin", "size", "v"})
            get_integer(manifest, "created")
            get_integer(manifest, "size", 1)
            get_text(manifest, "origin", 255)
            if manifest["evidence"] not in LEVELS:
                raise refuted(
                    Code.BAD_ENCODING,
                    "an unknown level of evidence",
                    field="evidence",
                    expected=", ".join(LEVELS),
                    found=manifest["evidence"],
                )
        except NotFound:
            raise CannotCheck(f"{self._archive.name} has no manifest.json: not a bundle") from None
        except Unreadable as error:
            self._file(Code.BAD_ENCODING, str(error), "manifest.json", "", "")
            return _without_manifest(self._archive)
        except Refuted as refusal:
            # Size, origin and level stand in the signed checkpoint or can be assumed at their strictest.
            self._findings.refuse(refusal, file="manifest.json")
            return _without_manifest(self._archive)
        return manifest

    def _compare_policy(self) -> None:
        try:
            theirs = self._archive.read("policy", MAX_POLICY)
        except NotFound:
            self._file(Code.BAD_ENCODING, "a file of the bundle is missing", "policy", "a tlog-policy", "none")
            return
        except Unreadable as error:
            self._file(Code.BAD_ENCODING, str(error), "policy", "", "")
            return
        # Step 4.2.
        vkeys = [key.vkey.encode("utf-8") for key in self._trust.policy.logs]
        if not any(vkey in theirs for vkey in vkeys):
            self._findings.notice(
                Defect(
                    Code.POLICY_REJECTED,
                    "the exporter's policy names other log keys than yours",
                    Place(file="policy"),
                )
            )

    def names_are_complete(self) -> bool:
        """Exactly the files that a tree of this size implies. False if too few of its entries are there to read them
        one by one: a checkpoint may name any size, and the files that were handed over bound the work."""
        for name, sentence in self._archive.oddities():
            self._file(Code.BAD_ENCODING, sentence, printable(name), "", "")
        present = 0
        for name in self._archive.names():
            try:
                # Step 4.1.
                present += self._is_entry_bundle(name)
            except Refuted as refusal:
                self._findings.refuse(refusal, file=printable(name))
        wanted = -(-self.size // WIDTH)
        if wanted - present <= max(MAX_MISSING, present):
            return True
        self._file(
            Code.BAD_ENCODING, "most entry bundles are missing: no entry was looked at", "tile/entries", wanted, present
        )
        return False

    def _is_entry_bundle(self, name: str) -> bool:
        """Whether it is an entry bundle; Refuted if the file does not belong here."""
        if name in ("manifest.json", "checkpoint", "policy"):
            return False
        if MODEL_PATH.fullmatch(name):  # whether it belongs is known when the log was read
            self.models.append(name)
            return False
        named = _LINES_PATH.fullmatch(name)
        if named is not None and self.level == "none":
            raise refuted(
                Code.BAD_ENCODING,
                "evidence in a bundle whose manifest says that it has none",
                expected="no evidence file",
            )
        if named is not None:
            n = int(named[2].replace("x", "").replace("/", ""))
            if name == _PATH_OF[named[1]](n) and n * INDEXES_A_FILE < self.size:
                return False
        elif name.startswith("tile/"):
            level, n, width = parse_tile_path(name)
            if level != "data":
                total = self.size >> (8 * (0 if level == "entries" else int(level)))
                if width == min(WIDTH, max(0, total - n * WIDTH)):
                    return level == "entries"
        raise refuted(Code.BAD_ENCODING, "a file that does not belong to a bundle of this size")

    def _file(
        self,
        code: Code,
        sentence: str,
        file: str,
        expected: object,
        found: object,
        field: str | None = None,
    ) -> None:
        self._findings.add(Defect(code, sentence, Place(file=file, field=field), printable(expected), printable(found)))


def _without_manifest(archive: Archive) -> Object:
    """What the checkpoint says instead, signed by nobody yet. Raises CannotCheck."""
    try:
        lines = archive.read("checkpoint", MAX_NOTE).decode("utf-8", "replace").split("\n")
    except (NotFound, Unreadable):
        raise CannotCheck("neither manifest nor checkpoint can be read") from None
    if len(lines) < 2 or not (lines[1].isascii() and lines[1].isdigit() and len(lines[1]) < 16 and int(lines[1])):
        raise CannotCheck("neither manifest nor checkpoint can be read")
    return {"origin": lines[0][:255], "size": int(lines[1]), "evidence": "full", "created": 0}

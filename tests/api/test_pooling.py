"""Who has copies, or pools them: two recipients who put together all that they can get, and a stranger with statements."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations

import pytest

from ledger.canonical import b64u
from ledger.merkle.edge import Edge
from tests.api.service import Service, TokenClient
from tests.devices import RP_ID, Device
from tests.world import ConsentInWorld, Party, Submission, record_index_head, reference

CUSTOMERS = ("x", "y")
TIMES = re.compile(r"1\d{9}(\d{3})?")
"""When something happened is told to all who took part in it; that two things happened at one time is no name."""


@dataclass
class Customer:
    """A person at the bank: one reference of the bank's own, one passkey, another pseudonym for each recipient."""

    reference: str = field(default_factory=reference)
    device: Device = field(default_factory=Device)


@dataclass
class Scene:
    """One bank, two recipients, two customers; each customer has a consent with each recipient, on the same terms."""

    service: Service
    bank: Party
    recipients: dict[str, Party]
    customers: dict[str, Customer]
    consents: dict[tuple[str, str], ConsentInWorld]
    submissions: dict[tuple[str, str], list[Submission]]
    """By (recipient, customer): everything that was submitted about their consent."""


@pytest.fixture
def scene(sqlite_service: Service) -> Scene:
    service, world = sqlite_service, sqlite_service.world
    bank, recipients = world.holder(), {name: world.recipient(f"tpp-{name}") for name in ("a", "b")}
    customers = {name: Customer() for name in CUSTOMERS}
    for customer in customers.values():
        device = customer.device
        enrolled = bank.enrol(
            customer.reference, credential_id=device.credential_id, public_key=device.public_key, rp_id=RP_ID
        )
        world.record(enrolled)
    scene = Scene(service, bank, recipients, customers, {}, {})
    for name, recipient in recipients.items():
        for who, customer in customers.items():
            consent, asked = recipient.request(bank)
            consent = replace(consent, customer=customer.reference)
            world.record(asked)
            given = replace(bank.authorise(consent), assertion=customer.device.agree(consent))
            world.record(given)
            access, batch = recipient.access(consent), recipient.batch([recipient.item(consent)])
            [decided] = world.record(access)
            world.record(batch)
            release, receipt = bank.leg("release", consent, decided), recipient.leg("receive", consent, decided)
            suspended, resumed = bank.step("suspend", consent), bank.step("resume", consent)
            for submission in (release, receipt, suspended, resumed):
                world.record(submission)
            scene.consents[name, who] = consent
            scene.submissions[name, who] = [asked, given, access, batch, release, receipt, suspended, resumed]
    record_index_head(service.node.ledger)
    return scene


def _tokens(text: str) -> Iterator[str]:
    """All words and values in a text, and in what it encloses: JSON in JSON, JWS, anything in base64."""
    for token in set(re.findall(r"[A-Za-z0-9+/_=-]{6,}", text.replace('\\"', '"'))):
        yield token
        for part in {token, token.strip("=")}:
            try:
                inner = base64.urlsafe_b64decode(part.replace("+", "-").replace("/", "_") + "=" * (-len(part) % 4))
                opened = inner.decode()
            except (binascii.Error, ValueError):
                continue
            if opened.startswith("{"):
                yield from _tokens(opened)


def _ask_everything(scene: Scene, caller: TokenClient, consent: ConsentInWorld, submissions: list[Submission]) -> str:
    """Every answer, with its headers, that a caller gets to questions about one consent and its entries."""
    service, told = scene.service, []

    def note(method: str, path: str, *, token: bool = True, **kwargs: object) -> str:
        send = caller.request if token else service.http.request
        answer = send(method, path, **kwargs)  # type: ignore[arg-type, operator]
        headers = {name: value for name, value in answer.headers.items() if name != "date"}
        told.append(json.dumps(headers) + answer.text)
        return answer.text

    history = json.loads(note("GET", f"/consents/{consent.consent_id}/history?limit=100"))
    indexes = [entry["index"] for entry in history.get("entries", ())]
    for path, operations in service.http.get("/openapi.json").json()["paths"].items():
        if "get" not in operations or "tile" in path or path in {"/openapi.json", "/docs"}:
            continue
        if re.search(r"\{(index|name)\}", path):
            addresses = [re.sub(r"\{\w+\}", str(index), path) for near in indexes for index in (near, near + 1)]
        elif "{" in path:
            addresses = [re.sub(r"\{\w+\}", consent.consent_id, path)]
        else:
            continue  # not about one consent
        for address in addresses:
            note("GET", address)
    for entry in history.get("entries", ()):  # what was read is submitted again, with a token and without
        for statement in _statements(json.dumps(entry)):
            for submission in submissions:
                if submission.statement == statement:
                    for token in (True, False):
                        note("POST", submission.path, token=token, json={"statement": statement})
    return "\n".join(told)


def _statements(text: str) -> set[str]:
    return set(re.findall(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", text))


def _events(caller: TokenClient, consent: ConsentInWorld) -> str:
    """The events about one consent, opened."""
    sets = caller.request("POST", "/events/poll", json={"maxEvents": 100, "returnImmediately": True}).json()["sets"]
    return "\n".join(token for token in sets.values() if consent.consent_id in "".join(_tokens(token)))


def _public(scene: Scene) -> set[str]:
    """What everybody can read or compute: the tree's hashes, the log's name and keys, the participants."""
    http = scene.service.http
    size = scene.service.size
    tile = http.get(f"/tile/0/000.p/{size}").content
    leaves = [tile[at : at + 32] for at in range(0, len(tile), 32)]
    found: set[str] = set()
    for first, last in combinations(range(size + 1), 2):
        root = Edge().grow(leaves[first:last]).root
        found |= {b64u(root), base64.b64encode(root).decode()}
    for path in ("/log", "/checkpoint", "/participants", "/jwks", "/events/jwks"):
        found |= set(_tokens(http.get(path).text))
    return found


def _joins(pools: dict[tuple[str, str], set[str]], public: set[str]) -> set[str]:
    """Values that both recipients have about one customer and neither has about the other."""
    joins: set[str] = set()
    for one, other in (CUSTOMERS, CUSTOMERS[::-1]):
        joins |= (pools["a", one] & pools["b", one]) - pools["a", other] - pools["b", other] - public
    return {value for value in joins if not TIMES.fullmatch(value)}


def test_two_recipients_who_pool_all_they_can_get_cannot_tell_that_a_customer_is_one_person(scene: Scene) -> None:
    """Every route, answer, event, receipt and header; what was read is submitted again."""
    service = scene.service
    pools: dict[tuple[str, str], set[str]] = {}
    for (name, who), consent in scene.consents.items():
        callers = {one: service.as_(party) for one, party in scene.recipients.items()}
        told = _ask_everything(scene, callers[name], consent, scene.submissions[name, who])
        strange = next(caller for one, caller in callers.items() if one != name)
        told += _ask_everything(scene, strange, consent, scene.submissions[name, who])
        told += _events(callers[name], consent)
        pools[name, who] = set(_tokens(told))
        assert consent.subject in pools[name, who]  # the eyes work: the pseudonym is seen
    assert _joins(pools, _public(scene)) == set()


def test_a_banks_own_entries_do_link_its_customers(scene: Scene) -> None:
    """The same eyes on the holder's answers: a test that could find nothing would prove nothing."""
    bank = scene.service.as_(scene.bank)
    pools = {
        key: set(_tokens(_ask_everything(scene, bank, consent, scene.submissions[key])))
        for key, consent in scene.consents.items()
    }
    known = {value for one in scene.customers.values() for value in (one.reference, one.device.credential_id)}
    assert known <= _joins(pools, _public(scene))


def test_a_recipient_gets_the_banks_word_without_the_customers_passkey(scene: Scene) -> None:
    consent, customer = scene.consents["a", "x"], scene.customers["x"]
    reader = scene.service.as_(scene.recipients["a"])
    history = reader.get(f"/consents/{consent.consent_id}/history").json()["entries"]
    [given] = [entry for entry in history if entry["act"] == "consent.authorise"]
    authorised = scene.submissions["a", "x"][1]
    assert (given["statement"], given["outcome"]["status"]) == (authorised.statement, "ACTIVE")
    assert not {"evidence", "opening"} & given["receipt"].keys()
    assert customer.device.credential_id not in json.dumps(history)
    alone = reader.get(f"/receipts/{given['index']}").json()
    assert alone == given["receipt"]
    holder = scene.service.as_(scene.bank).get(f"/receipts/{given['index']}").json()
    assert customer.device.credential_id in holder["evidence"]


def test_a_recipient_that_repeats_the_banks_authorisation_gets_no_companion(scene: Scene) -> None:
    """Security review, S1: the companion holds the bank's own reference, the same for every recipient."""
    authorised = scene.submissions["a", "x"][1]
    again = scene.service.post(Submission(authorised.path, authorised.statement))
    assert again.status_code == 200
    assert [entry["act"] for entry in again.json()["entries"]] == ["consent.authorise"]
    assert scene.customers["x"].reference not in "".join(_tokens(again.text))


@pytest.mark.parametrize("token", [False, True])
def test_a_stranger_with_copies_of_statements_reads_nothing_with_them(scene: Scene, token: bool) -> None:
    """A proxy's log: whole submissions, companion, items and all. Their repeats say where the entries are, and no more."""
    stranger = scene.service.as_(scene.service.world.recipient("stranger"))
    size = scene.service.size
    for submission in scene.submissions["a", "x"]:
        headers = stranger.headers("POST", submission.path) if token else {}
        again = scene.service.http.post(submission.path, json=submission.envelope, headers=headers)
        assert again.status_code == 200
        assert all(entry.keys() == {"act", "consent_id", "index"} for entry in again.json()["entries"])
        for entry in again.json()["entries"]:
            assert stranger.get(f"/receipts/{entry['index']}").status_code == 404
    assert scene.service.size == size


def test_the_signer_of_a_repeated_statement_reads_its_first_receipt_again(scene: Scene) -> None:
    """The way back after a lost answer: where the entries are, then each receipt with one's own token."""
    authorised = scene.submissions["a", "x"][1]
    again = scene.service.post(authorised)
    first, beside = again.json()["entries"]
    assert (first["act"], beside["act"]) == ("consent.authorise", "subject.consent")
    assert again.headers["location"] == f"/receipts/{first['index']}"
    bank = scene.service.as_(scene.bank)
    for entry, statement in ((first, authorised.statement), (beside, authorised.companion)):
        assert json.loads(bank.get(f"/receipts/{entry['index']}").json()["evidence"])["statements"] == [statement]


def test_a_recipient_that_is_an_auditor_too_reads_no_leaves(sqlite_service: Service) -> None:
    """Beside each authorisation stands a leaf of the customer's own chain: whoever reads leaves can join customers."""
    both = sqlite_service.world.join("tpp-both", "auditor", "recipient", "regulator")
    reader = sqlite_service.as_(both)
    for path in ("/tile/entries/000.p/1", "/bundle"):
        assert reader.get(path).status_code == 403
    opening = {"case": "case-1", "from_index": 0, "to_index": 0}
    assert reader.request("POST", "/bundles", json=opening).status_code == 403

"""The certificates: each link must hold, and what is no chain is refused by name."""

from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.domain.evidence import EvidenceError, Fault, read_chain, verify_chain
from oracle.domain.evidence.chain import (
    MAX_CERTIFICATES,
    MAX_CHAIN_BYTES,
    _authorities,
    forget_authorities,
)
from tests.oracle.evidence.forge import (
    DEVICE,
    FIRMWARE,
    LEAF,
    LINKS,
    MODEL,
    PROVISIONER,
    ROOT,
    Chain,
    forge_chain,
    pem_of,
)
from tests.oracle.evidence.samples import NOW, sample

CHAIN = forge_chain()


def refused(chain: Chain, at: int = NOW, root: bytes | None = None) -> tuple[Fault, str]:
    """Why a chain is refused."""
    with pytest.raises(EvidenceError) as caught:
        verify_chain(read_chain(chain.pem), at, root or chain.root)
    return caught.value.fault, str(caught.value)


def test_a_whole_chain() -> None:
    leaf, device = verify_chain(read_chain(CHAIN.pem), NOW, CHAIN.root)

    assert leaf.key.public_numbers() == CHAIN.keys[LEAF].public_key().public_numbers()
    assert device.key.public_numbers() == CHAIN.keys[DEVICE].public_key().public_numbers()
    assert (device.name, device.serial) == ("GH100 A01 GSP BROM", "4100")
    assert leaf.firmware == FIRMWARE


def test_the_real_root_is_the_pinned_one() -> None:
    root = x509.load_pem_x509_certificate(sample("device_root.pem").read_bytes())
    assert verify_chain.__defaults__ == (root.fingerprint(SHA256()),)


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        (LEAF, {"authority": True}, "certificate 0 is not for signing reports"),
        (LEAF, {"signs_data": False}, "certificate 0 is not for signing reports"),
        (LEAF, {"has_usage": False}, "certificate 0 is not for signing reports"),
        (LEAF, {"issuer": "another"}, "certificate 0 is not signed by the next one"),
        (DEVICE, {"authority": None}, "certificate 1 may not sign certificates"),
        (DEVICE, {"authority": False}, "certificate 1 may not sign certificates"),
        (DEVICE, {"signs_certificates": False}, "certificate 1 may not sign certificates"),
        (DEVICE, {"issuer": "another"}, "certificate 1 is not signed by the next one"),
        (PROVISIONER, {"authority": None}, "certificate 2 may not sign certificates"),
        (PROVISIONER, {"has_usage": False}, "certificate 2 may not sign certificates"),
        (PROVISIONER, {"path_length": 0}, "certificate 2 allows 0 authorities below it, not 1"),
        (MODEL, {"path_length": 1}, "certificate 3 allows 1 authorities below it, not 2"),
        (MODEL, {"issuer": "another"}, "certificate 3 is not signed by the next one"),
        (ROOT, {"path_length": 2}, "certificate 4 allows 2 authorities below it, not 3"),
        (ROOT, {"signs_certificates": False}, "certificate 4 may not sign certificates"),
        (LEAF, {"curve": ec.SECP256R1()}, "certificate 0 is not ECDSA on P-384"),
        (PROVISIONER, {"curve": ec.SECP256R1()}, "certificate 2 is not ECDSA on P-384"),
        (MODEL, {"digest": SHA256()}, "certificate 3 is not ECDSA on P-384 with SHA-384"),
        (
            DEVICE,
            {"more": ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b""), True),)},
            "certificate 1 has a critical extension 1.2.3",
        ),
    ],
)
def test_each_broken_link_is_named(place: int, change: dict[str, Any], words: str) -> None:
    fault, message = refused(forge_chain({place: change}))
    assert fault is Fault.BROKEN_CHAIN
    assert words in message


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (DEVICE, {"path_length": 0}),
        (PROVISIONER, {"path_length": 1}),
        (ROOT, {"path_length": 3}),
        (LEAF, {"authority": False}),
    ],
)
def test_limits_that_just_fit(place: int, change: dict[str, Any]) -> None:
    chain = forge_chain({place: change})
    verify_chain(chain.ders, NOW, chain.root)


@pytest.mark.parametrize("place", range(5))
def test_each_certificate_must_be_valid_at_the_time(place: int) -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    first, last = int(start.timestamp()), int(end.timestamp())
    chain = forge_chain({place: {"start": start, "end": end}})

    for time in (first, last):
        verify_chain(chain.ders, time, chain.root)
    for time in (first - 1, last + 1, -(10**18), 10**18):
        fault, message = refused(chain, time)
        assert fault is Fault.EXPIRED
        assert "is valid from" in message
    # that the authorities are kept does not keep the time they were asked for
    verify_chain(chain.ders, first, chain.root)


def test_another_root_is_refused() -> None:
    assert refused(CHAIN, root=forge_chain().root)[0] is Fault.UNKNOWN_ROOT
    # the same name and the same key, but another certificate
    again = forge_chain({ROOT: {"path_length": 7}}, keys=dict(enumerate(CHAIN.keys)))
    assert refused(again, root=CHAIN.root)[0] is Fault.UNKNOWN_ROOT


@pytest.mark.parametrize("place", range(4))
def test_a_certificate_of_another_chain_is_refused(place: int) -> None:
    ders = list(CHAIN.ders)
    ders[place] = forge_chain().ders[place]
    assert refused(Chain(tuple(ders), ()), root=CHAIN.root)[0] is Fault.BROKEN_CHAIN


@pytest.mark.parametrize("place", range(3))
def test_swapped_certificates_are_refused(place: int) -> None:
    ders = list(CHAIN.ders)
    ders[place : place + 2] = reversed(ders[place : place + 2])
    assert refused(Chain(tuple(ders), ()))[0] is Fault.BROKEN_CHAIN


def test_a_chain_without_a_link_is_refused() -> None:
    for place in range(4):
        ders = CHAIN.ders[:place] + CHAIN.ders[place + 1 :]
        assert refused(Chain(ders, ()))[0] is Fault.BROKEN_CHAIN


def test_a_chain_without_its_root_is_refused() -> None:
    assert refused(Chain(CHAIN.ders[:4], ()), root=CHAIN.root)[0] is Fault.UNKNOWN_ROOT


def test_only_chains_that_hold_are_kept() -> None:
    forget_authorities()
    for _ in range(3):
        refused(forge_chain({MODEL: {"authority": None}}))
        refused(forge_chain(), root=CHAIN.root)
    assert _authorities.cache_info().currsize == 0

    for _ in range(3):  # two cards of one model share what stands above them
        card = forge_chain(keys=dict(enumerate(CHAIN.keys)))
        verify_chain((*card.ders[:2], *CHAIN.ders[2:]), NOW, CHAIN.root)
    assert _authorities.cache_info().currsize == 1


def malformed(pem: bytes) -> str:
    with pytest.raises(EvidenceError) as caught:
        read_chain(pem)
    assert caught.value.fault is Fault.MALFORMED_CHAIN
    return str(caught.value)


def test_pem_is_read_exactly() -> None:
    assert read_chain(CHAIN.pem) == CHAIN.ders
    assert read_chain(CHAIN.pem.rstrip()) == CHAIN.ders
    assert read_chain(CHAIN.pem.replace(b"\n", b"\r\n")) == CHAIN.ders


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (b"", "0 certificates"),
        (b"garbage", "no certificate in PEM at byte 0"),
        (b"\n" + CHAIN.pem, "no certificate in PEM at byte 0"),
        (CHAIN.pem + b"x", f"no certificate in PEM at byte {len(CHAIN.pem):,}"),
        (CHAIN.pem + b"\0", "no certificate in PEM"),
        (CHAIN.pem[:-10], "no certificate in PEM"),
        (CHAIN.pem.replace(b"CERTIFICATE", b"PRIVATE KEY"), "no certificate in PEM"),
        (CHAIN.pem.replace(b"M", b"=M", 1), "no base64 at byte 0"),
        (pem_of(CHAIN.ders[:2]), "2 certificates where 3 to 8 are needed"),
        (pem_of(CHAIN.ders[:1] * (MAX_CERTIFICATES + 1)), "9 certificates"),
        (CHAIN.pem + b"\n" * MAX_CHAIN_BYTES, "more than any card sends"),
    ],
    ids=range(11),
)
def test_what_is_no_chain_in_pem(pem: bytes, words: str) -> None:
    assert words in malformed(pem)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("tail", [b"\0", b"0"])
def test_bytes_behind_a_certificate_are_refused(place: int, tail: bytes) -> None:
    ders = [*CHAIN.ders]
    ders[place] += tail
    with pytest.raises(EvidenceError, match=f"certificate {place} can't be read") as caught:
        verify_chain(ders, NOW, CHAIN.root)
    assert caught.value.fault is Fault.MALFORMED_CHAIN


def verify_anything(ders: list[bytes]) -> None:
    """No other error than the named one may leave."""
    with suppress(EvidenceError):
        assert verify_chain(ders, NOW, CHAIN.root)
        assert tuple(ders) == CHAIN.ders


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_changed_certificates_are_refused_by_name(data: st.DataObject) -> None:
    ders = [bytearray(der) for der in CHAIN.ders]
    place = data.draw(st.integers(0, len(LINKS) - 2))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(ders[place]) - 1))
        ders[place][at] = data.draw(st.integers(0, 255))
    verify_anything([bytes(der) for der in ders])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, len(LINKS) - 2))
def test_garbage_is_refused_by_name(garbage: bytes, place: int) -> None:
    ders = [*CHAIN.ders]
    ders[place] = garbage
    verify_anything(ders)
    with suppress(EvidenceError):
        read_chain(garbage)
    armoured = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
    with suppress(EvidenceError):
        read_chain(armoured % garbage * 3)
    with suppress(EvidenceError):
        verify_chain(read_chain(armoured % b64encode(garbage) * 3), NOW, CHAIN.root)

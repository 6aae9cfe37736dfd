"""Signature recovery: what the contracts refuse is refused here."""

import pytest
from eth_account import Account

from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.domain.recovery import MAX_S, checksum, recover
from oracle.errors import Unauthorized

DIGEST = bytes(range(32))
ORDER = 2 * MAX_S + 1


@pytest.fixture(scope="module")
def signer() -> KeystoreSigner:
    return KeystoreSigner(Account.from_key(b"\x07" * 32))


def test_signer_is_recovered(signer: KeystoreSigner) -> None:
    assert recover(DIGEST, signer.sign(DIGEST)) == signer.address
    assert recover(DIGEST, signer.sign(DIGEST)) == Account.from_key(b"\x07" * 32).address


def test_other_digest_gives_another_key(signer: KeystoreSigner) -> None:
    assert recover(bytes(32), signer.sign(DIGEST)) != signer.address


def test_high_s_is_refused(signer: KeystoreSigner) -> None:
    good = signer.sign(DIGEST)
    s = ORDER - int.from_bytes(good[32:64], "big")
    twin = good[:32] + s.to_bytes(32, "big") + bytes([55 - good[64]])
    with pytest.raises(Unauthorized, match="upper half"):
        recover(DIGEST, twin)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_other_v_is_refused(signer: KeystoreSigner, v: int) -> None:
    with pytest.raises(Unauthorized, match="27 or 28"):
        recover(DIGEST, signer.sign(DIGEST)[:64] + bytes([v]))


@pytest.mark.parametrize("length", [0, 64, 66, 130])
def test_other_length_is_refused(length: int) -> None:
    with pytest.raises(Unauthorized, match="65 bytes"):
        recover(DIGEST, bytes(length))


def test_no_point_of_the_curve_is_refused() -> None:
    with pytest.raises(Unauthorized, match="no point"):
        recover(DIGEST, bytes(64) + b"\x1b")


def test_checksum_follows_eip_55() -> None:
    example = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert checksum(bytes.fromhex(example[2:].lower())) == example

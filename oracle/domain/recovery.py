"""Who signed: ECDSA public key recovery on secp256k1 (SEC 1, section 4.1.6)."""

from coincurve import PublicKey

from oracle.domain.hashing import keccak
from oracle.errors import Unauthorized

SIGNATURE_BYTES = 65
# order of secp256k1, halved: a larger s is the malleable twin of a smaller one (EIP-2)
MAX_S = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0

_REMEDY = "Sign the EIP-712 digest with the registered key: 65 bytes r, s, v, low s, v 27 or 28."


def recover(digest: bytes, signature: bytes) -> str:
    """Return the checksum address (EIP-55) whose key signed the 32-byte `digest`.

    Raises `Unauthorized` for anything that the contracts would not accept either: another
    length than 65 bytes, v other than 27 or 28, high s, numbers that are no signature.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise Unauthorized(f"a signature has 65 bytes, this one {len(signature)}", _REMEDY)
    v = signature[64]
    if v not in (27, 28):
        raise Unauthorized(f"v of a signature is 27 or 28, this one's is {v}", _REMEDY)
    if int.from_bytes(signature[32:64], "big") > MAX_S:
        raise Unauthorized("the signature's s is in the upper half of the order", _REMEDY)
    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + bytes([v - 27]), digest, hasher=None
        )
    except Exception as error:  # coincurve raises bare Exception and ValueError alike
        raise Unauthorized("the signature is no point of the curve", _REMEDY) from error
    return address_of(key)


def address_of(key: PublicKey) -> str:
    """The checksum address of a public key: the last 20 bytes of keccak(x || y)."""
    return checksum(keccak(key.format(compressed=False)[1:])[12:])


def checksum(address: bytes) -> str:
    """The EIP-55 spelling of a 20-byte address."""
    digits = address.hex()
    case = keccak(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(bit, 16) >= 8 else digit
        for digit, bit in zip(digits, case, strict=False)
    )

"""A key in an encrypted keystore file (the Web3 Secret Storage format, version 3)."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from coincurve import PrivateKey
from eth_account import Account
from eth_account.signers.local import LocalAccount

from oracle.domain.recovery import address_of, checksum
from oracle.errors import BadInput, Misconfigured


class KeystoreSigner:
    """A decrypted key in this process's memory; `repr` and logs show its address only."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account
        self._key = PrivateKey(bytes(account.key))
        self.address = address_of(self._key.public_key)

    def __repr__(self) -> str:
        return f"KeystoreSigner({self.address})"

    @classmethod
    def load(cls, path: Path, password_file: Path) -> "KeystoreSigner":
        """Decrypt the keystore at `path`; raises `Misconfigured` where that fails."""
        keystore = _read(path, "keystore", "Create one with `clearwork keys new`.")
        password = _read(password_file, "password file", "Name the file with the password.").strip()
        try:
            return cls(Account.from_key(Account.decrypt(json.loads(keystore), password)))
        except (ValueError, KeyError, TypeError) as error:
            raise Misconfigured(
                f"cannot decrypt {path}: {error}",
                f"Check that {password_file} holds the password of this keystore.",
            ) from error

    @classmethod
    def create(cls, path: Path, password_file: Path) -> "KeystoreSigner":
        """Make a key from the system's randomness and store it encrypted, readable to its owner.

        A password is drawn and written where `password_file` does not exist. Raises
        `BadInput` where `path` exists: a key is never overwritten.
        """
        if path.exists():
            raise BadInput(f"{path} exists", "Choose another path: a key is never overwritten.")
        if not password_file.exists():
            _write_private(password_file, secrets.token_urlsafe(32) + "\n")
        password = password_file.read_text().strip()
        account = Account.create(secrets.token_bytes(32))
        _write_private(path, json.dumps(Account.encrypt(account.key, password)))
        return cls(account)

    def sign(self, digest: bytes) -> bytes:
        """See `Signer.sign`."""
        raw = self._key.sign_recoverable(digest, hasher=None)
        return raw[:64] + bytes([27 + raw[64]])

    def sign_transaction(self, tx: dict[str, Any]) -> bytes:
        """See `Signer.sign_transaction`."""
        return bytes(self._account.sign_transaction(tx).raw_transaction)


def address_in(path: Path) -> str:
    """The checksum address a keystore file names, without its password."""
    keystore = json.loads(_read(path, "keystore", "Create one with `clearwork keys new`."))
    try:
        return checksum(bytes.fromhex(keystore["address"].removeprefix("0x")))
    except (KeyError, TypeError, ValueError) as error:
        raise Misconfigured(f"{path} is no keystore", "Name a version 3 keystore file.") from error


def _read(path: Path, what: str, remedy: str) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise Misconfigured(f"cannot read the {what} {path}: {error.strerror}", remedy) from error


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)

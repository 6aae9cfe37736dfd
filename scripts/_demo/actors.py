"""The demo's people: keys derived from the public test mnemonic, keystores under build/demo."""

import json
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from scripts._anvil import test_key

PASSWORD = "demo"
# index of each actor's key on the mnemonic; the oracles' are those of params/local.yaml
ORACLES = (1, 2, 3, 4)
INDEX = {
    "deployer": 0,
    "honest provider": 5,
    "honest operator key": 6,
    "cheating provider": 7,
    "cheating operator key": 8,
    "customer": 9,
    "delegator": 10,
    "watcher": 11,
    "subnet owner": 12,
    "first validator": 13,
    "second validator": 14,
}
# cheap on purpose: these keys are public
KDF_ROUNDS = 1_024


@dataclass(frozen=True, slots=True)
class Actor:
    """A key of the demo and the keystore file its process reads."""

    name: str
    account: LocalAccount
    keystore: Path
    password_file: Path

    @property
    def address(self) -> str:
        """Checksum address."""
        return str(self.account.address)

    def key_options(self) -> list[str]:
        """Command-line options that hand this key to a `clearwork` process."""
        return ["--keystore", str(self.keystore), "--password-file", str(self.password_file)]


def cast(folder: Path) -> dict[str, Actor]:
    """Write all keystores into `folder` and return the actors by name."""
    folder.mkdir(parents=True, exist_ok=True)
    password_file = folder / "password"
    password_file.write_text(PASSWORD)
    names = {**INDEX, **{f"oracle {i}": key for i, key in enumerate(ORACLES, start=1)}}
    actors = {}
    for name, index in names.items():
        account = test_key(index)
        keystore = folder / f"{name.replace(' ', '-')}.json"
        encrypted = Account.encrypt(account.key, PASSWORD, kdf="pbkdf2", iterations=KDF_ROUNDS)
        keystore.write_text(json.dumps(encrypted))
        actors[name] = Actor(name, account, keystore, password_file)
    return actors

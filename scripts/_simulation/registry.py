"""Who is entered in the registry, as which class and until when: DeviceRegistry's rules."""

from dataclasses import dataclass, field, replace

from oracle.domain.epochs import LiveDevice
from oracle.domain.market import DeviceEntry
from oracle.domain.messages import Result
from scripts._simulation.money import Account

# DeviceRegistry.MAX_EPOCH_LAG
MAX_EPOCH_LAG = 3


@dataclass(slots=True)
class Registry:
    """Entries by device id. Times are chain time in seconds."""

    attestation_period: int
    # class => base units behind one device
    stake_per_device: dict[int, int]
    accounts: dict[int, Account]
    entries: dict[bytes, DeviceEntry] = field(default_factory=dict)
    records: int = 0
    _epochs: dict[bytes, int] = field(default_factory=dict)
    _newest: int = 0

    def record(self, result: Result, epoch: int, now: int) -> bool:
        """Enter or renew a device; whether the contract takes it."""
        account = self.accounts[result.provider]
        if now < account.jailed_until or epoch <= self._epochs.get(result.device, -1):
            return False
        if epoch + MAX_EPOCH_LAG < self._newest:
            return False
        others = sum(
            self.stake_per_device[entry.device_class]
            for device, entry in self.entries.items()
            if entry.provider == result.provider and device != result.device
        )
        if account.stake < others + self.stake_per_device[result.device_class]:
            return False
        self._newest, self._epochs[result.device] = max(self._newest, epoch), epoch
        self.records += 1
        self.entries[result.device] = DeviceEntry(
            result.provider, result.device_class, result.ops_per_second,
            result.memory_mb, now + self.attestation_period, result.struct_hash(),
        )  # fmt: skip
        return True

    def revoke(self, device: bytes) -> None:
        """Strike a device whose commit was proved false."""
        entry = self.entries.get(device)
        if entry is not None:
            self.entries[device] = replace(entry, attested_until=0)

    def live(self, until: int) -> list[LiveDevice]:
        """Devices that are entered until chain time `until` at least, as an epoch pays them."""
        return [
            LiveDevice(
                device, entry.provider, entry.ops_per_second,
                jailed=until < self.accounts[entry.provider].jailed_until,
            )
            for device, entry in self.entries.items()
            if entry.attested_until >= until
        ]  # fmt: skip

    def entry(self, device: bytes, now: int) -> DeviceEntry | None:
        """A device's entry, while it lasts."""
        entry = self.entries.get(device)
        return entry if entry is not None and entry.attested_until > now else None

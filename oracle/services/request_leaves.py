"""The watcher's side of leaf requests: ask for what an agent withholds, execute what nobody shows.

What is open, paid, returned and lost is read from the logs, so a restart forgets nothing that is
younger than `LOOK_BACK`. Bonds are spent up to a budget; without one nothing is asked for. No
provider may cost more than a share of it, or one that shows its leaves only on chain would live on
the bonds, and leave none to ask others with.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import structlog
from web3.exceptions import Web3Exception

from oracle.adapters.chain import leaf_requests
from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.filings import SignedCommit
from oracle.adapters.chain.leaf_requests import (
    CONTRACT,
    BondTakenBack,
    LeafRequest,
    LeafShown,
    Place,
    RequestExecuted,
    RequestLog,
)
from oracle.adapters.signer import Signer
from oracle.domain.messages import Domain
from oracle.errors import ClearworkError, Transient
from oracle.services.filing import Filer

log = structlog.get_logger()

# seconds of chain time whose requests are read at the start, and whose lost bonds count
LOOK_BACK = 7 * 86_400
# leaves of one provider cost this part of the budget at most
PROVIDER_SHARE = 8
# reasons of LeafRequests after which asking again is no use
FINAL = ("commit is too old", "commit convicted before")
# and after which another leaf is to be asked for: this one was, before `LOOK_BACK` or just now
TAKEN = "requested before"
KIND = "withheld_opening"
OUTCOME = "SlashingCourt", "Convicted"


class Asked(Enum):
    """What became of asking for a leaf on chain."""

    LATER = auto()
    """It may not be asked for now; the reason was logged."""
    OPEN = auto()
    """It was asked for, by us or by somebody else, and not shown yet."""
    SHOWN = auto()
    """It was shown, and its answer handed out by `LeafRequester.look`."""
    OVER = auto()
    """No leaf of this commit can be asked for any more."""


@dataclass(frozen=True, slots=True)
class Bonds:
    """Base units of the staked token that this watcher's requests cost since `LOOK_BACK`."""

    paid: int = 0
    returned: int = 0
    # to providers that showed the leaf, and burnt
    lost: int = 0


@dataclass(slots=True)
class LeafRequester:
    """Requests of everybody, and the bonds of one key.

    `budget` is in base units: what may be held, or be lost within `LOOK_BACK`. None: nothing is
    asked for. Of it, one provider may have a part in `PROVIDER_SHARE`, and one bond in any case.
    """

    chain: Chain
    filer: Filer
    budget: int | None = None
    _log: RequestLog = field(init=False)
    _known: dict[Place, LeafRequest] = field(default_factory=dict)
    _ended: set[Place] = field(default_factory=set)
    _returned: dict[Place, int] = field(default_factory=dict)
    # answers that were handed out for an audit
    _seen: set[Place] = field(default_factory=set)
    # commits and requests of which it was said why nothing is sent
    _noticed: set[bytes | Place] = field(default_factory=set)
    _caught_up: bool = False

    def __post_init__(self) -> None:
        self._log = RequestLog(self.chain, LOOK_BACK)

    @property
    def bonds(self) -> Bonds:
        """What requests cost, by the logs."""
        own = {place: request.bond for place, request in self._known.items() if self._is_own(place)}
        returned = {place: self._returned.get(place, 0) for place in own}
        lost = sum(own[place] - returned[place] for place in own if place in self._ended)
        return Bonds(sum(own.values()), sum(returned.values()), lost)

    def look(self) -> Iterator[LeafRequest | tuple[LeafRequest, LeafShown]]:
        """Everybody's new requests, and new answers with what was asked.

        Raises `Transient` where the chain does not answer; what was not handed out then comes
        with the next look.
        """
        for entry in self._log.look():
            place = entry.place
            if isinstance(entry, LeafRequest):
                if place not in self._known:
                    yield entry
                    self._known[place] = entry
                continue
            if place not in self._known:
                # asked for before `LOOK_BACK`
                continue
            self._returned[place] = max(entry.returned, self._returned.get(place, 0))
            if isinstance(entry, BondTakenBack):
                continue
            if isinstance(entry, LeafShown) and place not in self._seen:
                yield self._known[place], entry
                self._seen.add(place)
            if isinstance(entry, RequestExecuted) and place not in self._ended:
                self._note(entry)
            self._ended.add(place)
        self._forget()
        self._caught_up = True

    def _forget(self) -> None:
        """Forget what ended and is older than `LOOK_BACK`: its bond was lost long enough ago."""
        if not self._ended:
            return
        since = self.chain.timestamp() - LOOK_BACK
        for place in [each for each in self._ended if self._known[each].deadline < since]:
            del self._known[place]
            self._ended.remove(place)
            self._seen.discard(place)
            self._returned.pop(place, None)

    def _note(self, end: RequestExecuted) -> None:
        """Count what somebody else's execution has earned us since this process started."""
        if self._caught_up and end.reporter is not None and self._is_us(end.reporter):
            receipt = self.chain.receipt(end.transaction)
            self.filer.note(KIND, self._offender(self._known[end.place]), receipt, OUTCOME)

    def ask(
        self, shown: SignedCommit, roots: Sequence[bytes], round_index: int, index: int
    ) -> Asked:
        """Ask for a leaf on chain, unless somebody has: only this leaf counts, as whoever hides
        another one can ask for a true one itself.

        Raises `Transient` where the chain does not answer.
        """
        registry = self.chain.deployment.address("DeviceRegistry")
        digest = shown.commit.digest(Domain(self.chain.chain_id, registry))
        place = digest, round_index, index
        if place in self._known:
            return self._stage(place)
        provider = shown.commit.provider
        if not self.filer.is_worth(provider):
            return Asked.LATER
        bond = int(self.chain.read(CONTRACT, "bond_of", provider))
        signer, why_not = self.filer.signer, self._why_not(bond, provider)
        if signer is None or why_not:
            leaf = f"leaf {index} of round {round_index}"
            reason = why_not or "no key"
            self._notice(digest, "would ask on chain", leaf=leaf, bond=bond, reason=reason)
            return Asked.LATER
        try:
            self._allow(signer, bond)
            call = leaf_requests.request_open(self.chain, shown, roots, round_index, index, bond)
            receipt = self.filer.send(signer, call)
        except Transient:
            raise
        except (ClearworkError, Web3Exception) as error:
            self._notice(digest, "not asked for on chain", provider=provider, reason=str(error))
            if TAKEN in str(error):
                return Asked.SHOWN
            return Asked.OVER if any(reason in str(error) for reason in FINAL) else Asked.LATER
        request = leaf_requests.from_receipt(self.chain, receipt)
        self._known[request.place] = request
        log.info("asked for on chain", provider=provider, round=round_index, leaf=index, bond=bond)
        return Asked.OPEN

    def _stage(self, place: Place) -> Asked:
        if place not in self._ended:
            return Asked.OPEN
        # what nobody showed has convicted
        return Asked.SHOWN if place in self._seen else Asked.OVER

    def _notice(self, about: bytes | Place, event: str, **details: object) -> None:
        """Log it once about a commit or a request, not with every look."""
        if about not in self._noticed:
            log.warning(event, **details)
        self._noticed.add(about)

    def _why_not(self, bond: int, provider: int) -> str:
        if self.budget is None:
            return "no budget for bonds"
        left = self.budget - self._spent()
        if bond > left:
            return f"{left} of the budget for bonds are left"
        # not what others' requests have raised it to
        one_bond = int(self.chain.read(CONTRACT, "BOND"))
        left = max(self.budget // PROVIDER_SHARE, one_bond) - self._spent(provider)
        return f"{left} of the provider's share of it are left" if bond > left else ""

    def _spent(self, provider: int | None = None) -> int:
        """Base units that are held or lost, for leaves of one provider or of all."""
        return sum(
            request.bond - self._returned.get(place, 0)
            for place, request in self._known.items()
            if self._is_own(place) and provider in (None, request.commit.provider)
        )

    def _allow(self, signer: Signer, bond: int) -> None:
        """Let the contract pull the budget, once."""
        spender = self.chain.contract(CONTRACT).address
        owner = self.chain.w3.to_checksum_address(signer.address)
        if self.chain.read("WorkToken", "allowance", owner, spender) < bond:
            approve = self.chain.contract("WorkToken").functions.approve
            self.filer.send(signer, approve(spender, self.budget))

    def execute_due(self) -> None:
        """Execute our own requests after their deadline, and everybody's when it is for us.

        `ANSWER_PERIOD` after the deadline the reporter is whoever executes.
        """
        signer = self.filer.signer
        waiting = [each for place, each in self._known.items() if place not in self._ended]
        if signer is None or not waiting:
            return
        now = self.chain.timestamp()
        grace = int(self.chain.read(CONTRACT, "ANSWER_PERIOD"))
        for request in waiting:
            convicted = self.chain.read("SlashingCourt", "cases", request.place[0]).kind != 0
            if self._is_own(request.place):
                due = convicted or now >= request.deadline
            else:
                due = (
                    not convicted
                    and now >= request.deadline + grace
                    and self.filer.is_worth(request.commit.provider)
                )
            if due and leaf_requests.is_open(self.chain, request):
                self._execute(signer, request)

    def _execute(self, signer: Signer, request: LeafRequest) -> None:
        """Execute a request; the next look does it again if that fails."""
        offender = self._offender(request)
        try:
            job = self.filer.victim_job(request.commit.provider)
            receipt = self.filer.send(signer, leaf_requests.execute(self.chain, request, job))
        except Transient:
            raise
        except (ClearworkError, Web3Exception) as error:
            self._notice(request.place, "not executed", offender=offender, reason=str(error))
        else:
            self.filer.note(KIND, offender, receipt, OUTCOME)

    def _offender(self, request: LeafRequest) -> str:
        return f"provider {request.commit.provider}"

    def _is_own(self, place: Place) -> bool:
        return self._is_us(self._known[place].requester)

    def _is_us(self, account: str) -> bool:
        signer = self.filer.signer
        return signer is not None and account.lower() == signer.address.lower()

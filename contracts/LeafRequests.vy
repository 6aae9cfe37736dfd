# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Leaf requests
@license Apache-2.0
@author Clearwork
@notice Forces a leaf that a provider hides into the open. A provider signs a commit that binds
        billions of matrix entries, and shows some of them to whom it likes. Whoever was refused
        one asks for it here, with a bond. Anyone who has the leaf shows it: its bytes and path
        go into the log, where everybody can recompute them and convict what is false. If
        nobody shows it in time, the provider is convicted of withholding it, which costs what
        a false entry does.

        A provider that shows its leaves loses nothing. The bond of a request that is answered
        in time is paid to it, so that a flood of requests pays its victim; a late answer still
        ends the request, but the bond goes back. One more open request to the same provider
        costs one `BOND` more, and all above the first is burnt by an answer: neither a flood
        nor a provider that asks itself, to make everybody else's requests dear or to leave no
        room for them, is cheap.
@dev This contract holds bonds only: `bonds` times `BOND` for every open request. They are paid
     in a token without hooks that refuses no receiver.

     A request is about a commit no older than `REQUEST_EPOCHS`. The epoch is part of what the
     provider signed and the clock is the chain's, so neither side can move that bound; the
     constructor checks that an agent that forgets commits after `KEEP_EPOCHS` still has it at
     the deadline, and that stake which began to leave with the commit is still there then.

     For another `ANSWER_PERIOD` after the deadline the requester is the reporter, whoever
     executes; later it is who executes. So a request that its own author leaves lying, an
     accomplice of the provider for instance, protects no leaf.

     Trust: the court, to convict whom it should and nobody else. Nobody owns this contract.
@custom:security security@clearwork.example
@custom:kill The owner of the court empties its REQUESTS role. From then on nothing is asked
             for and nobody is convicted by silence; requesters take their bonds back.
"""

from ethereum.ercs import IERC20

from .interfaces import IDeviceRegistry
from .interfaces import ILeafRequests
from .interfaces import IProviderRegistry
from .interfaces import ISlashingCourt
from .interfaces import IWorkToken
from .modules import epoch_clock
from .modules import leaf_tree
from .modules import request_word
from .modules import signed_commits

implements: ILeafRequests

initializes: epoch_clock

exports: (
    # clock
    epoch_clock.GENESIS,
    epoch_clock.EPOCH_LENGTH,
)


# what the court was deployed with, and who may report to it (modules/delayed_roles.vy)
interface Court:
    def REGISTRY() -> address: view
    def PROVIDERS() -> address: view
    def STAKING() -> address: view
    def role_holder(role: bytes32) -> address: view


# modules/epoch_clock.vy, on the epoch ledger
interface Clock:
    def GENESIS() -> uint256: view
    def EPOCH_LENGTH() -> uint256: view


interface Staking:
    def UNBONDING_PERIOD() -> uint256: view


# the role of this contract on the court
REQUESTS: constant(bytes32) = keccak256("REQUESTS")

# epochs for which a provider's agent keeps what it committed to
KEEP_EPOCHS: public(constant(uint256)) = 48
# requests to one provider that may be open at once
MAX_OPEN: public(constant(uint256)) = 64
MAX_PERIOD: constant(uint256) = 30 * 86_400
MAX_BOND: constant(uint256) = 2**96 - 1
SIGNATURE_BYTES: constant(uint256) = signed_commits.SIGNATURE_BYTES
MAX_ROUNDS: constant(uint256) = signed_commits.MAX_ROUNDS
LEAF_ENTRIES: constant(uint256) = leaf_tree.LEAF_ENTRIES
MAX_DEPTH: constant(uint256) = leaf_tree.MAX_DEPTH

# the staked token, which bonds are made of
TOKEN: public(immutable(IERC20))
# convicts
COURT: public(immutable(ISlashingCourt))
# defines what a provider signs
REGISTRY: public(immutable(IDeviceRegistry))
# knows every key that ever spoke for a provider, and where it is paid
PROVIDERS: public(immutable(IProviderRegistry))
# base units that a request costs while no other one is open
BOND: public(immutable(uint256))
# seconds in which a leaf has to be shown
ANSWER_PERIOD: public(immutable(uint256))
# epochs after its own in which a leaf of a commit can be asked for
REQUEST_EPOCHS: public(immutable(uint256))

# hash of commit digest, round, leaf and root => packed request (modules/request_word.vy)
words: HashMap[bytes32, uint256]
# provider => requests that nobody has answered or executed
open_requests: public(HashMap[uint24, uint256])


@deploy
def __init__(
    token: IERC20,
    court: ISlashingCourt,
    ledger: Clock,
    bond: uint256,
    answer_period: uint256,
    request_epochs: uint256,
):
    """
    @param token the staked token: reverts on failure, has no hooks, can be burnt
    @param court convicts; its REQUESTS role is this contract's
    @param ledger the clock that epochs are counted by
    @param bond base units that a request costs while no other one is open: somewhat more than
           the gas and the work of an answer
    @param answer_period seconds in which a leaf has to be shown, at most 30 days
    @param request_epochs epochs after its own in which a leaf of a commit can be asked for
    """
    assert token.address != empty(address), "leaf_requests: no token"
    assert court.address != empty(address), "leaf_requests: no court"
    assert ledger.address != empty(address), "leaf_requests: no ledger"
    assert bond != 0 and bond <= MAX_BOND, "leaf_requests: bond out of bounds"
    assert (
        answer_period != 0 and answer_period <= MAX_PERIOD
    ), "leaf_requests: answer period out of bounds"
    epoch_clock.__init__(staticcall ledger.GENESIS(), staticcall ledger.EPOCH_LENGTH())
    epoch_length: uint256 = epoch_clock.EPOCH_LENGTH
    assert request_epochs < KEEP_EPOCHS and (request_epochs + 1) * epoch_length + answer_period <= (
        KEEP_EPOCHS * epoch_length
    ), "leaf_requests: agents forget sooner"
    constants: Court = Court(court.address)
    staking: Staking = Staking(staticcall constants.STAKING())
    assert (request_epochs + 1) * epoch_length + 2 * answer_period < (
        staticcall staking.UNBONDING_PERIOD()
    ), "leaf_requests: stake leaves sooner"
    TOKEN = token
    COURT = court
    REGISTRY = IDeviceRegistry(staticcall constants.REGISTRY())
    PROVIDERS = IProviderRegistry(staticcall constants.PROVIDERS())
    BOND = bond
    ANSWER_PERIOD = answer_period
    REQUEST_EPOCHS = request_epochs


# --- anyone -------------------------------------------------------------------------------


@external
def request_open(
    commit: IDeviceRegistry.Commit,
    signature: Bytes[SIGNATURE_BYTES],
    roots: DynArray[bytes32, MAX_ROUNDS],
    round_index: uint256,
    index: uint256,
    max_bond: uint256,
) -> bytes32:
    """
    @notice Ask a provider for a leaf that it committed to. Pulls `bond_of` the provider from
            the caller: it comes back if nobody shows the leaf in time.
    @param commit the provider's word, of an epoch that began and ended at most
           `REQUEST_EPOCHS` ago, and not convicted yet
    @param signature an operator signature over it (r, s, v)
    @param roots roots of all rounds, in order
    @param round_index whose product the leaf is of, from 0
    @param index number of the leaf, from 0
    @param max_bond base units that the caller pays at most: others may have asked meanwhile
    @return id of the request: each leaf is asked for once
    """
    epoch: uint64 = epoch_clock._current_epoch()
    assert commit.epoch <= epoch, "leaf_requests: commit of an epoch to come"
    assert (
        convert(epoch - commit.epoch, uint256) <= REQUEST_EPOCHS
    ), "leaf_requests: commit is too old"
    assert (
        staticcall Court(COURT.address).role_holder(REQUESTS) == self
    ), "leaf_requests: court does not listen"
    digest: bytes32 = staticcall REGISTRY.commit_digest(commit)
    assert not self._is_convicted(digest), "leaf_requests: commit convicted before"
    provider: uint24 = commit.provider
    assert signed_commits._is_signed(
        PROVIDERS, provider, digest, signature
    ), "leaf_requests: not signed by the provider"
    depth: uint256 = self._depth(commit)
    assert index >> depth == 0, "leaf_requests: no such leaf"
    root: bytes32 = self._root_of(commit, roots, round_index)
    id: bytes32 = self._id(digest, round_index, index, root)
    assert self.words[id] == 0, "leaf_requests: requested before"

    others: uint256 = self.open_requests[provider]
    assert others < MAX_OPEN, "leaf_requests: too many open requests"
    bond: uint256 = (others + 1) * BOND
    assert bond <= max_bond, "leaf_requests: bond is more than the caller pays"
    deadline: uint64 = convert(block.timestamp + ANSWER_PERIOD, uint64)
    self.open_requests[provider] = others + 1
    self.words[id] = request_word._pack(
        ILeafRequests.Request(
            requester=msg.sender,
            provider=provider,
            deadline=deadline,
            depth=convert(depth, uint8),
            bonds=convert(others + 1, uint8),
            stage=request_word.OPEN,
        )
    )
    assert extcall TOKEN.transferFrom(
        msg.sender, self, bond, default_return_value=True
    ), "leaf_requests: token refused the bond"
    log ILeafRequests.LeafRequested(
        commit_digest=digest,
        provider=provider,
        requester=msg.sender,
        commit=commit,
        signature=signature,
        roots=roots,
        round_index=round_index,
        index=index,
        bond=bond,
        deadline=deadline,
    )
    return id


@internal
@view
def _is_convicted(commit_digest: bytes32) -> bool:
    return (staticcall COURT.cases(commit_digest)).kind != 0


@internal
@pure
def _depth(commit: IDeviceRegistry.Commit) -> uint256:
    """
    @return depth levels of the tree above the leaves of one product
    """
    entries: uint256 = convert(commit.m, uint256) * convert(commit.n, uint256)
    for depth: uint256 in range(MAX_DEPTH + 1):
        if LEAF_ENTRIES << depth == entries:
            return depth
    raise "leaf_requests: dimensions make no tree"


@internal
@pure
def _root_of(
    commit: IDeviceRegistry.Commit, roots: DynArray[bytes32, MAX_ROUNDS], round_index: uint256
) -> bytes32:
    """
    @return root of one round of the commit
    """
    assert len(roots) == convert(commit.rounds, uint256), "leaf_requests: not one root per round"
    assert round_index < len(roots), "leaf_requests: no such round"
    final_seed: bytes32 = signed_commits._chain_seeds(commit.seed, roots, round_index)[1]
    assert final_seed == commit.final_seed, "leaf_requests: roots of another commit"
    return roots[round_index]


@internal
@pure
def _id(commit_digest: bytes32, round_index: uint256, index: uint256, root: bytes32) -> bytes32:
    """
    @dev The root follows from the rest. As part of the id it need not be stored.
    """
    return keccak256(abi_encode(commit_digest, round_index, index, root))


@external
def answer(
    commit_digest: bytes32,
    round_index: uint256,
    index: uint256,
    root: bytes32,
    leaf: Bytes[LEAF_ENTRIES],
    path: DynArray[bytes32, MAX_DEPTH],
):
    """
    @notice Show a leaf that was asked for. Anyone may, as long as the request was not executed.
            Before the deadline the provider's payout address gets one `BOND`, afterwards the
            requester does; what the request cost above that is burnt.
    @param commit_digest EIP-712 digest of the commit
    @param round_index as requested
    @param index as requested
    @param root of that round
    @param leaf 128 folded entries
    @param path siblings from the leaf up to the root
    """
    id: bytes32 = self._id(commit_digest, round_index, index, root)
    request: ILeafRequests.Request = self._open_request(id)
    assert len(leaf) == LEAF_ENTRIES, "leaf_requests: leaf is not 128 bytes"
    assert len(path) == convert(
        request.depth, uint256
    ), "leaf_requests: path does not fit the matrix"
    assert leaf_tree._root(leaf, index, path) == root, "leaf_requests: leaf is not in the root"

    self._close(id, request, request_word.SHOWN)
    paid: uint256 = 0
    returned: uint256 = 0
    burnt: uint256 = 0
    if request.bonds != 0:
        if block.timestamp < convert(request.deadline, uint256):
            paid = BOND
            self._push(staticcall PROVIDERS.payout_of(request.provider), paid)
        else:
            returned = BOND
            self._push(request.requester, returned)
        burnt = self._held(request) - BOND
    if burnt != 0:
        extcall IWorkToken(TOKEN.address).burn(burnt)
    log ILeafRequests.LeafShown(
        commit_digest=commit_digest,
        provider=request.provider,
        requester=request.requester,
        round_index=round_index,
        index=index,
        leaf=leaf,
        path=path,
        paid=paid,
        returned=returned,
        burnt=burnt,
    )


@internal
@view
def _open_request(id: bytes32) -> ILeafRequests.Request:
    request: ILeafRequests.Request = request_word._unpack(self.words[id])
    assert request.stage == request_word.OPEN, "leaf_requests: no such open request"
    return request


@internal
def _close(id: bytes32, request: ILeafRequests.Request, stage: uint8):
    """
    @notice End a request, whose bond leaves with it.
    """
    closed: ILeafRequests.Request = request
    closed.stage = stage
    closed.bonds = 0
    self.words[id] = request_word._pack(closed)
    self.open_requests[request.provider] -= 1


@internal
@view
def _held(request: ILeafRequests.Request) -> uint256:
    """
    @return bond base units held for a request
    """
    return convert(request.bonds, uint256) * BOND


@internal
def _push(receiver: address, amount: uint256):
    assert extcall TOKEN.transfer(
        receiver, amount, default_return_value=True
    ), "leaf_requests: token refused to pay"


@external
def execute(
    commit: IDeviceRegistry.Commit,
    signature: Bytes[SIGNATURE_BYTES],
    round_index: uint256,
    index: uint256,
    root: bytes32,
    job: uint64,
):
    """
    @notice End a request that nobody answered: the requester gets its bond back, and the
            provider is convicted of a withheld opening. The reporter is the requester, and
            `ANSWER_PERIOD` after the deadline the caller. Where the commit was convicted
            before, for whatever reason, the bond goes back at once and that is all.
    @param commit what was asked about
    @param signature an operator signature over it (r, s, v)
    @param round_index as requested
    @param index as requested
    @param root of that round
    @param job accepted or running job of that provider whose customer is paid first; 0 for
           none
    """
    digest: bytes32 = staticcall REGISTRY.commit_digest(commit)
    id: bytes32 = self._id(digest, round_index, index, root)
    request: ILeafRequests.Request = self._open_request(id)
    convicts: bool = not self._is_convicted(digest)
    reporter: address = request.requester
    if convicts:
        deadline: uint256 = convert(request.deadline, uint256)
        assert block.timestamp >= deadline, "leaf_requests: provider may still show the leaf"
        if block.timestamp >= deadline + ANSWER_PERIOD:
            reporter = msg.sender
    self._close(id, request, request_word.EXECUTED)
    returned: uint256 = self._held(request)
    if returned != 0:
        self._push(request.requester, returned)
    if convicts:
        extcall COURT.convict_withheld(commit, signature, reporter, job)
    log ILeafRequests.RequestExecuted(
        commit_digest=digest,
        provider=request.provider,
        requester=request.requester,
        round_index=round_index,
        index=index,
        returned=returned,
        convicted=convicts,
        reporter=reporter if convicts else empty(address),
    )


# --- requester ----------------------------------------------------------------------------


@external
def take_back(commit_digest: bytes32, round_index: uint256, index: uint256, root: bytes32):
    """
    @notice Requester: take the bond of a request that nobody executes, `ANSWER_PERIOD` after
            its deadline. The request stays open: it can still be answered and executed.
    @dev A court without its roles convicts nobody, and must keep no bond for that.
    @param commit_digest EIP-712 digest of the commit
    @param round_index as requested
    @param index as requested
    @param root of that round
    """
    id: bytes32 = self._id(commit_digest, round_index, index, root)
    request: ILeafRequests.Request = self._open_request(id)
    assert msg.sender == request.requester, "leaf_requests: caller is not the requester"
    assert (
        block.timestamp >= convert(request.deadline, uint256) + ANSWER_PERIOD
    ), "leaf_requests: too early to take the bond back"
    returned: uint256 = self._held(request)
    assert returned != 0, "leaf_requests: bond was taken back"
    request.bonds = 0
    self.words[id] = request_word._pack(request)
    self._push(msg.sender, returned)
    log ILeafRequests.BondTakenBack(
        commit_digest=commit_digest,
        provider=request.provider,
        requester=msg.sender,
        round_index=round_index,
        index=index,
        returned=returned,
    )


# --- views --------------------------------------------------------------------------------


@external
@view
def bond_of(provider: uint24) -> uint256:
    """
    @notice Base units of the staked token that the next request to a provider costs.
    @param provider who is asked
    """
    return (self.open_requests[provider] + 1) * BOND


@external
@view
def requests(
    commit_digest: bytes32, round_index: uint256, index: uint256, root: bytes32
) -> ILeafRequests.Request:
    """
    @notice A request; all zero where there is none.
    @param commit_digest EIP-712 digest of the commit
    @param round_index of the leaf
    @param index number of the leaf
    @param root of that round
    """
    return request_word._unpack(self.words[self._id(commit_digest, round_index, index, root)])

# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Provider registry
@license Apache-2.0
@author Clearwork
@notice Who every GPU provider is and what it has announced: its owner, its operator key,
        where it is paid, its commissions, and the largest share of a slash that it lets a
        reporter have. Holds no money; ProviderStaking holds the stake behind an id.
@dev Terms can't turn against those who trusted them faster than they can leave: a
     commission rises by one step per `NOTICE_PERIOD`, and the reporter cut, which pays
     those who convict, is lowered after one. The staking contract demands that the period
     is no shorter than its unbonding. An operator key is bound to its provider for ever:
     what it signed convicts that provider, also after a rotation or a change of owner.

     Trust: nobody. There is no owner and no parameter can change; a provider's terms are
     its owner's alone.
@custom:security security@clearwork.example
@custom:kill Nothing to stop: no money is here. A successor is a new deployment, with a new
             staking contract that names it.
"""

from .interfaces import IProviderRegistry
from .modules import payees
from .modules import provider_terms

implements: IProviderRegistry


struct PendingReporterCut:
    # bps
    proposed: uint256
    # chain time in seconds; 0 means none
    ready_at: uint256


# bps a commission may rise at once; it may rise once per notice period
MAX_COMMISSION_RISE: public(constant(uint256)) = 500
MAX_BPS: constant(uint256) = 10_000
MAX_NOTICE_PERIOD: constant(uint256) = 365 * 86_400

# seconds that separate two rises of a commission, and a lower reporter cut from its effect
NOTICE_PERIOD: public(immutable(uint256))

# providers ever registered; ids run from 1 to it
provider_count: public(uint24)
# provider => word of its owner, commissions and reporter cut
terms: HashMap[uint24, uint256]
# provider => hot key, the zero address while it has none
operators: HashMap[uint24, address]
# operator key => provider it was ever bound to, also after a rotation
provider_of_operator: public(HashMap[address, uint24])
# provider => where commission, job income and withdrawn self-bond go
payouts: HashMap[uint24, address]
# provider => who may become its owner, the zero address for nobody
offered_to: public(HashMap[uint24, address])
# provider => chain time in seconds at which its owner took it over, 0 while the first has it
owner_since: public(HashMap[uint24, uint256])
# provider => lower reporter cut that waits for its delay
pending_reporter_cut: public(HashMap[uint24, PendingReporterCut])


@deploy
def __init__(notice_period: uint256):
    """
    @param notice_period seconds between two rises of a commission and before a lower
           reporter cut counts, up to 365 days
    """
    assert (
        notice_period != 0 and notice_period <= MAX_NOTICE_PERIOD
    ), "provider_registry: notice period out of bounds"
    NOTICE_PERIOD = notice_period


# --- anyone -------------------------------------------------------------------------------


@external
def register(
    operator: address,
    payout: address,
    emission_commission_bps: uint16,
    job_commission_bps: uint16,
    max_reporter_bps: uint16,
    uri: String[200],
) -> uint24:
    """
    @notice Become a provider; the caller is its owner.
    @param operator hot key, never used by any provider before; the zero address for none
    @param payout where commission, job income and withdrawn self-bond go
    @param emission_commission_bps bps of emission the provider keeps for itself
    @param job_commission_bps bps of job income the provider keeps for itself
    @param max_reporter_bps bps of a slash that its reporter may get at most; can only be
           lowered later
    @param uri where the provider describes itself
    @return provider its id
    """
    self._check_share(convert(emission_commission_bps, uint256))
    self._check_share(convert(job_commission_bps, uint256))
    self._check_share(convert(max_reporter_bps, uint256))
    provider: uint24 = self.provider_count + 1
    # from there on the numbers are clusters'
    assert not payees._is_cluster(provider), "provider_registry: too many providers"
    self.provider_count = provider
    self.terms[provider] = provider_terms._pack(
        provider_terms.Terms(
            owner=msg.sender,
            emission_commission_bps=convert(emission_commission_bps, uint256),
            job_commission_bps=convert(job_commission_bps, uint256),
            max_reporter_bps=convert(max_reporter_bps, uint256),
            raised_at=block.timestamp,
        )
    )
    self._set_operator(provider, operator)
    self._set_payout(provider, payout)
    log IProviderRegistry.ProviderRegistered(
        provider=provider,
        owner=msg.sender,
        operator=operator,
        payout=payout,
        emission_commission_bps=emission_commission_bps,
        job_commission_bps=job_commission_bps,
        max_reporter_bps=max_reporter_bps,
        uri=uri,
    )
    return provider


@internal
@pure
def _check_share(bps: uint256):
    assert bps <= MAX_BPS, "provider_registry: share over 10_000 bps"


@internal
def _set_operator(provider: uint24, operator: address):
    if operator != empty(address):
        assert self.provider_of_operator[operator] == 0, "provider_registry: operator key was used"
        self.provider_of_operator[operator] = provider
    log IProviderRegistry.OperatorChanged(
        provider=provider, previous=self.operators[provider], current=operator
    )
    self.operators[provider] = operator


@internal
def _set_payout(provider: uint24, payout: address):
    assert payout != empty(address), "provider_registry: payout is the zero address"
    log IProviderRegistry.PayoutChanged(
        provider=provider, previous=self.payouts[provider], current=payout
    )
    self.payouts[provider] = payout


@external
def lower_reporter_cut(provider: uint24):
    """
    @notice Carry out a scheduled lower reporter cut whose delay is over.
    @param provider whose terms
    """
    pending: PendingReporterCut = self.pending_reporter_cut[provider]
    assert pending.ready_at != 0, "provider_registry: no lower cut scheduled"
    assert block.timestamp >= pending.ready_at, "provider_registry: lower cut not ready"
    terms: provider_terms.Terms = provider_terms._terms(self.terms[provider])
    log IProviderRegistry.ReporterCutLowered(
        provider=provider, previous_bps=terms.max_reporter_bps, current_bps=pending.proposed
    )
    terms.max_reporter_bps = pending.proposed
    self.terms[provider] = provider_terms._pack(terms)
    self.pending_reporter_cut[provider] = empty(PendingReporterCut)


# --- the provider's owner -----------------------------------------------------------------


@external
def set_operator(provider: uint24, operator: address):
    """
    @notice OWNER OF THE PROVIDER: change the hot key at once. The old key can't be used
            again by anyone, and what it signed still convicts this provider.
    @param provider the caller's
    @param operator a key no provider ever used; the zero address for none
    """
    self._owned_terms(provider)
    self._set_operator(provider, operator)


@internal
@view
def _owned_terms(provider: uint24) -> provider_terms.Terms:
    """
    @return terms of a provider that is the caller's
    """
    terms: provider_terms.Terms = provider_terms._terms(self.terms[provider])
    assert msg.sender == terms.owner, "provider_registry: caller is not the provider's owner"
    return terms


@external
def set_payout(provider: uint24, payout: address):
    """
    @notice OWNER OF THE PROVIDER: change where commission, job income and withdrawn
            self-bond go.
    @param provider the caller's
    @param payout any address but zero
    """
    self._owned_terms(provider)
    self._set_payout(provider, payout)


@external
def set_uri(provider: uint24, uri: String[200]):
    """
    @notice OWNER OF THE PROVIDER: change where the provider describes itself. Kept in the
            logs only.
    @param provider the caller's
    @param uri any text
    """
    self._owned_terms(provider)
    log IProviderRegistry.UriChanged(provider=provider, uri=uri)


@external
def set_commission(provider: uint24, kind: IProviderRegistry.PaymentKind, bps: uint256):
    """
    @notice OWNER OF THE PROVIDER: change the commission on one kind of payment at once.
            It may fall to anything, and rise by MAX_COMMISSION_RISE once per notice
            period, so that delegators can leave before the next rise.
    @param provider the caller's
    @param kind which commission
    @param bps share of the payments that the provider keeps, up to 10_000
    """
    self._check_share(bps)
    terms: provider_terms.Terms = self._owned_terms(provider)
    previous: uint256 = self._commission(terms, kind)
    if bps > previous:
        assert bps - previous <= MAX_COMMISSION_RISE, "provider_registry: commission rises too far"
        assert (
            block.timestamp >= terms.raised_at + NOTICE_PERIOD
        ), "provider_registry: commission rises too soon"
        terms.raised_at = block.timestamp
    if kind == IProviderRegistry.PaymentKind.EMISSION:
        terms.emission_commission_bps = bps
    else:
        terms.job_commission_bps = bps
    self.terms[provider] = provider_terms._pack(terms)
    log IProviderRegistry.CommissionChanged(
        provider=provider, kind=kind, previous_bps=previous, current_bps=bps
    )


@internal
@view
def _commission(terms: provider_terms.Terms, kind: IProviderRegistry.PaymentKind) -> uint256:
    """
    @dev A pure function could not name the members of another file's flag.
    """
    if kind == IProviderRegistry.PaymentKind.EMISSION:
        return terms.emission_commission_bps
    assert kind == IProviderRegistry.PaymentKind.JOB, "provider_registry: not one kind of payment"
    return terms.job_commission_bps


@external
def schedule_reporter_cut(provider: uint24, bps: uint256):
    """
    @notice OWNER OF THE PROVIDER: lower the largest share of a slash that a reporter may
            get, after the notice period; `lower_reporter_cut` carries it out. Never rises.
    @param provider the caller's
    @param bps share of a slash, below today's
    """
    current: uint256 = self._owned_terms(provider).max_reporter_bps
    assert bps < current, "provider_registry: reporter cut can only be lowered"
    ready_at: uint256 = block.timestamp + NOTICE_PERIOD
    self.pending_reporter_cut[provider] = PendingReporterCut(proposed=bps, ready_at=ready_at)
    log IProviderRegistry.ReporterCutScheduled(
        provider=provider,
        current_bps=current,
        proposed_bps=bps,
        ready_at=ready_at,
    )


@external
def transfer_provider(provider: uint24, next_owner: address):
    """
    @notice OWNER OF THE PROVIDER: offer the provider, and all self-bond behind it, to
            somebody, who has to accept. Replaces an earlier offer.
    @param provider the caller's
    @param next_owner who may accept; the zero address takes an offer back
    """
    self._owned_terms(provider)
    self.offered_to[provider] = next_owner
    log IProviderRegistry.ProviderOffered(
        provider=provider, owner=msg.sender, next_owner=next_owner
    )


# --- who was offered a provider -----------------------------------------------------------


@external
def accept_provider(provider: uint24):
    """
    @notice NEXT OWNER: become the owner of a provider that was offered. Operator key,
            payout address and terms stay until the new owner changes them.
    @param provider which one
    """
    assert (
        msg.sender == self.offered_to[provider]
    ), "provider_registry: caller was not offered the provider"
    terms: provider_terms.Terms = provider_terms._terms(self.terms[provider])
    log IProviderRegistry.ProviderTransferred(
        provider=provider, previous=terms.owner, current=msg.sender
    )
    terms.owner = msg.sender
    self.terms[provider] = provider_terms._pack(terms)
    self.offered_to[provider] = empty(address)
    self.owner_since[provider] = block.timestamp


# --- views --------------------------------------------------------------------------------


@external
@view
def provider_info(provider: uint24) -> IProviderRegistry.Provider:
    """
    @notice A provider's keys and terms; all empty for an unknown id.
    """
    terms: provider_terms.Terms = provider_terms._terms(self.terms[provider])
    return IProviderRegistry.Provider(
        owner=terms.owner,
        operator=self.operators[provider],
        payout=self.payouts[provider],
        emission_commission_bps=convert(terms.emission_commission_bps, uint16),
        job_commission_bps=convert(terms.job_commission_bps, uint16),
        max_reporter_bps=convert(terms.max_reporter_bps, uint16),
    )


@external
@view
def owner_of(provider: uint24) -> address:
    """
    @notice A provider's owner; the zero address for an unknown id.
    """
    return provider_terms._owner(self.terms[provider])


@external
@view
def owns_since(provider: uint24, account: address, time: uint256) -> bool:
    """
    @notice Whether an account is a provider's owner and took it over, if it did not register
            it, before a time.
    @param provider any provider
    @param account any account
    @param time chain time in seconds
    """
    return (
        account == provider_terms._owner(self.terms[provider]) and self.owner_since[provider] < time
    )


@external
@view
def speaks_for(provider: uint24, account: address) -> bool:
    """
    @notice Whether an account is a provider's owner or its present operator key.
    """
    return account != empty(address) and (
        account == self.operators[provider]
        or account == provider_terms._owner(self.terms[provider])
    )


@external
@view
def payout_of(provider: uint24) -> address:
    """
    @notice Where commission, job income and withdrawn self-bond go.
    """
    return self.payouts[provider]


@external
@view
def commission_of(provider: uint24, kind: IProviderRegistry.PaymentKind) -> (uint256, address):
    """
    @notice What a registered provider keeps of one kind of payment.
    @param provider any registered provider
    @param kind exactly one kind
    @return bps share of the payment
    @return payout where it goes
    """
    terms: provider_terms.Terms = provider_terms._terms(self.terms[provider])
    assert terms.owner != empty(address), "provider_registry: unknown provider"
    return self._commission(terms, kind), self.payouts[provider]


@external
@view
def max_reporter_bps(provider: uint24) -> uint256:
    """
    @notice Bps of a slash that a reporter may get at most.
    """
    return provider_terms._max_reporter_bps(self.terms[provider])

# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Offer book
@license Apache-2.0
@author Clearwork
@notice Counts what was sold of the offers that providers sign. An offer is signed outside the
        chain and costs nothing until somebody takes it: the job is then opened, funded and
        accepted in one transaction, and this contract says whether the provider really
        offers that and has so many GPUs left.

        Many may take parts of one offer, up to its GPUs in all. The count belongs to the
        provider and the nonce, so a second offer with the same nonce changes the price of
        what is left and sells nothing twice.
@dev Holds no money. What was taken never comes back: a provider whose job ended signs a new
     nonce. An offer binds as long as its signer speaks for the provider, so a rotated
     operator key revokes all that it signed, and binds again if it is ever the owner.

     Trust: the JOBS role, to take only for customers who pay; nobody else. The owner fills
     that role and, once it is held, changes it only after `ROLE_CHANGE_DELAY`.
@custom:security security@clearwork.example
@custom:kill The owner empties JOBS, and after the delay nothing can be taken. Every provider
             revokes its own offers at once.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step
from snekmate.utils import eip712_domain_separator

from .interfaces import IOfferBook
from .interfaces import IProviderRegistry
from .modules import delayed_roles
from .modules import signatures as signature_check

implements: IOfferBook

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: delayed_roles[ownable := ownable]
initializes: eip712_domain_separator

exports: (
    # EIP-5267
    eip712_domain_separator.eip712Domain,
    # owner
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    ownable_2step.renounce_ownership,
    # roles
    delayed_roles.ROLE_CHANGE_DELAY,
    delayed_roles.role_holder,
    delayed_roles.pending_role,
    delayed_roles.set_role,
    delayed_roles.apply_role,
)

# role that may take offers
JOBS: public(constant(bytes32)) = keccak256("JOBS")

OFFER_TYPE_HASH: constant(bytes32) = keccak256(
    "Offer(uint24 provider,uint16 deviceClass,uint16 gpus,uint16 sla,uint32 minSeconds,uint32 maxSeconds,uint64 expiresAt,uint64 nonce,address asset,uint256 pricePerGpuHour,bytes32 terms)"
)
# nonces revoked in one call
MAX_NONCES: constant(uint256) = 64
# what a revoked nonce counts as taken: more than any offer has
REVOKED: constant(uint256) = max_value(uint256)

# says who speaks for a provider
PROVIDERS: public(immutable(IProviderRegistry))

# provider => nonce => GPUs taken so far, or `REVOKED`
taken: public(HashMap[uint24, HashMap[uint64, uint256]])
# provider => lowest nonce that is not revoked altogether
lowest_nonce: public(HashMap[uint24, uint64])


@deploy
def __init__(providers: IProviderRegistry, role_change_delay: uint256):
    """
    @param providers contract that says who speaks for a provider
    @param role_change_delay seconds before a changed role applies
    """
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    eip712_domain_separator.__init__("Clearwork", "1")

    assert providers.address != empty(address), "offer_book: no providers"
    PROVIDERS = providers


# --- the job registry -----------------------------------------------------------------------


@external
def take(
    customer: address,
    offer: IOfferBook.Offer,
    signer: address,
    signature: Bytes[signature_check.MAX_SIGNATURE],
    gpus: uint16,
    run_seconds: uint32,
):
    """
    @notice JOBS: count GPUs of an offer as sold.
    @param customer who takes them; for the log
    @param offer what the provider signed
    @param signer who signed it: the provider's owner or its present operator key
    @param signature the signer's EIP-712 signature of `Offer`; ERC-1271 for a contract
    @param gpus GPUs to take, at least 1
    @param run_seconds seconds that the customer pays in advance
    """
    delayed_roles._check_role(JOBS)
    assert gpus != 0, "offer_book: no gpus"
    assert (
        run_seconds >= offer.min_seconds and run_seconds <= offer.max_seconds
    ), "offer_book: run time out of bounds"
    assert block.timestamp < convert(offer.expires_at, uint256), "offer_book: offer expired"
    before: uint256 = self._taken(offer.provider, offer.nonce)
    assert before != REVOKED, "offer_book: offer revoked"
    # neither is above the most GPUs an offer has, 2**16 - 1
    after: uint256 = unsafe_add(before, convert(gpus, uint256))
    assert after <= convert(offer.gpus, uint256), "offer_book: not so many gpus left"
    assert self._speaks_for(
        offer.provider, signer
    ), "offer_book: signer does not speak for the provider"
    assert self._is_signed(offer, signer, signature), "offer_book: bad signature"

    self.taken[offer.provider][offer.nonce] = after
    log IOfferBook.OfferTaken(
        provider=offer.provider, nonce=offer.nonce, customer=customer, gpus=gpus, taken=after
    )


@internal
@view
def _taken(provider: uint24, nonce: uint64) -> uint256:
    """
    @return taken GPUs taken under a nonce so far, or `REVOKED`
    """
    return REVOKED if nonce < self.lowest_nonce[provider] else self.taken[provider][nonce]


@internal
@view
def _speaks_for(provider: uint24, account: address) -> bool:
    return staticcall PROVIDERS.speaks_for(provider, account)


@internal
@view
def _is_signed(
    offer: IOfferBook.Offer, signer: address, signature: Bytes[signature_check.MAX_SIGNATURE]
) -> bool:
    return signature_check._is_valid(signer, self._digest(offer), signature)


@internal
@view
def _digest(offer: IOfferBook.Offer) -> bytes32:
    return eip712_domain_separator._hash_typed_data_v4(
        keccak256(abi_encode(OFFER_TYPE_HASH, offer))
    )


# --- who speaks for a provider --------------------------------------------------------------


@external
def revoke(provider: uint24, nonces: DynArray[uint64, MAX_NONCES]):
    """
    @notice OWNER OR OPERATOR OF THE PROVIDER: revoke every offer with these nonces, for ever.
            Jobs that took one go on.
    @param provider the caller's
    @param nonces at most `MAX_NONCES` of them, in any order
    """
    self._check_speaker(provider)
    for nonce: uint64 in nonces:
        self.taken[provider][nonce] = REVOKED
        log IOfferBook.OfferRevoked(provider=provider, nonce=nonce)


@external
def revoke_below(provider: uint24, lowest: uint64):
    """
    @notice OWNER OR OPERATOR OF THE PROVIDER: revoke every offer with a lower nonce, for
            ever. Jobs that took one go on.
    @param provider the caller's
    @param lowest nonce from which offers stay; above the earlier one
    """
    self._check_speaker(provider)
    assert lowest > self.lowest_nonce[provider], "offer_book: lowest nonce can only rise"
    self.lowest_nonce[provider] = lowest
    log IOfferBook.OffersRevoked(provider=provider, floor=lowest)


@internal
@view
def _check_speaker(provider: uint24):
    assert self._speaks_for(
        provider, msg.sender
    ), "offer_book: caller does not speak for the provider"


# --- views ----------------------------------------------------------------------------------


@external
@view
def available(offer: IOfferBook.Offer) -> uint256:
    """
    @notice GPUs of an offer that can still be taken; 0 where it is revoked or has expired.
            Says nothing about its signature: see `is_signed`.
    @param offer any offer
    """
    if block.timestamp >= convert(offer.expires_at, uint256):
        return 0
    gpus: uint256 = convert(offer.gpus, uint256)
    # not below 0
    return unsafe_sub(gpus, min(gpus, self._taken(offer.provider, offer.nonce)))


@external
@view
def offer_digest(offer: IOfferBook.Offer) -> bytes32:
    """
    @notice The EIP-712 digest that a provider signs.
    @param offer any offer
    """
    return self._digest(offer)


@external
@view
def is_signed(
    offer: IOfferBook.Offer, signer: address, signature: Bytes[signature_check.MAX_SIGNATURE]
) -> bool:
    """
    @notice Whether an offer binds its provider: the signer speaks for it now, and has signed.
    @param offer any offer
    @param signer any account
    @param signature as for `take`
    """
    return self._speaks_for(offer.provider, signer) and self._is_signed(offer, signer, signature)

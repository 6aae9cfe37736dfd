"""ProviderRegistry.transfer_provider and accept_provider: ownership passes in two steps."""

import boa

ZERO = "0x" + "00" * 20
NOT_OFFERED = "provider_registry: caller was not offered the provider"
NOT_OWNER = "provider_registry: caller is not the provider's owner"


def test_ownership_passes_when_it_is_accepted(
    providers, registered, owner, operator, payout, alice
):
    before = providers.provider_info(registered)
    providers.transfer_provider(registered, alice, sender=owner)
    (entry,) = providers.get_logs()
    assert (entry.provider, entry.owner, entry.next_owner) == (registered, owner, alice)
    assert providers.owner_of(registered) == owner
    providers.accept_provider(registered, sender=alice)
    (entry,) = providers.get_logs()
    assert (entry.provider, entry.previous, entry.current) == (registered, owner, alice)
    assert providers.owner_of(registered) == alice
    assert providers.offered_to(registered) == ZERO
    # keys and terms stay
    assert providers.provider_info(registered)[1:] == before[1:]
    assert before.operator == operator.address


def test_former_owner_is_out(providers, registered, owner, alice, refused):
    providers.transfer_provider(registered, alice, sender=owner)
    providers.accept_provider(registered, sender=alice)
    with refused(NOT_OWNER):
        providers.set_payout(registered, owner, sender=owner)
    with refused(NOT_OWNER):
        providers.transfer_provider(registered, owner, sender=owner)
    providers.set_payout(registered, alice, sender=alice)


def test_only_the_owner_offers(providers, registered, alice, operator, payout, refused):
    for caller in (alice, operator.address, payout):
        with refused(NOT_OWNER):
            providers.transfer_provider(registered, alice, sender=caller)
    with refused(NOT_OWNER):
        providers.transfer_provider(registered + 1, alice, sender=alice)


def test_only_who_was_offered_accepts(providers, registered, owner, alice, stranger, refused):
    with refused(NOT_OFFERED):
        providers.accept_provider(registered, sender=alice)
    providers.transfer_provider(registered, alice, sender=owner)
    for caller in (owner, stranger):
        with refused(NOT_OFFERED):
            providers.accept_provider(registered, sender=caller)
    providers.accept_provider(registered, sender=alice)
    with refused(NOT_OFFERED):
        providers.accept_provider(registered, sender=alice)


def test_offer_is_replaced_and_taken_back(providers, registered, owner, alice, stranger, refused):
    providers.transfer_provider(registered, stranger, sender=owner)
    providers.transfer_provider(registered, alice, sender=owner)
    with refused(NOT_OFFERED):
        providers.accept_provider(registered, sender=stranger)
    providers.transfer_provider(registered, ZERO, sender=owner)
    with refused(NOT_OFFERED):
        providers.accept_provider(registered, sender=alice)


def test_owns_since_tells_when_it_was_taken_over(providers, registered, owner, alice):
    now = boa.env.evm.patch.timestamp
    # who registered it always was the owner
    assert providers.owns_since(registered, owner, 1)
    providers.transfer_provider(registered, alice, sender=owner)
    providers.accept_provider(registered, sender=alice)
    assert not providers.owns_since(registered, owner, now + 1)
    assert not providers.owns_since(registered, alice, now)
    assert providers.owns_since(registered, alice, now + 1)
    assert not providers.owns_since(registered + 1, alice, now + 1)


def test_owner_and_operator_speak_for_a_provider(providers, registered, owner, operator, alice):
    assert providers.speaks_for(registered, owner)
    assert providers.speaks_for(registered, operator.address)
    assert not providers.speaks_for(registered, alice)
    assert not providers.speaks_for(registered, ZERO)
    assert not providers.speaks_for(registered + 1, ZERO)
    providers.set_operator(registered, ZERO, sender=owner)
    assert not providers.speaks_for(registered, ZERO)
    assert not providers.speaks_for(registered, operator.address)

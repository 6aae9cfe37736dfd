"""Who may sign an execution receipt as what, by the contracts."""

from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.deployment import Deployment
from oracle.domain.execution import ExecutionReceipt, ReceiptSignature, Role, SignedReceipt
from oracle.domain.market import FIRST_CLUSTER, NOBODY
from oracle.errors import BadInput, NotFound, Unauthorized


def check_escrow(deployment: Deployment, receipt: ExecutionReceipt) -> None:
    """Whether a receipt is about a job of this deployment's escrow. Raises `BadInput`."""
    escrow = deployment.address("JobEscrow")
    if (receipt.chain_id, receipt.escrow) != (deployment.chain_id, escrow.lower()):
        raise BadInput(
            f"a receipt of escrow {receipt.escrow} on chain {receipt.chain_id}",
            f"Here is chain {deployment.chain_id} with escrow {escrow}: ask where the job is.",
        )


def check_place(chain: Chain, receipt: ExecutionReceipt) -> None:
    """Whether a receipt is about a job of this chain's escrow, and names the job's provider.

    Raises `BadInput` for another chain, escrow or provider, `NotFound` for an unknown job.
    """
    check_escrow(chain.deployment, receipt)
    job = chain.read("JobRegistry", "job_info", receipt.job)
    if job.customer == NOBODY:
        raise NotFound(f"there is no job {receipt.job}", "Open one with JobEscrow.open_job.")
    if job.provider != receipt.provider:
        raise BadInput(
            f"job {receipt.job} is provider {job.provider}'s, not {receipt.provider}'s",
            "Only the provider that accepted a job issues its receipt.",
        )


def check_role(chain: Chain, receipt: ExecutionReceipt, signature: ReceiptSignature) -> None:
    """Whether the signer holds the role it signs in. Raises `Unauthorized`.

    A provider's key counts if it was ever named as its operator, an oracle's key if it speaks
    for a committee member now.
    """
    signer = signature.signer
    match signature.role:
        case Role.PROVIDER:
            number = chain.read("ProviderRegistry", "provider_of_operator", signer)
            holds = number == speaker(chain, receipt.provider)
            owner = f"an operator key of provider {receipt.provider}"
        case Role.CUSTOMER:
            customer = chain.read("JobRegistry", "job_info", receipt.job).customer
            holds = customer == signer
            owner = f"the customer of job {receipt.job}, {customer}"
        case Role.ORACLE:
            holds = chain.read("OracleCommittee", "member_of_key", signer) != NOBODY
            owner = "a key of a committee member"
    if not holds:
        raise Unauthorized(f"signed as {signature.role} by {signer}", f"That role is for {owner}.")


def speaker(chain: Chain, payee: int) -> int:
    """The provider whose keys sign for a payee: itself, or a cluster's lead."""
    if payee < FIRST_CLUSTER:
        return payee
    _, _, lead, _ = chain.read("ClusterRegistry", "cluster_info", payee)
    return int(lead)


def check_signers(chain: Chain, signed: SignedReceipt) -> None:
    """Everything about a signed receipt that signatures and contracts decide.

    Raises `BadInput`, `NotFound` or `Unauthorized` with the exact fault.
    """
    signed.check()
    check_place(chain, signed.receipt)
    for signature in signed.signatures:
        check_role(chain, signed.receipt, signature)

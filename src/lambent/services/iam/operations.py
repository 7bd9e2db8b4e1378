"""IAM's API: the operations of all kinds in one object."""

from __future__ import annotations

from lambent.services.iam.account import AccountOperations
from lambent.services.iam.attachments import AttachmentOperations
from lambent.services.iam.groups import GroupOperations
from lambent.services.iam.policies import PolicyOperations
from lambent.services.iam.roles import InstanceProfileOperations, RoleOperations
from lambent.services.iam.simulating import SimulationOperations
from lambent.services.iam.users import UserOperations


class Operations(
    UserOperations,
    GroupOperations,
    RoleOperations,
    InstanceProfileOperations,
    PolicyOperations,
    AttachmentOperations,
    AccountOperations,
    SimulationOperations,
):
    """One method per operation."""

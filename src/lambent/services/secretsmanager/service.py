"""What the folder contributes to a node."""

from __future__ import annotations

from lambent.services.contract import Platform, Service
from lambent.services.secretsmanager.operations import SecretOperations
from lambent.services.secretsmanager.resources import ResourcePolicyResource, SecretResource


def create(platform: Platform) -> Service:
    """Secrets Manager for one node."""
    operations = SecretOperations(platform.store, platform.ids)
    return Service(
        name="secretsmanager",
        operations=operations,
        resources={
            "AWS::SecretsManager::ResourcePolicy": ResourcePolicyResource(operations),
            "AWS::SecretsManager::Secret": SecretResource(operations, platform.ids),
        },
    )

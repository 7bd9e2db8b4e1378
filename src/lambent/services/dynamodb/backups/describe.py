"""Backups and recovery as the API shows them."""

from __future__ import annotations

from typing import Any

from lambent.services.dynamodb.backups.model import Backup
from lambent.services.dynamodb.describe import encryption, index_summary, key_elements
from lambent.services.dynamodb.model import Table


def details(backup: Backup, *, status: str | None = None) -> dict[str, Any]:
    """BackupDetails."""
    return {
        "BackupArn": backup.arn,
        "BackupName": backup.name,
        "BackupSizeBytes": backup.bytes,
        "BackupStatus": status or ("CREATING" if backup.copying else "AVAILABLE"),
        "BackupType": "SYSTEM" if backup.system else "USER",
        "BackupCreationDateTime": backup.created,
        "BackupExpiryDateTime": backup.expires or None,
    }


def summary(backup: Backup) -> dict[str, Any]:
    """BackupSummary."""
    table = backup.table
    return {
        "TableName": table.name,
        "TableId": table.id,
        "TableArn": table.arn,
        **details(backup),
    }


def description(backup: Backup, *, status: str | None = None) -> dict[str, Any]:
    """BackupDescription."""
    table = backup.table
    features: dict[str, Any] = {}
    for member, is_global in (("LocalSecondaryIndexes", False), ("GlobalSecondaryIndexes", True)):
        found = [index for index in table.indexes if index.is_global == is_global]
        if found:
            features[member] = [index_summary(index) for index in found]
    if table.stream_view:
        features["StreamDescription"] = {
            "StreamEnabled": True,
            "StreamViewType": table.stream_view,
        }
    if table.ttl:
        features["TimeToLiveDescription"] = {
            "TimeToLiveStatus": "ENABLED",
            "AttributeName": table.ttl,
        }
    if table.encryption and table.encryption.get("Enabled"):
        features["SSEDescription"] = encryption(table)
    return {
        "BackupDetails": details(backup, status=status),
        "SourceTableDetails": {
            "TableName": table.name,
            "TableId": table.id,
            "TableArn": table.arn,
            "TableSizeBytes": backup.bytes,
            "ItemCount": backup.count,
            "KeySchema": key_elements(table.key),
            "TableCreationDateTime": table.created,
            "ProvisionedThroughput": {
                "ReadCapacityUnits": table.throughput.read,
                "WriteCapacityUnits": table.throughput.write,
            },
            "OnDemandThroughput": table.on_demand_limits,
            "BillingMode": "PAY_PER_REQUEST" if table.on_demand else "PROVISIONED",
        },
        "SourceTableFeatureDetails": features,
    }


def recovery(table: Table, now: float) -> dict[str, Any]:
    """ContinuousBackupsDescription."""
    shown: dict[str, Any] = {"PointInTimeRecoveryStatus": "DISABLED"}
    if table.recovery_days:
        shown = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": table.recovery_days,
            "EarliestRestorableDateTime": table.earliest(now),
            "LatestRestorableDateTime": now,
        }
    return {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": shown,
    }

"""Values of a kind that their property does not take, such as a list where a string belongs.

Pure. What a property takes goes by its name, which means the same in nearly all types; a name
that is not listed takes a scalar in the types known here, and anything in all others. Source:
CloudFormation template reference; the words are those of CloudFormation's schema validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LIST, _OBJECT, _SCALAR, _ANY = "JSONArray", "JSONObject", "String", ""
_NAMES = {
    _LIST: (
        "AlarmActions Architectures AttributeDefinitions CompatibleArchitectures "
        "CompatibleRuntimes Dimensions EmitSystemFieldDimensions FieldIndexPolicies "
        "FileSystemConfigs FunctionResponseTypes GlobalSecondaryIndexes Groups "
        "InsufficientDataActions KeySchema Layers LocalSecondaryIndexes ManagedPolicyArns "
        "MetricTransformations Metrics NotificationARNs OKActions Policies Queues ReplicaRegions "
        "Replicas Roles SourceAccessConfigurations Tags Topics Users"
    ),
    _OBJECT: (
        "AccelerateConfiguration BucketEncryption Code Content ContributorInsightsSpecification "
        "Cors CorsConfiguration DeadLetterConfig DestinationConfig DurableConfig "
        "Environment EphemeralStorage FilterCriteria FunctionScalingConfig GenerateSecretString "
        "LifecycleConfiguration "
        "LoggingConfig LoggingConfiguration LoginProfile MetricsConfig NotificationConfiguration "
        "ObjectLockConfiguration OnDemandThroughput OwnershipControls Parameters "
        "PointInTimeRecoverySpecification ProvisionedConcurrencyConfig ProvisionedPollerConfig "
        "ProvisionedThroughput PublicAccessBlockConfiguration ReplicationConfiguration "
        "RoutingConfig RuntimeManagementConfig RuntimePolicy SSESpecification ScalingConfig "
        "SelfManagedEventSource SnapStart StreamSpecification TimeToLiveSpecification "
        "TracingConfig VersioningConfiguration VpcConfig WarmThroughput WebsiteConfiguration "
        "WriteOnDemandThroughputSettings WriteProvisionedThroughputSettings"
    ),
    # Documents, which may be written as objects or as text.
    _ANY: (
        "AssumeRolePolicyDocument DashboardBody DataProtectionPolicy PolicyDocument "
        "RedriveAllowPolicy RedrivePolicy"
    ),
}
_KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_ODD = {
    ("AWS::SSM::Parameter", "Tags"): _OBJECT,
    ("AWS::SSM::Parameter", "Policies"): _SCALAR,
}
_WITHIN = {
    # Members of objects that break operations when they are of another kind.
    "Environment": {"Variables": _OBJECT},
    "VpcConfig": {"SecurityGroupIds": _LIST, "SubnetIds": _LIST},
    "FilterCriteria": {"Filters": _LIST},
    "RoutingConfig": {"AdditionalVersionWeights": _LIST},
    "DestinationConfig": {"OnFailure": _OBJECT, "OnSuccess": _OBJECT},
    "DeadLetterConfig": {"TargetArn": _SCALAR},
    "EphemeralStorage": {"Size": _SCALAR},
    "SnapStart": {"ApplyOn": _SCALAR},
    "TracingConfig": {"Mode": _SCALAR},
    "Code": {"ZipFile": _SCALAR, "S3Bucket": _SCALAR, "S3Key": _SCALAR},
}
_TYPES = frozenset(
    (
        "AWS::CloudFormation::Stack",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::IAM::Group",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::IAM::User",
        "AWS::IAM::UserToGroupAddition",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::LayerVersionPermission",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Url",
        "AWS::Lambda::Version",
        "AWS::Logs::LogGroup",
        "AWS::Logs::LogStream",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SSM::Parameter",
        "AWS::SecretsManager::Secret",
    )
)


def faults(kind: str, properties: Mapping[str, Any]) -> list[str]:
    """What is wrong with a resource's properties, a line each. Values that an intrinsic
    function will give are taken to be right."""
    if kind not in _TYPES:
        return []
    found: list[str] = []
    for name, value in properties.items():
        wanted = _ODD.get((kind, name), _KINDS.get(name, _SCALAR))
        found += _fault(f"#/{name}", value, wanted)
        if isinstance(value, Mapping) and not _computed(value):
            for inner, kind_within in _WITHIN.get(name, {}).items():
                if inner in value:
                    found += _fault(f"#/{name}/{inner}", value[inner], kind_within)
    return found


def _fault(path: str, value: Any, wanted: str) -> list[str]:
    have = _kind(value)
    if wanted == _ANY or have in (wanted, _ANY):
        return []
    return [f"{path}: expected type: {wanted}, found: {have}"]


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return _LIST
    if isinstance(value, Mapping):
        return _ANY if _computed(value) else _OBJECT
    return "Null" if value is None else _SCALAR


def _computed(value: Mapping[str, Any]) -> bool:
    """Whether it is an intrinsic function."""
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))

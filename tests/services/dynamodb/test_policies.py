"""Resource-based policies and Contributor Insights through boto3."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Make = Callable[..., str]
Refused = Callable[..., str]


def policy(action: str = "dynamodb:GetItem") -> str:
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def arn_of(ddb: Any, table: str = "tbl") -> str:
    return str(ddb.describe_table(TableName=table)["Table"]["TableArn"])


def test_a_policy_is_given_back_with_its_revision(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    arn = arn_of(ddb)
    refused(ddb.get_resource_policy, "PolicyNotFoundException", ResourceArn=arn)
    first = ddb.put_resource_policy(ResourceArn=arn, Policy=policy())["RevisionId"]
    assert ddb.put_resource_policy(ResourceArn=arn, Policy=policy())["RevisionId"] == first
    found = ddb.get_resource_policy(ResourceArn=arn)
    assert (found["Policy"], found["RevisionId"]) == (policy(), first)
    second = ddb.put_resource_policy(ResourceArn=arn, Policy=policy("dynamodb:*"))["RevisionId"]
    assert second != first
    assert ddb.delete_resource_policy(ResourceArn=arn)["RevisionId"] == second
    refused(ddb.get_resource_policy, "PolicyNotFoundException", ResourceArn=arn)
    assert not ddb.delete_resource_policy(ResourceArn=arn).get("RevisionId")


def test_a_policy_is_changed_only_at_the_revision_that_is_expected(
    ddb: Any, make: Make, refused: Refused
) -> None:
    make("tbl", "pk:S")
    arn = arn_of(ddb)
    given = {"ResourceArn": arn, "Policy": policy()}
    put = ddb.put_resource_policy
    revision = put(**given, ExpectedRevisionId="NO_POLICY")["RevisionId"]
    refused(put, "PolicyNotFoundException", **given, ExpectedRevisionId="NO_POLICY")
    delete = ddb.delete_resource_policy
    refused(delete, "PolicyNotFoundException", ResourceArn=arn, ExpectedRevisionId="1")
    delete(ResourceArn=arn, ExpectedRevisionId=revision)


def test_a_policy_comes_with_its_table_and_goes_with_it(
    ddb: Any, make: Make, refused: Refused
) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    make("tbl", "pk:S", ResourcePolicy=policy(), StreamSpecification=stream)
    arn = arn_of(ddb)
    assert ddb.get_resource_policy(ResourceArn=arn)["Policy"] == policy()
    stream_arn = ddb.describe_table(TableName="tbl")["Table"]["LatestStreamArn"]
    refused(ddb.get_resource_policy, "PolicyNotFoundException", ResourceArn=stream_arn)
    ddb.put_resource_policy(ResourceArn=stream_arn, Policy=policy("dynamodb:GetRecords"))
    ddb.delete_table(TableName="tbl")
    refused(ddb.get_resource_policy, "ResourceNotFoundException", ResourceArn=arn)
    make("tbl", "pk:S")
    refused(ddb.get_resource_policy, "PolicyNotFoundException", ResourceArn=arn)


def test_what_is_no_policy_is_refused(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    arn = arn_of(ddb)
    put = ddb.put_resource_policy
    for text in ("{", "{}", '{"Statement": [{"Effect": "Maybe"}]}'):
        refused(put, ResourceArn=arn, Policy=text)
    refused(put, "LimitExceededException", ResourceArn=arn, Policy=policy("x" * 21_000))
    refused(put, ResourceArn="nonsense", Policy=policy())
    gone = arn.replace("tbl", "nil")
    refused(put, "ResourceNotFoundException", ResourceArn=gone, Policy=policy())


def test_contributor_insights_are_switched_by_table_and_index(
    ddb: Any, make: Make, refused: Refused
) -> None:
    make("tbl", "pk:S", "sk:S", gsi={"by_g": ("g:S", "ALL")})
    make("other", "pk:S")
    describe, update = ddb.describe_contributor_insights, ddb.update_contributor_insights
    assert describe(TableName="tbl")["ContributorInsightsStatus"] == "DISABLED"
    assert ddb.list_contributor_insights()["ContributorInsightsSummaries"] == []
    begun = update(TableName="tbl", ContributorInsightsAction="ENABLE")
    assert begun["ContributorInsightsStatus"] == "ENABLING"
    shown = describe(TableName="tbl")
    assert shown["ContributorInsightsStatus"] == "ENABLED"
    kinds = [rule.split("-")[1] for rule in shown["ContributorInsightsRuleList"]]
    assert kinds == ["PKC", "PKT", "SKC", "SKT"]
    update(
        TableName="tbl",
        IndexName="by_g",
        ContributorInsightsAction="ENABLE",
        ContributorInsightsMode="THROTTLED_KEYS",
    )
    rules = describe(TableName="tbl", IndexName="by_g")["ContributorInsightsRuleList"]
    assert [rule.split("-")[1] for rule in rules] == ["PKT"]
    first = ddb.list_contributor_insights(MaxResults=1)
    rest = ddb.list_contributor_insights(MaxResults=1, NextToken=first["NextToken"])
    assert "NextToken" not in rest
    assert rest["ContributorInsightsSummaries"][0]["IndexName"] == "by_g"
    update(TableName="tbl", ContributorInsightsAction="DISABLE")
    assert describe(TableName="tbl")["ContributorInsightsStatus"] == "DISABLED"
    refused(describe, "ResourceNotFoundException", TableName="none")
    refused(describe, "ResourceNotFoundException", TableName="tbl", IndexName="none")


def test_a_table_shows_the_throughput_that_it_was_warmed_for(
    ddb: Any, make: Make, refused: Refused
) -> None:
    make("tbl", "pk:S", WarmThroughput={"ReadUnitsPerSecond": 15000})

    def warm() -> Any:
        return ddb.describe_table(TableName="tbl")["Table"]["WarmThroughput"]

    assert warm() == {
        "ReadUnitsPerSecond": 15000,
        "WriteUnitsPerSecond": 4000,
        "Status": "ACTIVE",
    }
    ddb.update_table(TableName="tbl", WarmThroughput={"WriteUnitsPerSecond": 5000})
    assert warm() == {
        "ReadUnitsPerSecond": 15000,
        "WriteUnitsPerSecond": 5000,
        "Status": "ACTIVE",
    }
    refused(ddb.update_table, TableName="tbl", WarmThroughput={})


def test_no_copies_elsewhere_are_found(ddb: Any, make: Make, refused: Refused) -> None:
    make("tbl", "pk:S")
    assert ddb.list_global_tables()["GlobalTables"] == []
    for call in (ddb.describe_global_table, ddb.describe_global_table_settings):
        refused(call, "GlobalTableNotFoundException", GlobalTableName="tbl")
    scaling = ddb.describe_table_replica_auto_scaling(TableName="tbl")
    assert scaling["TableAutoScalingDescription"]["TableStatus"] == "ACTIVE"
    kinesis = ddb.describe_kinesis_streaming_destination
    assert kinesis(TableName="tbl")["KinesisDataStreamDestinations"] == []
    refused(kinesis, "ResourceNotFoundException", TableName="none")

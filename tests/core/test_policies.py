"""What policies say to who asks."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.core.policies import Ask, decide, decide_stored, invites, needed, permits
from lambent.core.policy_patterns import matches

OTHER = "222222222222"
ROLE = f"arn:aws:iam::{OTHER}:role/R"
SESSION = f"arn:aws:sts::{OTHER}:assumed-role/R/someone"
GET, PUT = "s3:GetObject", "s3:PutObject"
ARN, SECRET = "arn:aws:s3:::b/x", "arn:aws:s3:::b/secret/x"


def allow(principal, **more):
    return {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:Get*",
        "Resource": ["arn:aws:s3:::b/*"],
        **more,
    }


ROOT = allow({"AWS": f"arn:aws:iam::{OTHER}:root"})
NEVER = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "arn:aws:s3:::b/secret/*",
}
OTHERS = {
    "Effect": "Deny",
    "NotPrincipal": {"AWS": ROLE},
    "NotAction": "s3:Put*",
    "NotResource": SECRET,
}


@pytest.mark.parametrize(
    ("statements", "account", "caller", "action", "arn", "allowed"),
    [
        ([ROOT, NEVER], OTHER, "", GET, ARN, True),
        ([ROOT, NEVER], OTHER, "", "S3:getobject", ARN, True),
        ([ROOT, NEVER], OTHER, "", PUT, ARN, None),
        ([ROOT, NEVER], OTHER, "", GET, SECRET, False),
        ([NEVER, ROOT], OTHER, "", GET, SECRET, False),
        ([ROOT, NEVER], "333333333333", "", GET, ARN, None),
        (ROOT, OTHER, "", GET, ARN, True),
        (allow("*"), "333333333333", "", GET, ARN, True),
        (allow({"AWS": OTHER}), OTHER, "", GET, ARN, True),
        (allow({"AWS": ROLE}), OTHER, ROLE, GET, ARN, True),
        (allow({"AWS": ROLE}), OTHER, SESSION, GET, ARN, True),
        (allow({"AWS": ROLE}), OTHER, f"{ROLE}2", GET, ARN, None),
        (allow({"Service": "sns.amazonaws.com"}), OTHER, ROLE, GET, ARN, None),
        (allow("*", Condition={"Bool": {"x": "y"}}), OTHER, ROLE, GET, ARN, None),
        (allow("*", Effect="Perhaps"), OTHER, ROLE, GET, ARN, None),
        (allow("*", Resource=None), OTHER, ROLE, GET, ARN, None),
        ([], OTHER, ROLE, GET, ARN, None),
        (OTHERS, OTHER, "", GET, ARN, False),
        (OTHERS, OTHER, ROLE, GET, ARN, None),
        (OTHERS, OTHER, "", PUT, ARN, None),
        (OTHERS, OTHER, "", GET, SECRET, None),
        (None, OTHER, ROLE, GET, ARN, None),
    ],
)
def test_a_policy_is_about_whom_and_what_it_names(
    statements, account, caller, action, arn, allowed
):
    ask = Ask(action, arn, account, caller)
    assert decide({"Statement": statements}, ask) is allowed
    if allowed and "Principal" in str(statements):
        assert invites({"Statement": statements}, ask)


S3, SNS = "s3.amazonaws.com", "sns.amazonaws.com"
FROM = {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::photos*"}}


@pytest.mark.parametrize(
    ("statement", "service", "source", "allowed"),
    [
        (allow({"Service": S3}), S3, "photos", True),
        (allow({"Service": [SNS, S3]}), S3, "photos", True),
        (allow({"Service": SNS}), S3, "photos", None),
        (allow({"AWS": "*"}), S3, "photos", True),
        (allow("*"), S3, "photos", True),
        (allow({"AWS": OTHER}), S3, "photos", None),
        (allow({"Service": S3}, Condition=FROM), S3, "photos-2", True),
        (allow({"Service": S3}, Condition=FROM), S3, "letters", None),
        (allow("*", Effect="Deny", Condition=FROM), S3, "photos", False),
        (allow({"CanonicalUser": "abc"}), S3, "photos", None),
    ],
)
def test_a_service_is_a_principal_of_its_own(statement, service, source, allowed):
    keys = {"aws:sourcearn": (f"arn:aws:s3:::{source}",)}
    assert decide({"Statement": statement}, Ask(GET, ARN, service=service, keys=keys)) is allowed


def test_a_canonical_user_is_named_by_its_id():
    policy = {"Statement": allow({"CanonicalUser": "abc"})}
    assert decide(policy, Ask(GET, ARN, OTHER, canonical="abc"))
    assert decide(policy, Ask(GET, ARN, OTHER, canonical="abd")) is None


def test_an_invitation_holds_whatever_the_circumstances():
    never = allow({"Service": S3}, Condition={"Null": {"aws:SourceArn": "false"}})
    ask = Ask(GET, ARN, service=S3)
    assert decide({"Statement": never}, ask) is None
    assert invites({"Statement": never}, ask)
    assert not invites({"Statement": {**never, "Effect": "Deny"}}, ask)
    assert not invites({"Statement": never}, Ask(PUT, ARN, service=S3))


def test_variables_of_resources_are_read_in_newer_policies_alone():
    own = allow("*", Resource="arn:aws:s3:::b/${aws:username}/*")
    keys = {"aws:username": ("ann",)}
    ann = Ask(GET, "arn:aws:s3:::b/ann/x", keys=keys)
    assert decide({"Version": "2012-10-17", "Statement": own}, ann)
    assert decide({"Version": "2008-10-17", "Statement": own}, ann) is None
    assert decide({"Version": "2012-10-17", "Statement": own}, Ask(GET, ann.resource)) is None
    assert needed(json.dumps({"Statement": [own, NEVER]})) == {"aws:username"}


@pytest.mark.parametrize("block", ["x", ["x"], 1, {"StringEquals": "x"}, {"StringEquals": [1]}])
def test_a_stored_condition_that_is_none_never_holds(block):
    text = json.dumps({"Statement": [allow("*", Condition=block), NEVER]})
    assert decide_stored(text, Ask(GET, ARN)) is None
    assert decide_stored(text, Ask(GET, SECRET)) is False


def test_the_policies_of_who_asks_decide_together():
    reads = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    tagged = {"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "*"}
    tagged["Condition"] = {"StringEquals": {"aws:ResourceTag/locked": "yes"}}
    documents = [{"Statement": reads}, {"Statement": [tagged]}]
    locked = {"aws:resourcetag/locked": ("yes",)}
    assert permits(documents, Ask(PUT, ARN)) is True
    assert permits(documents, Ask(PUT, ARN, keys=locked)) is False
    assert permits(documents, Ask(GET, ARN, keys=locked)) is True
    assert permits([], Ask(GET, ARN)) is None


def test_what_was_decided_is_decided_again_for_other_circumstances():
    until = {"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}
    for condition, key, yes, no in [
        (FROM, "aws:sourcearn", "arn:aws:s3:::photos", "arn:aws:s3:::x"),
        (until, "aws:currenttime", "2029-12-31T00:00:00Z", "2030-01-02T00:00:00Z"),
    ]:
        text = json.dumps({"Statement": allow("*", Condition=condition)})
        for _ in range(2):
            assert decide_stored(text, Ask(GET, ARN, keys={key: (yes,)})) is True
            assert decide_stored(text, Ask(GET, ARN, keys={key: (no,)})) is None


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "Effect": st.sampled_from(["Allow", "Deny"]),
                "Principal": st.sampled_from(["*", {"AWS": OTHER}, {"Service": S3}]),
                "Action": st.sampled_from(["s3:*", GET, PUT, [GET, PUT]]),
                "Resource": st.sampled_from(["*", ARN, SECRET]),
            },
            optional={"Condition": st.just(FROM)},
        ),
        max_size=5,
    ),
    st.sampled_from([Ask(GET, ARN, OTHER), Ask(PUT, SECRET, service=S3)]),
)
def test_the_order_of_statements_does_not_matter_and_a_denial_outweighs(statements, ask):
    decided = decide({"Statement": statements}, ask)
    assert decide({"Statement": statements[::-1]}, ask) is decided
    denial = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    assert decide({"Statement": [*statements, denial]}, ask) is False


@given(st.text("ab*?.", max_size=8), st.text("ab.\n", max_size=8))
def test_a_pattern_means_what_an_expression_would(pattern, value):
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    wanted = re.fullmatch(expression, value, re.DOTALL) is not None
    assert matches([pattern], value) is wanted
    assert matches([f"${{x}}{pattern}"], f"*{value}", {"x": ("*",)}) is wanted


def test_a_hostile_pattern_takes_no_longer_than_others():
    assert not matches(["*a" * 2000 + "b"], "a" * 4000)

"""What a resource's policy says to a caller."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.core.resource_policy import decide, matches

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
    assert decide({"Statement": statements}, account, caller, action, arn) is allowed


@given(st.text("ab*?.", max_size=8), st.text("ab.\n", max_size=8))
def test_a_pattern_means_what_an_expression_would(pattern, value):
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    wanted = re.fullmatch(expression, value, re.DOTALL) is not None
    assert matches([pattern], value) is wanted


def test_a_hostile_pattern_takes_no_longer_than_others():
    assert not matches(["*a" * 2000 + "b"], "a" * 4000)

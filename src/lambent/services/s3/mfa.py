"""MFA delete: what a bucket that has it asks of requests. Pure.

Source: "Configuring MFA delete". The header's form is checked and its presence demanded; there
are no devices here whose code could be verified.
"""

from __future__ import annotations

import re
from typing import Final

from lambent.core.context import Params
from lambent.core.errors import AwsError
from lambent.services.s3.errors import invalid_argument
from lambent.services.s3.model import ENABLED, Bucket

_HEADER: Final = re.compile(r"\S+ \d{6}")


def check_header(params: Params) -> None:
    """InvalidArgument for an x-amz-mfa header that is none."""
    header = params.get("MFA")
    if header is not None and _HEADER.fullmatch(header) is None:
        raise invalid_argument(
            "Mfa header is invalid -- the header should be formatted as "
            "{serialNumber}(space){tokenCode}",
            "x-amz-mfa",
            header,
        )


def demand(bucket: Bucket, params: Params, *, enables: bool = False) -> None:
    """AccessDenied for a request without MFA where the bucket asks for it, or is to ask."""
    check_header(params)
    if (enables or bucket.mfa_delete == ENABLED) and "MFA" not in params:
        raise AwsError("AccessDenied", "Mfa Authentication must be used for this request", 403)

"""Why a signer is refused, in the words of the service that was asked.

Four manners: S3 (XML, its own codes), the query services (`InvalidClientTokenId`, 403), the
JSON services (`UnrecognizedClientException`, 400), SQS and the REST-JSON services (the same
codes, 403). Sources: IAM "Common errors", S3 API Reference "Error responses".
"""

from __future__ import annotations

from typing import Final

from lambent.core.errors import AwsError
from lambent.gateway.claim import Claim
from lambent.gateway.presigned import amz_format, iso
from lambent.gateway.sigv4 import Signed

SKEW: Final = 15 * 60
"""Seconds by which a client's clock may differ from ours."""

_QUERY: Final = frozenset(
    {"sns", "sts", "iam", "cloudformation", "cloudwatch", "ses", "ec2", "elbv2"}
)
_FORBIDDEN: Final = frozenset(
    {"lambent", "sqs", "lambda", "scheduler", "pipes", "apigateway", "apigatewayv2", "sesv2"}
)

_MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. "
    "Consult the service documentation for details."
)
_S3_MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your key and signing method."
)


def _other(service: str, query_code: str, json_code: str, message: str) -> AwsError:
    """The error of a service that is not S3."""
    if service in _QUERY:
        return AwsError(query_code, message, 403)
    return AwsError(json_code, message, 403 if service in _FORBIDDEN else 400)


def unsigned(service: str) -> AwsError:
    """No signature at all."""
    if service == "s3":
        return AwsError("AccessDenied", "Access Denied", 403)
    if service in _QUERY:
        return AwsError(
            "MissingAuthenticationToken", "Request is missing Authentication Token", 403
        )
    code = "MissingAuthenticationTokenException"
    return AwsError(code, "Missing Authentication Token", 403 if service in _FORBIDDEN else 400)


def old_version() -> AwsError:
    """Signature Version 2."""
    return AwsError(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. "
        "Please use AWS4-HMAC-SHA256.",
        400,
    )


def malformed(service: str, authorization: str) -> AwsError:
    """A signature that cannot be read."""
    if service == "s3":
        if authorization and not authorization.startswith("AWS4-"):
            return AwsError("InvalidArgument", "Unsupported Authorization Type", 400)
        return AwsError(
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the authorization header requires three "
            "components: Credential, SignedHeaders, and Signature.",
            400,
        )
    wanted = ("Credential", "Signature", "SignedHeaders")
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in wanted
        if f"{name}=" not in authorization
    ]
    message = " ".join(missing or ["Credential must have exactly 5 slash-delimited elements."])
    return _other(service, "IncompleteSignature", "IncompleteSignatureException", message)


def malformed_query(message: str) -> AwsError:
    """S3's presigned query is not complete."""
    return AwsError("AuthorizationQueryParametersError", message, 400)


def unknown_key(service: str, access_key: str) -> AwsError:
    """No such access key."""
    if service == "s3":
        return AwsError(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            403,
            {"AWSAccessKeyId": access_key},
        )
    return _other(
        service,
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )


def wrong_token(service: str, token: str) -> AwsError:
    """The session token is missing, or is not the key's."""
    if service == "s3":
        message = "The provided token is malformed or otherwise invalid."
        return AwsError("InvalidToken", message, 400, {"Token-0": token})
    return unknown_key(service, "")


def expired_token(service: str) -> AwsError:
    """The temporary key has ended."""
    if service == "s3":
        return AwsError("ExpiredToken", "The provided token has expired.", 400)
    return _other(
        service,
        "ExpiredToken",
        "ExpiredTokenException",
        "The security token included in the request is expired",
    )


def skewed(service: str, text: str, time: float, now: float) -> AwsError:
    """The request's time is too far from ours."""
    if service == "s3":
        return AwsError(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            403,
            {
                "RequestTime": text,
                "ServerTime": iso(now),
                "MaxAllowedSkewMilliseconds": str(SKEW * 1000),
            },
        )
    if time < now:
        message = (
            f"Signature expired: {text} is now earlier than {amz_format(now - SKEW)} "
            f"({amz_format(now)} - 15 min.)"
        )
    else:
        message = (
            f"Signature not yet current: {text} is still later than {amz_format(now + SKEW)} "
            f"({amz_format(now)} + 15 min.)"
        )
    return _other(service, "SignatureDoesNotMatch", "InvalidSignatureException", message)


def no_time(service: str) -> AwsError:
    """Neither X-Amz-Date nor Date is there, or it is no time."""
    if service == "s3":
        return AwsError(
            "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", 403
        )
    return _other(
        service,
        "IncompleteSignature",
        "IncompleteSignatureException",
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    )


def wrong_scope(service: str, message: str) -> AwsError:
    """The credential scope is not for this request."""
    if service == "s3":
        return AwsError(
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; {message}",
            400,
        )
    return _other(service, "SignatureDoesNotMatch", "InvalidSignatureException", message)


def unsigned_headers(names: list[str]) -> AwsError:
    """S3 wants every x-amz-* header signed."""
    return AwsError(
        "AccessDenied",
        "There were headers present in the request which were not signed",
        403,
        {"HeadersNotSigned": ", ".join(names)},
    )


def missing_payload_hash() -> AwsError:
    """S3 wants x-amz-content-sha256."""
    return AwsError(
        "InvalidRequest",
        "Missing required header for this request: x-amz-content-sha256",
        400,
    )


def bad_payload_hash(given: str) -> AwsError:
    """x-amz-content-sha256 is none of what it may be."""
    return AwsError(
        "InvalidArgument",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a "
        "valid sha256 value.",
        400,
        {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": given},
    )


def mismatch(service: str, claim: Claim, signed: Signed) -> AwsError:
    """The signature is not the one that the key gives."""
    if service == "s3":
        return AwsError(
            "SignatureDoesNotMatch",
            _S3_MISMATCH,
            403,
            {
                "AWSAccessKeyId": claim.access_key,
                "StringToSign": signed.string_to_sign,
                "SignatureProvided": claim.signature,
                "StringToSignBytes": signed.string_to_sign.encode().hex(" "),
                "CanonicalRequest": signed.canonical_request,
                "CanonicalRequestBytes": signed.canonical_request.encode("latin-1").hex(" "),
            },
        )
    return _other(service, "SignatureDoesNotMatch", "InvalidSignatureException", _MISMATCH)


def chunk_signature(to_sign: str, provided: str) -> AwsError:
    """A chunk of a streaming body is not what was signed."""
    return AwsError(
        "SignatureDoesNotMatch",
        _S3_MISMATCH,
        403,
        {"StringToSign": to_sign, "SignatureProvided": provided},
    )

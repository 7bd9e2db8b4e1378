"""S3's errors, worded and dressed as S3 does it.

Source: "Amazon S3 REST API, Error responses", and the members S3 puts beside code and
message (BucketName, Key, ArgumentName...).
"""

from __future__ import annotations

from collections.abc import Mapping

from lambent.core.errors import AwsError


def no_such_bucket(name: str) -> AwsError:
    """404 for a bucket that is not there."""
    return AwsError(
        "NoSuchBucket", "The specified bucket does not exist", 404, {"BucketName": name}
    )


def no_such_key(key: str, headers: Mapping[str, str] | None = None) -> AwsError:
    """404 for a key without a live object."""
    return AwsError(
        "NoSuchKey", "The specified key does not exist.", 404, {"Key": key}, headers=headers
    )


def no_such_version(key: str, version_id: str) -> AwsError:
    """404 for a well-formed version id that the key does not have."""
    return AwsError(
        "NoSuchVersion",
        "The specified version does not exist.",
        404,
        {"Key": key, "VersionId": version_id},
    )


def no_such_upload(upload_id: str) -> AwsError:
    """404 for a multipart upload that is not in progress."""
    return AwsError(
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload "
        "may have been aborted or completed.",
        404,
        {"UploadId": upload_id},
    )


def invalid_argument(message: str, name: str, value: str | None = None) -> AwsError:
    """400 that names the argument which is wrong."""
    members = {"ArgumentName": name}
    if value is not None:
        members["ArgumentValue"] = value
    return AwsError("InvalidArgument", message, 400, members)


def invalid_request(message: str) -> AwsError:
    """400 for a combination that makes no sense."""
    return AwsError("InvalidRequest", message, 400)


def precondition_failed(condition: str) -> AwsError:
    """412; `condition` is the header that did not hold."""
    return AwsError(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        412,
        {"Condition": condition},
    )


def access_denied() -> AwsError:
    """403."""
    return AwsError("AccessDenied", "Access Denied", 403)


def malformed_xml() -> AwsError:
    """400 for XML that breaks S3's schema."""
    return AwsError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
        400,
    )


def method_not_allowed(
    method: str, resource: str, headers: Mapping[str, str] | None = None
) -> AwsError:
    """405; `resource` is what the method met ("DeleteMarker", "OBJECT")."""
    return AwsError(
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
        405,
        {"Method": method, "ResourceType": resource},
        headers=headers,
    )


def invalid_range(requested: str, size: int) -> AwsError:
    """416 for a range that lies beyond the object."""
    return AwsError(
        "InvalidRange",
        "The requested range is not satisfiable",
        416,
        {"RangeRequested": requested, "ActualObjectSize": size},
    )


def not_in_active_tier() -> AwsError:
    """403 for a copy of what is archived."""
    return AwsError(
        "ObjectNotInActiveTierError",
        "The source object of the COPY operation is not in the active tier and is only stored "
        "in Amazon Glacier.",
        403,
    )


def not_implemented(header: str) -> AwsError:
    """501 for a header value that S3 does not implement."""
    return AwsError(
        "NotImplemented",
        "A header you provided implies functionality that is not implemented",
        501,
        {"Header": header},
    )

"""The rules of multipart uploads: which parts make an object, and what it is then. Pure.

Source: "Uploading and copying objects using multipart upload" and the
CompleteMultipartUpload reference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from lambent.core.context import Params
from lambent.core.errors import AwsError
from lambent.services.s3 import checksums
from lambent.services.s3.bodies import bad_checksum
from lambent.services.s3.errors import invalid_argument, invalid_request, malformed_xml
from lambent.services.s3.model import Part, Upload

MINIMUM: Final = 5 * 1024**2
MOST_PARTS: Final = 10_000


def check_part_number(number: int) -> int:
    """The number; InvalidArgument outside 1 to 10,000."""
    if not 1 <= number <= MOST_PARTS:
        raise invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            "partNumber",
            str(number),
        )
    return number


def read_checksum_plan(params: Params) -> tuple[str, str, bool]:
    """The upload's checksum algorithm and type, and whether the client asked for it."""
    asked = params.get("ChecksumAlgorithm")
    kind = params.get("ChecksumType")
    if asked is None:
        if kind is not None:
            raise invalid_request(
                "The x-amz-checksum-type header can only be used with the "
                "x-amz-checksum-algorithm header."
            )
        return checksums.DEFAULT, checksums.FULL_OBJECT, False
    algorithm = checksums.check_algorithm(asked)
    if kind is None:
        return algorithm, checksums.default_type(algorithm), True
    if kind not in (checksums.COMPOSITE, checksums.FULL_OBJECT):
        raise invalid_request("Value for x-amz-checksum-type header is invalid.")
    if not checksums.allows_type(algorithm, kind):
        raise invalid_request(
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} "
            "checksum algorithm."
        )
    return algorithm, kind, True


def check_part_key(upload: Upload, given: str) -> None:
    """A part must be encrypted as the upload was begun; `given` is the MD5 of its key."""
    if upload.details.customer_key and not given:
        raise invalid_request(
            "The multipart upload initiate requested encryption. Subsequent part requests must "
            "include the appropriate encryption parameters."
        )
    if upload.details.customer_key != given:
        raise invalid_request(
            "The provided encryption parameters did not match the ones used originally."
        )


def check_part_checksum(upload: Upload, algorithm: str | None) -> None:
    """A part must bring the checksum that the upload was begun with."""
    if upload.asked and algorithm != upload.algorithm:
        if algorithm is None and upload.checksum_type == checksums.FULL_OBJECT:
            return
        actual = "null" if algorithm is None else algorithm.lower()
        raise invalid_request(
            "Checksum Type mismatch occurred, expected checksum Type: "
            f"{upload.algorithm.lower()}, actual checksum Type: {actual}"
        )


def _invalid_part(upload: Upload, number: int, etag: str) -> AwsError:
    return AwsError(
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been "
        "uploaded, or the specified entity tag may not match the part's entity tag.",
        400,
        {"UploadId": upload.id, "PartNumber": number, "ETag": etag},
    )


def choose_parts(
    upload: Upload, uploaded: Mapping[int, Part], listed: Sequence[Mapping[str, Any]]
) -> list[Part]:
    """The parts that a CompleteMultipartUpload lists.

    MalformedXML, InvalidPartOrder, InvalidPart, InvalidRequest for a missing checksum,
    EntityTooSmall for a part under 5 MiB that is not the last.
    """
    if not 1 <= len(listed) <= MOST_PARTS:
        raise malformed_xml()
    if any("PartNumber" not in entry or "ETag" not in entry for entry in listed):
        raise malformed_xml()
    numbers = [int(entry["PartNumber"]) for entry in listed]
    if min(numbers) < 1:
        raise invalid_argument("PartNumber must be >= 1", "PartNumber", str(min(numbers)))
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise AwsError(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
            400,
            {"UploadId": upload.id},
        )
    chosen: list[Part] = []
    composite = upload.asked and upload.checksum_type == checksums.COMPOSITE
    for entry in listed:
        number, etag = entry["PartNumber"], str(entry["ETag"]).strip('"')
        part = uploaded.get(number)
        if part is None or part.etag != etag:
            raise _invalid_part(upload, number, etag)
        value = entry.get(checksums.MEMBERS[upload.algorithm])
        if composite and value is None:
            raise invalid_request(
                f"The upload was created using a {upload.algorithm.lower()} checksum. The "
                "complete request must include the checksum for each part. It was missing "
                f"for part {number} in the request."
            )
        if value is not None and value != part.checksum:
            raise _invalid_part(upload, number, etag)
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < MINIMUM:
            raise AwsError(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                400,
                {
                    "ProposedSize": part.size,
                    "MinSizeAllowed": MINIMUM,
                    "PartNumber": part.number,
                    "ETag": part.etag,
                },
            )
    return chosen


def whole_etag(parts: Sequence[Part]) -> str:
    """The MD5 of the parts' MD5s, with their number."""
    joined = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"


def whole_checksum(upload: Upload, parts: Sequence[Part]) -> str:
    """The object's checksum from those of its parts."""
    if upload.checksum_type == checksums.COMPOSITE:
        return checksums.composite(upload.algorithm, [part.checksum for part in parts])
    return checksums.combine(upload.algorithm, [(part.checksum, part.size) for part in parts])


def check_claims(upload: Upload, params: Params, size: int, checksum: str) -> None:
    """Hold what the request says of the whole object (type, size, checksum) against it."""
    kind = params.get("ChecksumType")
    if kind is not None and upload.asked and kind != upload.checksum_type:
        raise invalid_request(
            f"The upload was created using the {upload.checksum_type} checksum mode. The "
            "complete request must use the same checksum mode."
        )
    claimed = params.get("MpuObjectSize")
    if claimed is not None and claimed != size:
        raise invalid_request(
            f"The provided 'x-amz-mp-object-size' header value {claimed} does not match what "
            f"was computed: {size}"
        )
    for algorithm, member in checksums.MEMBERS.items():
        if member not in params:
            continue
        if algorithm != upload.algorithm:
            if upload.asked:
                raise invalid_request(
                    f"The upload was created using a {upload.algorithm.lower()} checksum."
                )
            continue
        claimed_value = str(params[member]).partition("-")[0]
        if not checksums.is_wellformed(algorithm, claimed_value):
            raise invalid_request(f"Value for {checksums.HEADERS[algorithm]} header is invalid.")
        if claimed_value != checksum.partition("-")[0]:
            raise bad_checksum(algorithm)

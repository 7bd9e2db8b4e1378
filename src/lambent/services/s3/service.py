"""Makes the service S3 for a node."""

from __future__ import annotations

from lambent.services.contract import Platform, Service
from lambent.services.s3.housekeeping import Housekeeping
from lambent.services.s3.operations import Operations
from lambent.services.s3.resources import resource_types
from lambent.services.s3.retirement import PARTS_OF_UPLOAD, UPLOADS_OF_BUCKET, retirement
from lambent.services.s3.websites import Websites


def create(platform: Platform) -> Service:
    """S3 with its operations and CloudFormation resource types."""
    operations = Operations(platform)
    return Service(
        name="s3",
        operations=operations,
        resources=resource_types(operations),
        sites=(Websites(operations).site,),
        removes=(PARTS_OF_UPLOAD, UPLOADS_OF_BUCKET),
        duties=(
            retirement(platform.store, platform.clock),
            Housekeeping(operations).duty,
        ),
    )

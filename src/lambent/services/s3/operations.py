"""All operations of S3, grouped by what they are about.

ObjectOperations            put, get, head, delete, attributes
CopyOperations              copy
MultipartOperations         uploads in parts
BucketOperations            create, look, list, delete, versioning
SettingsOperations          a bucket's settings
NamedSettingsOperations     those of which there are several
ObjectSettingsOperations    tags, grants, retention of an object
NotificationOperations      who hears of events
AccessOperations            access by attributes, encrypting anew
RestoreOperations           archived objects made readable
ListOperations              keys and versions
"""

from __future__ import annotations

from lambent.services.s3.access_operations import AccessOperations
from lambent.services.s3.cors_operations import CorsOperations
from lambent.services.s3.list_operations import ListOperations
from lambent.services.s3.post_operations import PostOperations
from lambent.services.s3.restore_operations import RestoreOperations


class Operations(
    PostOperations, AccessOperations, RestoreOperations, ListOperations, CorsOperations
):
    """What the registry serves."""

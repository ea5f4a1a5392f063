# SPDX-License-Identifier: Apache-2.0
"""Every error this library raises: one root, one class for each decision a caller can take.

An error's text is one line: what was wanted, what was found and, last, what to do about it; the fields stay on the
instance. Whether trying again can help is a type, :class:`RetryableError`, and not a list of codes.
"""

from amphora_image.errors.base import AmphoraImageError, ConfigurationError, RetryableError
from amphora_image.errors.building import (
    BuildFailedError,
    DiskFullError,
    DiskTooSmallError,
    MirrorUnavailableError,
    MissingProgramsError,
    NoRightsError,
    ProgramFailedError,
    TrialFailedError,
    UnbootableSystemError,
    UnknownChoiceError,
    UntrustedMirrorError,
)
from amphora_image.errors.choosing import (
    ImageMisfitError,
    InvalidReferenceError,
    NoImageError,
    NoOwnerError,
    NothingWantedError,
)
from amphora_image.errors.contents import FormatMismatchError, UnsafeImageError
from amphora_image.errors.inspection import UnreadableImageError
from amphora_image.errors.promotion import (
    CannotBootError,
    EmptyTagError,
    NoFormerError,
    OvertakenError,
    PromotionBusyError,
)
from amphora_image.errors.publishing import (
    HashMismatchError,
    ImportFailedError,
    ImportStuckError,
    NoMethodError,
    ServerConversionError,
    UnusableFileError,
)
from amphora_image.errors.relations import (
    InvalidRelationError,
    RelationSchemaError,
    RelationStoreError,
    SnapshotFailedError,
)
from amphora_image.errors.servers import (
    AmbiguousBuildError,
    NoResourcesError,
    PortInUseError,
    SandboxError,
    ServerFailedError,
    VolumeFailedError,
)
from amphora_image.errors.services import (
    AccessDeniedError,
    AuthenticationError,
    QuotaExceededError,
    RequestRefusedError,
    ResourceNotFoundError,
    ServiceUnavailableError,
)
from amphora_image.errors.sources import (
    ChecksumFileError,
    DestinationError,
    DigestMismatchError,
    NotBootableError,
    PinAlgorithmError,
    SourceChangedError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRefusedError,
    SourceUnavailableError,
    UnknownSchemeError,
)

__all__ = [
    "AccessDeniedError",
    "AmbiguousBuildError",
    "AmphoraImageError",
    "AuthenticationError",
    "BuildFailedError",
    "CannotBootError",
    "ChecksumFileError",
    "ConfigurationError",
    "DestinationError",
    "DigestMismatchError",
    "DiskFullError",
    "DiskTooSmallError",
    "EmptyTagError",
    "FormatMismatchError",
    "HashMismatchError",
    "ImageMisfitError",
    "ImportFailedError",
    "ImportStuckError",
    "InvalidReferenceError",
    "InvalidRelationError",
    "MirrorUnavailableError",
    "MissingProgramsError",
    "NoFormerError",
    "NoImageError",
    "NoMethodError",
    "NoOwnerError",
    "NoResourcesError",
    "NoRightsError",
    "NotBootableError",
    "NothingWantedError",
    "OvertakenError",
    "PinAlgorithmError",
    "PortInUseError",
    "ProgramFailedError",
    "PromotionBusyError",
    "QuotaExceededError",
    "RelationSchemaError",
    "RelationStoreError",
    "RequestRefusedError",
    "ResourceNotFoundError",
    "RetryableError",
    "SandboxError",
    "ServerConversionError",
    "ServerFailedError",
    "ServiceUnavailableError",
    "SnapshotFailedError",
    "SourceChangedError",
    "SourceForbiddenError",
    "SourceNotFoundError",
    "SourceRefusedError",
    "SourceUnavailableError",
    "TrialFailedError",
    "UnbootableSystemError",
    "UnknownChoiceError",
    "UnknownSchemeError",
    "UnreadableImageError",
    "UnsafeImageError",
    "UntrustedMirrorError",
    "UnusableFileError",
    "VolumeFailedError",
]

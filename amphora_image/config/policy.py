# SPDX-License-Identifier: Apache-2.0
"""What the configuration says about choosing an image, as one value read at the moment of a decision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from amphora_image.config.options import AMPHORA_IMAGE, CONTROLLER_WORKER
from amphora_image.errors import ConfigurationError, InvalidReferenceError, NotBootableError, NothingWantedError
from amphora_image.reference import IdReference, Reference, TagReference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oslo_config import cfg


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted, and the place where that is written (an option's name, or ``the build's argument``)."""

    reference: TagReference | IdReference
    source: str

    @classmethod
    def of(cls, reference: Reference, source: str) -> Wanted:
        """Want the image that ``reference`` names, as ``source`` says.

        :raises NotBootableError: it names none of Glance.
        """
        if not isinstance(reference, TagReference | IdReference):
            raise NotBootableError(reference.shown, source)
        return cls(reference, source)

    def __str__(self) -> str:
        match self.reference:
            case TagReference(tag=tag):
                return f"tag {tag!r} ({self.source})"
            case IdReference(image_id=image_id):
                return f"image id {image_id} ({self.source})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of choice; ``owner`` empty means the service's own project. Times are in seconds."""

    image_tag: str = ""
    zone_image_tags: Mapping[str, str] = field(default_factory=dict)
    image_ref: str = ""
    deprecated_id: str = ""
    owner: str = ""
    trust_any_owner: bool = False
    denied_image_ids: frozenset[str] = frozenset()
    pair_window_seconds: float = 600

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> Policy:
        """Read the policy from ``conf`` as it is now: mutable options take effect at the next build.

        :raises ConfigurationError: denied_image_ids holds what is no image id.
        """
        worker, ours = conf[CONTROLLER_WORKER], conf[AMPHORA_IMAGE]
        return cls(
            image_tag=worker.amp_image_tag or "",
            zone_image_tags=dict(ours.zone_image_tags),
            image_ref=ours.image_ref or "",
            deprecated_id=worker.amp_image_id or "",
            owner=worker.amp_image_owner_id or "",
            trust_any_owner=ours.trust_any_owner,
            denied_image_ids=frozenset(map(_denied, ours.denied_image_ids)),
            pair_window_seconds=ours.pair_window_seconds,
        )

    def wanted(self, *, image_tag: str | None = None, zone: str | None = None) -> Wanted:
        """Say what a build in ``zone`` wants; ``image_tag`` is the build's own argument. The first that is set counts.

        :raises NothingWantedError: neither the build nor any option names an image.
        :raises InvalidReferenceError: the tag that counts is too long or no text.
        :raises ConfigurationError: image_ref or amp_image_id counts and cannot be read, or names no image of Glance.
        """
        if image_tag:
            return Wanted(TagReference(image_tag), "the build's argument")
        if self.image_tag:
            return Wanted(TagReference(self.image_tag), "[controller_worker] amp_image_tag")
        if zone and (tag := self.zone_image_tags.get(zone)):
            return Wanted(TagReference(tag), f"[amphora_image] zone_image_tags, {zone}")
        if self.image_ref:
            return Wanted.of(_parse(self.image_ref, "[amphora_image] image_ref"), "[amphora_image] image_ref")
        fallback = self.fallback()
        if fallback is None:
            raise NothingWantedError
        return fallback

    def check(self) -> None:
        """Read what is otherwise read only when it counts.

        :raises ConfigurationError: image_ref or amp_image_id cannot be read, or names no image of Glance.
        """
        if self.image_ref:
            Wanted.of(_parse(self.image_ref, "[amphora_image] image_ref"), "[amphora_image] image_ref")
        self.fallback()

    def fallback(self) -> Wanted | None:
        """Give what the deprecated ``amp_image_id`` names, or None when it is not set.

        :raises ConfigurationError: it is no image id.
        """
        if not self.deprecated_id:
            return None
        source = "[controller_worker] amp_image_id"
        try:
            return Wanted(IdReference(self.deprecated_id.removeprefix("glance://")), source)
        except InvalidReferenceError as error:
            problem = f"{source} is {self.deprecated_id!r}, which is no image id"
            raise ConfigurationError(problem, "put a UUID there") from error


def _denied(text: str) -> str:
    """Read one id of ``denied_image_ids``; what bars no image must not look as if it did."""
    try:
        return IdReference(text.strip().removeprefix("glance://")).image_id
    except InvalidReferenceError as error:
        problem = f"[amphora_image] denied_image_ids holds {text!r}, which is no image id"
        raise ConfigurationError(problem, "put UUIDs there, with commas between them") from error


def _parse(text: str, option: str) -> Reference:
    """Parse an option's value; the error names the option."""
    try:
        return Reference.parse(text)
    except InvalidReferenceError as error:
        raise ConfigurationError(
            f"{option}: {error.text!r} is no image reference: {error.reason}", error.remedy
        ) from error

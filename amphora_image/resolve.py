# SPDX-License-Identifier: Apache-2.0
"""Reference to image, by policy, with an explanation on demand."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from amphora_image.choice import Choice, Rules, choose
from amphora_image.clients.glance import GlanceImages
from amphora_image.clients.session import adapter, project_id
from amphora_image.config.options import AMPHORA_IMAGE, GLANCE
from amphora_image.errors import NoImageError, NoOwnerError, PinAlgorithmError
from amphora_image.models import Image
from amphora_image.reference import Pin, TagReference
from amphora_image.sharing import PairMemory, SharedLookups

if TYPE_CHECKING:
    from collections.abc import Callable

    from keystoneauth1.session import Session
    from oslo_config import cfg

    from amphora_image.clients.glance import ImageStore
    from amphora_image.config.policy import Policy, Wanted
    from amphora_image.models import Candidate
    from amphora_image.sharing import PairedBuild

LOG = logging.getLogger(__name__)


class Resolver:
    """Turn what is wanted into one image that may be booted. Thread-safe; one serves a whole process.

    ``images`` is Glance; ``project_id`` tells the project that the service's token is scoped to, and is asked only
    where no owner is configured.
    """

    def __init__(
        self,
        images: ImageStore,
        project_id: Callable[[], str | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._images = images
        self._project_id = project_id
        self._lookups: SharedLookups[Choice] = SharedLookups()
        self._pairs = PairMemory(clock)

    def resolve(
        self, wanted: Wanted, policy: Policy, *, owner: str | None = None, build: PairedBuild | None = None
    ) -> Image:
        """Choose the image for ``wanted``; where ``build`` is one of a pair, both get the same one.

        ``owner`` is the build's own argument. Where no image passes the rules, the deprecated ``amp_image_id`` is
        tried, with a warning; after a look-up that failed it is not.

        :raises NoImageError: the look-up was answered and nothing passes the rules, or what does is not what the
            reference is pinned to.
        :raises PinAlgorithmError: it is pinned by another digest than the one that Glance keeps.
        :raises NoOwnerError: whose images to trust is not known.
        :raises AmphoraImageError: Keystone or Glance refuses or gives no answer within the deadline.
        """
        image = self._decide(wanted, policy, owner)
        if build is None or not policy.pair_window_seconds:
            return image
        other = self._pairs.settle(build, wanted.reference, image, policy.pair_window_seconds)
        if other is None:
            return image
        # The tag has moved since, which is no reason to boot a mixed pair; every other rule still holds.
        current = self._images.get(other.id)
        objection = self._rules(wanted, policy, owner).objection(current) if current else "it is gone"
        if current is None or objection:
            LOG.warning("Image %s of the other amphora of a pair is not used again: %s", other.id, objection)
            return image
        self._pairs.follow(build, other)
        return Image.of(current, f"{other.chosen_by}, as the other of its pair")

    def boot_failed(self, build: PairedBuild | None) -> None:
        """Forget what was chosen for a build, of which nothing came."""
        if build is not None:
            self._pairs.failed(build)

    def booted(self, build: PairedBuild | None, server_id: str) -> None:
        """Note the server that a build led to."""
        if build is not None:
            self._pairs.came_of(build, server_id)

    def deleted(self, server_id: str) -> None:
        """Forget the decision that led to a server: the image of one that existed before decides nothing."""
        self._pairs.gone(server_id)

    def explain(self, wanted: Wanted, policy: Policy, *, owner: str | None = None) -> Choice:
        """Judge every image that could be meant, foreign, hidden and inactive ones too; costs up to two requests.

        :raises NoOwnerError: whose images to trust is not known.
        :raises AmphoraImageError: Keystone or Glance refuses or gives no answer within the deadline.
        """
        rules = self._rules(wanted, policy, owner)
        if isinstance(wanted.reference, TagReference):
            return self._judge_all(wanted.reference, rules)
        return self._look_up(wanted, rules)

    def rules(self, wanted: Wanted, policy: Policy) -> Rules:
        """Say by which rules ``wanted`` is judged where the build names no owner.

        :raises NoOwnerError: whose images to trust is not known.
        """
        return self._rules(wanted, policy, None)

    def _decide(self, wanted: Wanted, policy: Policy, owner: str | None) -> Image:
        """Look up what is wanted; where nothing passes, say why or fall back to the deprecated id."""
        rules = self._rules(wanted, policy, owner)
        choice = self._look_up(wanted, rules)
        if choice.winner is None and isinstance(wanted.reference, TagReference):
            choice = self._judge_all(wanted.reference, rules)
        if choice.winner is not None:
            _check_pin(wanted, choice.winner, rules)
            return Image.of(choice.winner, str(wanted))
        refusal = NoImageError(str(wanted), rules.owner or "any", tuple(map(str, choice.verdicts)))
        fallback = policy.fallback()
        if fallback is None or fallback.reference == wanted.reference:
            raise refusal
        spare = self._look_up(fallback, self._rules(fallback, policy, owner))
        if spare.winner is None:
            verdicts = map(str, spare.verdicts) if spare.verdicts else [f"{fallback}: it does not exist"]
            raise NoImageError(refusal.wanted, refusal.owner, (*refusal.rejected, *verdicts))
        LOG.warning("Falling back to the deprecated %s: %s", fallback, refusal)
        return Image.of(spare.winner, f"{fallback.source}, as fallback for {wanted}")

    def _judge_all(self, reference: TagReference, rules: Rules) -> Choice:
        """Judge all that has the tag, or join others who are about to: under load many builds fail for one reason."""
        return self._lookups(("all", reference, rules), lambda: choose(self._images.everything(reference.tag), rules))

    def _look_up(self, wanted: Wanted, rules: Rules) -> Choice:
        """Ask Glance, or join a look-up of the same that was not sent yet."""
        return self._lookups((wanted.reference, rules), lambda: self._ask(wanted, rules))

    def _ask(self, wanted: Wanted, rules: Rules) -> Choice:
        match wanted.reference:
            case TagReference(tag=tag):
                choice = Choice(None, ())
                for page in self._images.bootable(tag, rules.owner):
                    choice = choose(page, rules)
                    if choice.winner is not None:
                        break
                return choice
            case reference:
                candidate = self._images.get(reference.image_id)
                return choose([] if candidate is None else [candidate], rules)

    def _rules(self, wanted: Wanted, policy: Policy, owner: str | None) -> Rules:
        """Settle whose images are trusted: the reference's owner, the build's, the configured one, our own project."""
        named = wanted.reference.owner if isinstance(wanted.reference, TagReference) else None
        trusted = named or owner or policy.owner
        if not trusted and not policy.trust_any_owner:
            trusted = self._project_id() or ""
            if not trusted:
                raise NoOwnerError
        return Rules(owner=trusted or None, denied_image_ids=policy.denied_image_ids)


def resolver_of(conf: cfg.ConfigOpts, session: Session) -> Resolver:
    """Make the resolver of ``session``'s Glance and project; nothing is sent."""
    seconds = float(conf[AMPHORA_IMAGE].retry_deadline_seconds)
    images = GlanceImages(adapter(session, conf[GLANCE], "image"), deadline_seconds=seconds)
    return Resolver(images, lambda: project_id(session, deadline_seconds=seconds))


def _check_pin(wanted: Wanted, winner: Candidate, rules: Rules) -> None:
    """Compare the pin with Glance's own digest. What is not the pinned image is not booted, and has no fallback."""
    pin = wanted.reference.pin
    if not isinstance(pin, Pin):
        return
    if pin.algorithm != winner.hash_algo or not winner.hash_value:
        kept = winner.hash_algo if winner.hash_value else None
        raise PinAlgorithmError(wanted.reference.shown, pin.algorithm, kept or "")
    if winner.hash_value.lower() != pin.digest:
        found = f"{winner.id} ({winner.name}): its {pin.algorithm} is {winner.hash_value}, not the pinned {pin.digest}"
        raise NoImageError(str(wanted), rules.owner or "any", (found,))

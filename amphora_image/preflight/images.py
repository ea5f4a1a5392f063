# SPDX-License-Identifier: Apache-2.0
"""The checks of the image: is it one, whose is it, can its bytes be trusted, does it fit. Pure but for :func:`judge`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from amphora_image import fit
from amphora_image.choice import choose
from amphora_image.errors import NoImageError
from amphora_image.preflight.finding import Finding, Level, error, ok, warning
from amphora_image.reference import TagReference

if TYPE_CHECKING:
    from amphora_image.choice import Choice, Rules
    from amphora_image.config.policy import Policy, Wanted
    from amphora_image.models import Candidate, Flavor
    from amphora_image.resolve import Resolver

_WEAK_HASHES = {"md5", "sha1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was wanted and what became of each candidate; ``spare`` is the image of the deprecated id, if it may boot."""

    wanted: Wanted
    rules: Rules
    choice: Choice
    spare: Candidate | None = None

    @property
    def image(self) -> Candidate | None:
        """Give the image that a build would boot."""
        return self.choice.winner or self.spare

    @property
    def candidates(self) -> list[Candidate]:
        """Give every image that could be meant."""
        return [verdict.candidate for verdict in self.choice.verdicts]

    @property
    def tag(self) -> str | None:
        """Give the tag that is wanted, None where an id is."""
        return self.wanted.reference.tag if isinstance(self.wanted.reference, TagReference) else None


def judge(resolver: Resolver, policy: Policy, wanted: Wanted) -> Judged:
    """Ask for all that could be meant by ``wanted``; up to three requests.

    :raises AmphoraImageError: Keystone or Glance refuses or gives no answer within the deadline.
    """
    choice, fallback, spare = resolver.explain(wanted, policy), policy.fallback(), None
    if choice.winner is None and fallback is not None and fallback.reference != wanted.reference:
        spare = resolver.explain(fallback, policy).winner
    return Judged(wanted=wanted, rules=resolver.rules(wanted, policy), choice=choice, spare=spare)


def uniqueness(judged: Judged, check: str) -> Finding:
    """Say whether exactly one image is meant."""
    passed = [one for one in judged.candidates if judged.rules.objection(one) is None]
    if not passed:
        refusal = NoImageError(str(judged.wanted), judged.rules.owner or "any", _verdicts(judged))
        found = Finding.of(check, refusal)
        if judged.spare is None:
            return found
        told = f"{found.detail}; builds fall back to the deprecated amp_image_id, {_named(judged.spare)}"
        return replace(found, level=Level.WARNING, detail=told)
    if len(passed) > 1:
        others = ", ".join(map(_named, passed[1:]))
        detail = f"{judged.wanted} is on {len(passed)} images: {_named(passed[0])} is booted, and not {others}"
        return warning(check, detail, f"untag what shall not be booted: openstack image unset --tag {judged.tag} IMAGE")
    return ok(check, f"{judged.wanted} is image {_named(passed[0])}")


def owner(judged: Judged, policy: Policy, own_project: str | None) -> Finding:
    """Say whose images are trusted, and whether Octavia's own driver would take another image until now."""
    check, trusted = "owner", judged.rules.owner
    if trusted is None:
        line = f"amp_image_owner_id = {judged.image.owner}" if judged.image else "amp_image_owner_id = PROJECT_ID"
        detail = "images of any project are trusted: whoever may tag an image that this user sees chooses what runs"
        return warning(check, detail, f"remove trust_any_owner and add to [controller_worker]: {line}")
    if policy.owner or judged.tag is None or trusted != own_project:
        return ok(check, f"images of project {trusted} are trusted")
    stock = stock_choice(judged.candidates, own_project)
    if stock is None or stock.owner == trusted:
        return ok(check, f"images of project {trusted}, the service's own, are trusted")
    outcome = f"this one takes {_named(judged.image)}" if judged.image else "this one takes none"
    return Finding(
        check,
        Level.WARNING if judged.image else Level.ERROR,
        f"amp_image_owner_id is empty, so Octavia's own driver takes {_named(stock)} of project {stock.owner} "
        f"({stock.visibility}), and {outcome}: it trusts the service's own project {trusted}",
        f"if that project is to be trusted, add to [controller_worker]: amp_image_owner_id = {stock.owner}",
    )


def stock_choice(candidates: list[Candidate], own_project: str | None) -> Candidate | None:
    """Give the image that Octavia's own driver takes with an empty owner: the newest that Glance lists by default.

    Glance lists no hidden image, and community images of one's own project only.
    """
    listed = (
        one
        for one in candidates
        if one.status == "active" and not one.hidden and (one.visibility != "community" or one.owner == own_project)
    )
    return min(listed, key=lambda one: one.age_key, default=None)


def visibility(judged: Judged, seen_by_others: list[Candidate] | None) -> list[Finding]:
    """Say whether the service user sees the image; ``seen_by_others`` are the candidates as another user sees them."""
    check = "visibility"
    if seen_by_others is None:
        return [ok(check, f"the service user sees image {_named(judged.image)}")] if judged.image else []
    best = choose(seen_by_others, judged.rules).winner
    if best is None or best.id in {one.id for one in judged.candidates}:
        return [ok(check, "the service user sees every image that may be booted")]
    detail = f"image {_named(best)} may be booted and is the newest, but the service user does not see it"
    remedy = f"share it (openstack image add project {best.id} PROJECT_ID) or correct [service_auth]"
    return [Finding(check, Level.WARNING if judged.image else Level.ERROR, detail, remedy)]


def hashing(image: Candidate) -> Finding:
    """Say whether Glance keeps a hash that tells the image's bytes from forged ones."""
    check, again = "hash", "set hashing_algorithm = sha512 in glance-api.conf and upload the image again"
    if not image.hash_algo or not image.hash_value:
        return warning(check, f"Glance keeps no os_hash_value of image {_named(image)}", again)
    if image.hash_algo.lower() in _WEAK_HASHES:
        return warning(check, f"the hash of image {_named(image)} is {image.hash_algo}, which can be forged", again)
    return ok(check, f"the hash of image {_named(image)} is {image.hash_algo}")


def fitting(image: Candidate, flavor: Flavor, volume_gib: int | None) -> Finding:
    """Say whether the image fits the flavor, or the boot volume where servers boot from one."""
    check = "fit"
    reason = fit.objection(image, flavor if volume_gib is None else replace(flavor, disk=volume_gib))
    if reason:
        on_what = "" if volume_gib is None else f" (with a boot volume of {volume_gib} GiB)"
        remedy = "use a larger flavor (or [cinder] volume_size), or an image that is built for it"
        return error(check, f"image {_named(image)} does not fit: {reason}{on_what}", remedy)
    unknown = "" if image.virtual_size else "; Glance does not know how large its disk is"
    return ok(check, f"image {_named(image)} fits flavor {flavor.id}{unknown}")


def _verdicts(judged: Judged) -> tuple[str, ...]:
    return tuple(map(str, judged.choice.verdicts))


def _named(image: Candidate | None) -> str:
    return f"{image.id} ({image.name})" if image else "none"

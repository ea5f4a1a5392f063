# SPDX-License-Identifier: Apache-2.0
"""The options as data, by group.

Groups and names that Octavia 19 also has carry its types and defaults, so that one ini serves both; their help is
ours, since they are registered by us only where Octavia is not. What decides about an image in
``[amphora_image]`` is mutable: a change is used by the next build after the host has mutated its configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oslo_config import cfg

from amphora_image.config.local import LOCAL_OPTIONS
from amphora_image.config.relation import RELATION, RELATION_OPTIONS
from amphora_image.config.web import WEB_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AMPHORA_IMAGE = "amphora_image"
CONTROLLER_WORKER = "controller_worker"
NOVA = "nova"
GLANCE = "glance"
CINDER = "cinder"
NEUTRON = "neutron"
SERVICE_AUTH = "service_auth"

VOLUME_NOOP_DRIVER = "volume_noop_driver"
VOLUME_CINDER_DRIVER = "volume_cinder_driver"


def _endpoint(service: str) -> list[cfg.Opt]:
    """Give the six options by which a service's endpoint is found."""
    return [
        cfg.StrOpt("service_name", help=f"The name of the {service} service in the Keystone catalogue."),
        cfg.StrOpt("endpoint", help=f"The URL of {service}, used instead of the catalogue's."),
        cfg.StrOpt("region_name", help="Region in the Keystone catalogue to take the endpoint from."),
        cfg.StrOpt("endpoint_type", default="publicURL", help="Endpoint interface in the Keystone catalogue."),
        cfg.StrOpt(
            "ca_certificates_file",
            help=f"CA certificates file to verify {service}'s TLS certificate with; empty: what [service_auth] says.",
        ),
        cfg.BoolOpt("insecure", default=False, help=f"Do not verify {service}'s TLS certificate."),
    ]


_CONTROLLER_WORKER = [
    cfg.StrOpt(
        "compute_driver",
        default="amphora_image_driver",
        help="Name of the compute driver, an entry point of the group amphora_image.compute_drivers.",
    ),
    cfg.StrOpt(
        "amp_image_tag",
        default="",
        help="Glance tag of the image to boot amphorae from: the newest active image that carries it is taken.",
    ),
    cfg.StrOpt(
        "amp_image_owner_id",
        default="",
        help="Project whose images are trusted. Empty means the project of [service_auth], never anyone's.",
    ),
    cfg.StrOpt("amp_flavor_id", default="", help="Nova flavor id of amphorae, where a build names none."),
    cfg.StrOpt("amp_ssh_key_name", default="", help="Nova key pair put into amphorae, where a build names none."),
    cfg.ListOpt("amp_boot_network_list", default=[], help="Networks to plug into amphorae, where a build names none."),
    cfg.ListOpt("amp_secgroup_list", default=[], help="Security groups of amphorae, where a build names none."),
    cfg.StrOpt(
        "volume_driver",
        default=VOLUME_NOOP_DRIVER,
        choices=[(VOLUME_NOOP_DRIVER, "boot from the image"), (VOLUME_CINDER_DRIVER, "boot from a Cinder volume")],
        help="What amphorae boot from: the image itself, or a volume made of it.",
    ),
]

#: What Octavia lacks in a group that it has; registered beside Octavia's own options there.
DEPRECATED_ID = cfg.StrOpt(
    "amp_image_id",
    default="",
    deprecated_for_removal=True,
    deprecated_since="0.1.0",
    deprecated_reason="A new image then means an edit on every controller and a restart of every worker; tag it instead.",
    help="Id of the image to boot amphorae from. It counts where no tag and no reference is set, and as the fallback "
    "where no image passes the rules for what was wanted; it must pass the same rules itself.",
)

_NOVA = [
    *_endpoint("Nova"),
    cfg.IntOpt(
        "random_amphora_name_length",
        default=0,
        min=0,
        help="Length of a random name given to each server instead of the amphora's; 0 keeps the amphora's.",
    ),
    cfg.StrOpt("availability_zone", help="Nova availability zone of amphorae, where a build names none."),
]

_CINDER = [
    *_endpoint("Cinder"),
    cfg.StrOpt("availability_zone", help="Cinder availability zone of boot volumes, where a build names none."),
    cfg.IntOpt("volume_size", default=16, min=1, help="Size of a boot volume in GiB."),
    cfg.StrOpt("volume_type", help="Cinder type of boot volumes."),
    cfg.IntOpt("volume_create_retry_interval", default=5, min=0, help="Seconds between two looks at a new volume."),
    cfg.IntOpt("volume_create_timeout", default=300, min=1, help="Seconds a volume may take to become available."),
]

#: Octavia has two names for some of these; the newer one wins.
_NEUTRON = [
    *_endpoint("Neutron"),
    cfg.StrOpt("endpoint_override", help="The URL of Neutron, used instead of the catalogue's and of endpoint."),
    cfg.ListOpt("valid_interfaces", default=[], help="Endpoint interfaces, the best first, instead of endpoint_type."),
    cfg.StrOpt("cafile", help="CA certificates file, where ca_certificates_file is empty."),
]

AMPHORA_IMAGE_OPTIONS = [
    cfg.DictOpt(
        "zone_image_tags",
        default={},
        mutable=True,
        help="Tag by Nova availability zone, for example zone-1:amphora-arm64,zone-2:amphora-x64. It counts where "
        "neither the build nor amp_image_tag names a tag.",
    ),
    cfg.StrOpt(
        "image_ref",
        default="",
        mutable=True,
        help="Reference of the image: glance://tag/NAME, glance://tag/NAME?owner=PROJECT, glance://UUID or a bare "
        "UUID, each with #sha512=DIGEST at its end where only that image will do. It counts where no tag is named, "
        "neither by the build nor for its zone.",
    ),
    cfg.DictOpt(
        "image_properties",
        default={},
        mutable=True,
        help="What an image outside of Glance is, where nothing else says it, for example disk_format:qcow2,"
        "min_disk:2,min_ram:1024,architecture:x86_64. A side file, named as the image with .yaml after it, says it for "
        "one image and comes first.",
    ),
    cfg.ListOpt("denied_image_ids", default=[], mutable=True, help="Ids of images that are never booted."),
    cfg.BoolOpt(
        "trust_any_owner",
        default=False,
        mutable=True,
        help="Boot images of any project. Whoever may tag an image that this user sees then chooses what runs on the "
        "management network.",
    ),
    cfg.BoolOpt(
        "check_fit",
        default=True,
        mutable=True,
        help="Refuse an image that does not fit the flavor (memory, disk, hw_architecture) before Nova is asked; each "
        "flavor is read once in a process. Under Octavia the default is false.",
    ),
    cfg.IntOpt(
        "pair_window_seconds",
        default=600,
        min=0,
        mutable=True,
        help="How long the second amphora of a pair gets the image of the first, although the tag has moved; "
        "0 resolves each on its own.",
    ),
    cfg.IntOpt(
        "request_timeout_seconds",
        default=60,
        min=1,
        help="How long one request may wait for its answer, where [service_auth] timeout does not say.",
    ),
    cfg.IntOpt(
        "ambiguous_build_deadline_seconds",
        default=30,
        min=0,
        help="How long to look for a server whose build was asked for and whose answer was lost, before the build "
        "fails with an error that names it.",
    ),
    cfg.IntOpt(
        "retry_deadline_seconds",
        default=60,
        min=1,
        help="How long a read from Glance or Nova may take in all, with what is tried again after a connection fault, 429 or 5xx.",
    ),
    cfg.StrOpt(
        "promotion_lock_url",
        default="",
        secret=True,
        help="Where the commands that move tags lock each other out: the URL of a tooz coordinator that all operators "
        "share, for example etcd3+http://etcd:2379. Empty means a file of the user's own, which holds on one host.",
    ),
    cfg.IntOpt(
        "promotion_lock_wait_seconds",
        default=60,
        min=0,
        help="How long a command that moves a tag waits until another one has ended.",
    ),
]

#: group → the options that Octavia has as well; not to be registered where Octavia's own are.
SHARED_OPTIONS: Mapping[str, Sequence[cfg.Opt]] = {
    CONTROLLER_WORKER: _CONTROLLER_WORKER,
    NOVA: _NOVA,
    GLANCE: _endpoint("Glance"),
    CINDER: _CINDER,
    NEUTRON: _NEUTRON,
}

#: group → the options that only this library has.
OWN_OPTIONS: Mapping[str, Sequence[cfg.Opt]] = {
    CONTROLLER_WORKER: [DEPRECATED_ID],
    AMPHORA_IMAGE: AMPHORA_IMAGE_OPTIONS,
    RELATION: RELATION_OPTIONS,
    **LOCAL_OPTIONS,
    **WEB_OPTIONS,
}

# SPDX-License-Identifier: Apache-2.0
"""The certificate authority that Octavia's local generator signs the amphorae's certificates with."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from amphora_image.sandbox import configs

if TYPE_CHECKING:
    import pathlib

_KEY_BITS = 2048
_VALID = dt.timedelta(days=3650)


def make_authority(folder: pathlib.Path, passphrase: str) -> None:
    """Write ``ca.pem`` and ``ca.key`` anew, the key encrypted with the passphrase.

    :raises OSError: one cannot be written.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "amphora-image sandbox")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )
    configs.write_private(folder / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM).decode())
    configs.write_private(folder / "ca.key", encrypted.decode())

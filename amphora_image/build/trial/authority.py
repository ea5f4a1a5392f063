# SPDX-License-Identifier: Apache-2.0
"""The two sides' certificates, signed by an authority that lives as long as the trial: its key is never written."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: A guest's clock may be wrong; a trial is over within the day.
_VALID = dt.timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Credentials:
    """PEM: the authority's certificate, and key and certificate in one for the agent and for who asks it."""

    authority: bytes
    agent: bytes
    client: bytes


def issue(amphora_id: str) -> Credentials:
    """Make an authority, and have it sign the agent's certificate, which is named ``amphora_id``, and the client's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("amphora-image test")
    unsigned = _builder(name, name, key.public_key(), key.public_key())
    unsigned = unsigned.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    authority = unsigned.add_extension(_usage(signs_certificates=True), critical=True).sign(key, hashes.SHA256())
    return Credentials(
        authority=authority.public_bytes(serialization.Encoding.PEM),
        agent=_leaf(amphora_id, authority, key),
        client=_leaf("amphora-image test client", authority, key),
    )


def _leaf(subject: str, authority: x509.Certificate, signer: ec.EllipticCurvePrivateKey) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    unsigned = _builder(_name(subject), authority.subject, key.public_key(), signer.public_key())
    unsigned = unsigned.add_extension(names, critical=False).add_extension(purposes, critical=False)
    certificate = unsigned.add_extension(_usage(signs_certificates=False), critical=True).sign(signer, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + private


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, signer: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    """Begin a certificate with all that a strict verifier, as Python's has been since 3.13, wants to see."""
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])

"""Fills a folder with everything secret that an installation starts from.

    python -m deploy.prepare /etc/letterlock/secrets [--names portal.example.org,…]
    python -m deploy.prepare /etc/letterlock/secrets --new-keks

Makes what is missing and replaces no secret that is there, so it can be run again after
a service was added. With --new-keks every service also gets its next key-encryption key
(docs/runbooks/rotate-keys.md). The folder is what LETTERLOCK_SECRETS names for
compose.yaml; the runbook says which cluster secret is made from which part of it. Run
as root, each part is given to the user that reads it; else owners stay as they are.

    ca.crt, ca.key          own authority; take ca.key away once all is running
    keys/<service>/kek-1    key-encryption key of one service
    pairs/<a>.<b>           key of a conversation between two services
    tls/<name>/tls.{crt,key}
    accounts/broker-<user>/<user>        its password at the broker
    accounts/store-<service>/account     one line user:password for the store
    broker/definitions.json users of the broker, passwords as salted hashes
    store/admin, store/ops  first passwords of the store
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.brokerage import OPERATOR, rights, users
from shared.crypto.kek import create_kek
from shared.messaging.pairs import create_pairs, write_secret
from shared.messaging.topology import definitions

KEEP_KEYS: Final = ("crm", "letters", "envelope", "audit", "portal")
VHOST: Final = "letterlock"
OURS, BROKER, STORE = 10001, 999, 1000  # numeric users of the containers
LIFE: Final = timedelta(days=397)
CA_LIFE: Final = timedelta(days=3650)
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "broker": ("broker",),
    # Each node by name: gRPC believes no wildcard of a single label such as `*.store`.
    "store": (
        "store",
        *(f"store-{number}{zone}" for number in range(3) for zone in ("", ".store")),
    ),
    "mailbox": ("mailbox",),
    "portal-web": ("portal", "portal.localhost"),
    "viewer-web": ("viewer", "letters.localhost"),
}


def prepare(
    folder: Path, names: Sequence[str] = (), *, new_keks: bool = False
) -> list[str]:
    """Make what is missing, and return what was made.

    Args:
        folder: made with mode 0700 if it is not there.
        names: further host names in the certificates of both sites.
        new_keks: make the next key-encryption key of every service.

    Raises:
        OSError: something cannot be written.
    """
    before = {path for path in folder.rglob("*") if path.is_file()}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for service in KEEP_KEYS:
        keys = folder / "keys" / service
        _take_back(keys)
        if new_keks or not any(keys.glob("kek-*")):
            create_kek(keys)
    _take_back(folder / "pairs")
    create_pairs(folder / "pairs", rights())
    passwords = {
        user: _password(folder / "accounts" / f"broker-{user}" / user)
        for user in users()
    }
    told = json.dumps(definitions(VHOST, rights(), passwords, OPERATOR), indent=1)
    (folder / "broker" / "definitions.json").unlink(missing_ok=True)  # is derived
    _write(folder / "broker" / "definitions.json", told.encode())
    admin = _password(folder / "store" / "admin")
    _password(folder / "store" / "ops")
    for service in KEEP_KEYS:
        line = f"admin:{admin}\n".encode()
        _write(folder / "accounts" / f"store-{service}" / "account", line)
    _certificates(folder, names)
    if os.geteuid() == 0:
        _give_away(folder)
    after = {path for path in folder.rglob("*") if path.is_file()}
    return sorted(str(path.relative_to(folder)) for path in after - before)


def _password(path: Path) -> str:
    _write(path, secrets.token_urlsafe(32).encode())
    return path.read_text()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        write_secret(path, content)


def _certificates(folder: Path, names: Sequence[str]) -> None:
    key_file, cert_file = folder / "ca.key", folder / "ca.crt"
    if not cert_file.exists():
        key = ec.generate_private_key(ec.SECP384R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Letterlock inside")])
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        built = (
            _begun(name, name, key.public_key(), CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA384())
        )
        _write(key_file, _pem(key))
        cert_file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    for server, own in NAMES.items():
        target = folder / "tls" / server
        if (target / "tls.crt").exists():
            continue
        if not key_file.exists():
            message = f"{key_file} is not here: put it back to make a new certificate"
            raise FileNotFoundError(message)
        more = tuple(names) if server.endswith("-web") else ()
        _issue(target, (*own, *more, "localhost"), key_file, cert_file)


def _issue(target: Path, names: Sequence[str], key_file: Path, cert_file: Path) -> None:
    ca_key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        message = f"{key_file} is not the key that was made here"
        raise TypeError(message)
    ca = x509.load_pem_x509_certificate(cert_file.read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    built = (
        _begun(subject, ca.subject, key.public_key(), LIFE)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .sign(ca_key, hashes.SHA384())
    )
    _write(target / "tls.key", _pem(key))
    (target / "tls.crt").write_bytes(built.public_bytes(serialization.Encoding.PEM))


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    life: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _take_back(folder: Path) -> None:
    """Own the folder while it is written to; it is given away again at the end."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(folder, 0, 0)


def _give_away(folder: Path) -> None:
    """Let each container's user read its own part, and nobody else."""
    folder.chmod(0o711)  # passed through, not listed
    for part, user in (
        ("keys", OURS),
        ("pairs", OURS),
        ("accounts", OURS),
        ("tls/portal-web", OURS),
        ("tls/viewer-web", OURS),
        ("tls/mailbox", OURS),
        ("broker", BROKER),
        ("tls/broker", BROKER),
        ("store", STORE),
        ("tls/store", STORE),
    ):
        top = folder / part
        for path in (top, *top.rglob("*")):
            os.chown(path, user, user)
    (folder / "tls").chmod(0o711)
    (folder / "ca.crt").chmod(0o444)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the flags, prepare, say what was made."""
    parser = argparse.ArgumentParser(prog="python -m deploy.prepare")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--names", default="", help="host names of both sites, by comma"
    )
    parser.add_argument("--new-keks", action="store_true", help="for a rotation")
    flags = parser.parse_args(argv)
    names = [name for name in flags.names.split(",") if name]
    for made in prepare(flags.folder, names, new_keks=flags.new_keks):
        sys.stdout.write(f"{made}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

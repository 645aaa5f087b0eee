"""What an installation starts from, and how its keys are changed while it runs."""

from __future__ import annotations

import json
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from deploy import prepare
from deploy.image import first_admin, place, rebuild, rewrap, sign_in
from services.brokerage import create_accounts
from services.compose import create_data, opened
from services.policy import POLICY
from services.portal.errors import StaffUnknown
from shared.codec import Place
from shared.crypto.kek import Keks
from shared.crypto.keyring import Keyring
from shared.crypto.seal import place_of_row
from shared.crypto.tombstones import Tombstones
from shared.fence import AlreadyFollowed
from shared.settings import DataFolder, Settings
from tests.deploy.manifests import COMPONENT, NAME, OVERLAYS, pods

TALKS = {
    f"{caller}.{owner}"
    for (owner, _), (_, callers, _) in POLICY.items()
    for caller in callers
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "secrets"
    prepare.prepare(folder, ["portal.example.org"])
    return folder


def test_nothing_secret_is_open_to_others(made: Path) -> None:
    for path in made.rglob("*"):
        if path.is_file() and path.suffix != ".crt":
            assert stat.S_IMODE(path.stat().st_mode) == 0o400, path
    assert {path.name for path in (made / "pairs").iterdir()} == TALKS


def test_running_it_again_replaces_no_secret(made: Path) -> None:
    derived = made / "broker" / "definitions.json"
    before = {
        p: p.read_bytes() for p in made.rglob("*") if p.is_file() and p != derived
    }
    assert prepare.prepare(made) == []
    assert {p: p.read_bytes() for p in before} == before


def test_every_user_of_the_broker_has_the_password_that_the_broker_knows_hashed(
    made: Path,
) -> None:
    told = (made / "broker" / "definitions.json").read_text()
    assert {user["name"] for user in json.loads(told)["users"]} == {
        path.parent.name.removeprefix("broker-")
        for path in (made / "accounts").glob("broker-*/*")
    }
    for path in (made / "accounts").glob("broker-*/*"):
        assert path.read_text() not in told


def test_each_server_proves_the_names_it_is_called_by(made: Path) -> None:
    wanted = {
        "broker": {"broker"},
        "store": {"store", "store-0", "store-1.store", "store-2.store"},
        "mailbox": {"mailbox"},
        "portal-web": {"portal.localhost", "portal.example.org"},
        "viewer-web": {"letters.localhost"},
    }
    for server, names in wanted.items():
        folder = made / "tls" / server
        certificate = x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())
        alternatives = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value.get_values_for_type(x509.DNSName)
        assert names <= set(alternatives)
        certificate.verify_directly_issued_by(
            x509.load_pem_x509_certificate((made / "ca.crt").read_bytes())
        )
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            folder / "tls.crt", folder / "tls.key"
        )


def test_a_container_finds_the_password_of_the_user_it_is(made: Path) -> None:
    for pod in pods(OVERLAYS[0]):
        if pod.labels[COMPONENT] in {"rpc", "follow", "work", "web"}:
            user = pod.labels[NAME]
            (secret,) = [v for v in pod.spec["volumes"] if v["name"] == "broker"]
            assert secret["secret"]["secretName"] == f"broker-{user}"
            assert (made / "accounts" / f"broker-{user}" / user).is_file()


def test_keys_are_rotated_while_old_values_stay_readable(
    made: Path, tmp_path: Path
) -> None:
    placed, data = tmp_path / "memory", DataFolder(tmp_path / "data")
    offered = tmp_path / "offered"
    offered.mkdir()
    (offered / "keys").symlink_to(made / "keys" / "crm")
    place.place(offered, placed, data.path)
    place.start_afresh(data.path)
    keyring, where = _keyring(data), place_of_row("contacts", "c1", "name")
    sealed = {n: keyring.seal_value(f"{n:032x}", where, b"Tom") for n in range(5)}
    keyring.destroy(f"{4:032x}")
    keyring.close()

    prepare.prepare(made, new_keks=True)
    place.place(offered, placed, data.path)
    told: list[str] = []
    assert rewrap.rewrap(data, "crm", told.append) >= 4
    assert "nothing needs a key older than kek-2" in told[-1]
    assert rewrap.rewrap(data, "crm", told.append) == 0

    (placed / "keys" / "kek-1").unlink()
    (data.keys / "kek-1").unlink()
    keyring = _keyring(data)
    _read_all(keyring, where, sealed)
    assert Tombstones(data.tombstones, Keks(data.keys)).owners() == [f"{4:032x}"]
    keyring.close()


def test_the_first_administrator_is_invited_once(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    create_data(settings.folder)
    with opened(settings) as core:
        followers = core.followers()
        for follower in followers:
            follower.prepare()
        apis = core.apis("portal")
        assert len(first_admin.invite(apis, "Ms Ada Quill", "ada@example.org")) > 20
        for follower in followers:
            while follower.run_once():
                pass
        with pytest.raises(first_admin.NotTheFirst):
            first_admin.invite(apis, "Mr Eve Dropper", "eve@example.org")
        link = sign_in.link_for(apis, settings, "Ada@example.org")
        assert len(link.rpartition("/")[2]) > 20
        with pytest.raises(StaffUnknown):
            sign_in.link_for(apis, settings, "eve@example.org")
        for follower in followers:
            follower.close()


def test_lists_are_made_anew_only_while_nobody_follows(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    create_data(settings.folder)
    create_accounts(settings)
    told: list[str] = []
    assert rebuild.rebuild_all("crm", settings, told.append) == ["crm-contacts-v1"]
    assert told[-1] == "crm-contacts-v1: rebuilt"
    with opened(settings) as core:
        following = core.followed[0].follower(settings.folder.run)
        following.prepare()
        with pytest.raises(AlreadyFollowed):
            rebuild.rebuild_all("crm", settings, told.append)
        following.close()


def _keyring(data: DataFolder) -> Keyring:
    keks = Keks(data.keys)
    listed = Tombstones(data.tombstones, keks)
    return Keyring("crm", data.key_db("crm"), keks=keks, tombstones=listed)


def _read_all(keyring: Keyring, where: Place, sealed: dict[int, bytes]) -> None:
    for number, value in sealed.items():
        found = keyring.unseal_value(f"{number:032x}", where, value)
        assert found == (None if number == 4 else b"Tom")

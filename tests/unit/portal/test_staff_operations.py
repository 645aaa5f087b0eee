"""Operations about members of staff, over a real store and real keys."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import pytest

from services.portal.api import StaffApi, StaffCard
from services.portal.commands import (
    GetStaff,
    InviteStaff,
    ListStaff,
    MakeSignInLink,
    SetPassword,
    SetRole,
    SignIn,
    SignOut,
    UseSignInLink,
)
from services.portal.errors import (
    LastAdmin,
    PasswordTooWeak,
    RoleUnknown,
    SignInLinkUsed,
    SignInRefused,
    StaffInvalid,
    StaffUnknown,
)
from services.portal.events import StaffAddressClaimed, StaffInvited, StaffSignedIn
from services.portal.projections import StaffProjection
from services.portal.tables import STAFF
from services.portal.wiring import build_portal
from shared.clock import ManualClock
from shared.codec import EventCodec
from shared.context import CallContext, Done
from shared.crypto.kek import Keks, create_kek
from shared.crypto.keyring import Keyring
from shared.crypto.passwords import PasswordHasher
from shared.crypto.tombstones import Tombstones
from shared.errors import DomainError, NotAllowed
from shared.events import Sealed
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.follow import Follower
from shared.ids import mint
from shared.readmodel import ReadModel, digest_of, open_readmodel
from shared.rebuild import rebuild
from tests.builders import a_clock, a_context

T = TypeVar("T")
GOOD = "seven copper lanterns drift"
MINUTE = timedelta(minutes=1)


@dataclass
class CountingHasher:
    """Argon2id without its cost, counting its work. Same promises."""

    work: list[bool] = field(default_factory=list)

    def hash(self, password: str) -> str:
        salt = mint().hex
        return f"{salt}${hashlib.sha256((salt + password).encode()).hexdigest()}"

    def verify(self, encoded: str | None, password: str) -> bool:
        self.work.append(encoded is not None)
        salt, _, digest = (encoded or "$").partition("$")
        return hashlib.sha256((salt + password).encode()).hexdigest() == digest


@dataclass(frozen=True, kw_only=True)
class Office:
    """The staff operations, and what stands behind them."""

    api: StaffApi
    clock: ManualClock
    journal: MemoryJournal
    store: CodedStore
    readmodel: ReadModel
    follower: Follower
    hasher: CountingHasher
    again: Callable[[], StaffApi]  # the same service after a restart
    folder: Path

    def invite(self, who: str = "Anna Ferris", *roles: str, **changes: Any) -> str:
        email = f"{who.lower().replace(' ', '.')}@harbourvale.example"
        request = InviteStaff(
            formal_name=f"Ms {who}", email=email, roles=roles or ("sender",)
        )
        return self.api.invite(request, a_context(**changes)).ref

    def link(self, staff_id: str, **changes: Any) -> str:
        request = MakeSignInLink(staff_id=staff_id)
        return self.api.make_sign_in_link(request, a_context(**changes)).ref

    def use(self, secret: str, context: CallContext | None = None) -> StaffCard:
        request = UseSignInLink(secret=secret)
        return self.api.use_sign_in_link(request, context or anonymous())

    def sign_in(self, email: str, password: str) -> StaffCard:
        return self.api.sign_in(SignIn(email=email, password=password), anonymous())

    def set_role(self, staff_id: str, role: str, *, granted: bool) -> Done:
        request = SetRole(staff_id=staff_id, role=role, granted=granted)
        return self.api.set_role(request, a_context(role="admin"))

    def card(self, staff_id: str) -> StaffCard:
        return self.api.staff(GetStaff(staff_id=staff_id), a_context())

    def password(self, staff_id: str, password: str = GOOD) -> Done:
        return self.api.set_password(
            SetPassword(staff_id=staff_id, password=password),
            a_context(actor_id=staff_id),
        )

    def follow(self) -> None:
        while self.follower.run_once():
            pass


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    keks = Keks(folder)
    create_kek(folder)
    tombstones = Tombstones(tmp_path / "tombstones.log", keks)
    tombstones.create()
    keyring = Keyring("portal", folder / "portal.db", keks=keks, tombstones=tombstones)
    journal, clock, hasher = MemoryJournal(), a_clock(), CountingHasher()
    store = CodedStore(journal, EventCodec("portal", keyring))
    readmodel = ReadModel(open_readmodel(tmp_path / "read" / "portal.db"))

    def build() -> StaffApi:
        return build_portal(store, clock, keyring, readmodel, hasher).handlers

    follower = Follower(store, readmodel, [StaffProjection()])
    follower.prepare()
    yield Office(
        api=build(),
        clock=clock,
        journal=journal,
        store=store,
        readmodel=readmodel,
        follower=follower,
        hasher=hasher,
        again=build,
        folder=tmp_path,
    )
    follower.close()
    readmodel.close()
    keyring.close()


def anonymous() -> CallContext:
    return a_context(actor_id="anonymous", actor_kind="anonymous", role="anonymous")


def race(*acts: Callable[[], T]) -> list[T | DomainError]:
    """Run all acts at the same moment, in threads; return results or refusals."""
    start = Barrier(len(acts))

    def run(act: Callable[[], T]) -> T | DomainError:
        start.wait()
        try:
            return act()
        except DomainError as refusal:
            return refusal

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def only(kind: type[T], results: list[Any]) -> list[T]:
    return [result for result in results if isinstance(result, kind)]


# invitation


def test_an_invited_person_is_known_by_name_address_and_roles(office: Office) -> None:
    anna = office.invite("Anna Ferris", "admin", "sender")
    assert office.card(anna) == StaffCard(
        staff_id=anna,
        formal_name="Ms Anna Ferris",
        email="anna.ferris@harbourvale.example",
        roles=("sender", "admin"),
        has_password=False,
    )


def test_a_repeated_invitation_gives_the_first_answer(office: Office) -> None:
    context = a_context()
    request = InviteStaff(
        formal_name="Ms Anna Ferris", email="anna@b.example", roles=("sender",)
    )
    first = office.api.invite(request, context)
    facts = len(office.store.read_all())
    assert office.api.invite(request, context) == first
    assert office.again().invite(request, context) == first
    assert len(office.store.read_all()) == facts


def test_one_address_belongs_to_one_person_however_it_is_spelt(office: Office) -> None:
    office.invite("Anna Ferris")
    second = InviteStaff(
        formal_name="Mr Another Person",
        email=" ANNA.ferris@Harbourvale.Example",
        roles=("author",),
    )
    with pytest.raises(StaffInvalid) as refused:
        office.api.invite(second, a_context())
    assert "anna" not in str(refused.value).lower()


@pytest.mark.parametrize("_", range(5))
def test_two_invitations_of_one_address_make_one_person(office: Office, _: int) -> None:
    results = race(*[office.invite] * 6)
    assert len(only(str, results)) == 1
    assert len(only(StaffInvalid, results)) == 5
    facts = [record.event for record in office.store.read_all()]
    assert len(only(StaffInvited, facts)) == 1
    assert len(only(StaffAddressClaimed, facts)) == 1


def test_a_repeat_in_the_same_moment_makes_one_person(office: Office) -> None:
    command = mint()
    results = race(*[lambda: office.invite(command_id=command)] * 6)
    assert len(set(only(str, results))) == 1
    assert len(only(str, results)) == 6


def test_an_invitation_broken_off_does_not_block_the_address(office: Office) -> None:
    """Stop after the claim, then the same and another admin try again."""
    broken, request = (
        a_context(),
        InviteStaff(formal_name="Ms A Ferris", email="a@b.example", roles=("sender",)),
    )
    with pytest.raises(ConnectionError):
        _build_over(office, fail_after=1).invite(request, broken)
    anna = office.api.invite(request, a_context()).ref
    assert office.card(anna).roles == ("sender",)
    with pytest.raises(StaffInvalid):
        office.api.invite(request, broken)


@pytest.mark.parametrize("step", [1, 2])
def test_an_invitation_broken_off_is_completed_by_its_repeat(
    office: Office, step: int
) -> None:
    context = a_context()
    request = InviteStaff(
        formal_name="Ms A Ferris", email="a@b.example", roles=("sender",)
    )
    with pytest.raises(ConnectionError):
        _build_over(office, fail_after=step).invite(request, context)
    anna = office.api.invite(request, context).ref
    assert office.card(anna).roles == ("sender",)


@pytest.mark.parametrize(
    ("name", "email", "roles", "error"),
    [
        ("Billing Team", "a@b.example", ("sender",), StaffInvalid),
        ("Ms Anna Ferris", "nowhere", ("sender",), StaffInvalid),
        ("Ms Anna Ferris", "a@b.example", (), StaffInvalid),
        ("Ms Anna Ferris", "a@b.example", ("owner",), RoleUnknown),
    ],
)
def test_a_refused_invitation_writes_nothing(
    office: Office,
    name: str,
    email: str,
    roles: tuple[str, ...],
    error: type[DomainError],
) -> None:
    with pytest.raises(error):
        office.api.invite(
            InviteStaff(formal_name=name, email=email, roles=roles), a_context()
        )
    assert not office.store.read_all()


# roles


def test_a_change_of_roles_is_seen_at_once(office: Office) -> None:
    anna = office.invite()
    office.set_role(anna, "author", granted=True)
    assert office.card(anna).roles == ("sender", "author")
    office.set_role(anna, "sender", granted=False)
    assert office.card(anna).roles == ("author",)
    assert office.again().staff(GetStaff(staff_id=anna), a_context()).roles == (
        "author",
    )


def test_granting_what_is_held_writes_nothing(office: Office) -> None:
    anna = office.invite()
    facts = len(office.store.read_all())
    office.set_role(anna, "sender", granted=True)
    office.set_role(anna, "author", granted=False)
    assert len(office.store.read_all()) == facts


def test_the_last_administrator_stays_one(office: Office) -> None:
    ada, bea = office.invite("Ada Quill", "admin"), office.invite("Bea Quill", "admin")
    office.set_role(ada, "admin", granted=False)
    with pytest.raises(LastAdmin):
        office.set_role(bea, "admin", granted=False)
    assert office.card(bea).roles == ("admin",)


@pytest.mark.parametrize("_", range(5))
def test_two_last_administrators_cannot_both_resign(office: Office, _: int) -> None:
    pair = [office.invite(name, "admin") for name in ("Ada Quill", "Bea Quill")]
    results = race(
        *[lambda who=who: office.set_role(who, "admin", granted=False) for who in pair]
    )
    assert len(only(Done, results)) == 1
    assert len(only(LastAdmin, results)) == 1
    assert sorted(office.card(who).roles for who in pair) == [(), ("admin",)]


def test_roles_of_the_unknown_are_refused(office: Office) -> None:
    for nobody in ("7" * 32, "", "../x", "A" * 32):
        with pytest.raises(StaffUnknown):
            office.set_role(nobody, "sender", granted=True)
        with pytest.raises(StaffUnknown):
            office.card(nobody)
    with pytest.raises(RoleUnknown):
        office.set_role(office.invite(), "owner", granted=True)


# one-time links


def test_a_link_signs_in_once(office: Office) -> None:
    anna = office.invite()
    secret = office.link(anna)
    assert office.use(secret).staff_id == anna
    with pytest.raises(SignInLinkUsed):
        office.use(secret)


@pytest.mark.parametrize("_", range(5))
def test_a_link_signs_in_once_whatever_the_race(office: Office, _: int) -> None:
    secret = office.link(office.invite())
    elsewhere = office.again()
    results = race(
        *[lambda: office.use(secret)] * 4,
        *[lambda: elsewhere.use_sign_in_link(UseSignInLink(secret=secret), anonymous())]
        * 4,
    )
    assert len(only(StaffCard, results)) == 1
    assert len(only(SignInLinkUsed, results)) == 7
    facts = [record.event for record in office.store.read_all()]
    assert [fact.means for fact in only(StaffSignedIn, facts)] == ["link"]


def test_a_link_dies_after_a_day(office: Office) -> None:
    secret = office.link(office.invite())
    office.clock.move(timedelta(hours=24))
    with pytest.raises(SignInLinkUsed):
        office.use(secret)


def test_a_link_works_until_its_day_is_over(office: Office) -> None:
    secret = office.link(office.invite())
    office.clock.move(timedelta(hours=24) - timedelta(microseconds=1))
    assert office.use(secret).roles


def test_setting_the_clock_back_revives_no_link(office: Office) -> None:
    anna = office.invite()
    secret = office.link(anna)
    office.clock.move(timedelta(hours=25))
    office.password(anna)
    office.clock.move(-timedelta(hours=20))
    with pytest.raises(SignInLinkUsed):
        office.use(secret)


def test_a_newer_link_ends_the_older(office: Office) -> None:
    anna = office.invite()
    older, newer = office.link(anna), office.link(anna)
    with pytest.raises(SignInLinkUsed):
        office.use(older)
    assert office.use(newer).roles


def test_a_double_press_on_a_link_signs_in_both_times(office: Office) -> None:
    secret = office.link(office.invite())
    context = anonymous()
    card = office.use(secret, context)
    assert office.use(secret, context) == card
    facts = [record.event for record in office.store.read_all()]
    assert len(only(StaffSignedIn, facts)) == 1
    office.clock.move(MINUTE)
    with pytest.raises(SignInLinkUsed):
        office.use(secret, context)


def test_a_command_seen_before_opens_nothing_for_another_secret(
    office: Office,
) -> None:
    anna = office.invite()
    secret, context = office.link(anna), anonymous()
    office.use(secret, context)
    forged = f"{anna}.{'a' * 52}"
    with pytest.raises(SignInLinkUsed):
        office.use(forged, context)


def test_a_double_press_on_make_tells_the_same_secret(office: Office) -> None:
    anna, command = office.invite(), mint()
    first = office.link(anna, command_id=command)
    assert office.link(anna, command_id=command) == first
    told = race(*[lambda: office.link(anna, command_id=command)] * 4)
    assert set(told) == {first}
    assert office.use(first).roles


def test_a_secret_is_not_told_again_after_a_restart(office: Office) -> None:
    anna, context = office.invite(), a_context()
    request = MakeSignInLink(staff_id=anna)
    secret = office.api.make_sign_in_link(request, context).ref
    with pytest.raises(SignInLinkUsed):
        office.again().make_sign_in_link(request, context)
    assert office.use(secret).roles


def test_the_secret_of_a_link_is_strong_and_only_its_hash_is_stored(
    office: Office,
) -> None:
    anna = office.invite()
    secret = office.link(anna)
    owner, _, random = secret.partition(".")
    assert owner == anna
    assert len(base64.b32decode(random.upper() + "====")) == 32
    stored = [raw.body + raw.meta for raw in office.journal.read_all(0, 1000)]
    assert not any(random.encode() in body for body in stored)
    digest = hashlib.sha256(secret.encode()).hexdigest().encode()
    assert sum(digest in body for body in stored) == 1


@pytest.mark.parametrize(
    "secret", ["", ".", "x", "1" * 32, "1" * 32 + "." + "a" * 52, "../../x." + "a" * 52]
)
def test_a_secret_that_never_was_is_refused_like_a_used_one(
    office: Office, secret: str
) -> None:
    with pytest.raises(SignInLinkUsed):
        office.use(secret)


def test_signing_in_is_recorded_as_the_persons_own_act(office: Office) -> None:
    anna = office.invite()
    office.use(office.link(anna))
    last = office.store.read_all()[-1]
    assert isinstance(last.event, StaffSignedIn)
    assert (last.meta.actor, last.meta.actor_kind, last.meta.role) == (
        anna,
        "staff",
        "staff",
    )


def test_who_holds_no_role_signs_in_by_no_means(office: Office) -> None:
    anna = office.invite()
    office.password(anna)
    secret = office.link(anna)
    office.set_role(anna, "sender", granted=False)
    with pytest.raises(SignInLinkUsed):
        office.use(secret)
    with pytest.raises(SignInRefused):
        office.sign_in("anna.ferris@harbourvale.example", GOOD)
    with pytest.raises(StaffInvalid):
        office.link(anna)
    assert office.card(anna).roles == ()


def test_a_link_for_the_unknown_is_refused(office: Office) -> None:
    with pytest.raises(StaffUnknown):
        office.link("7" * 32)


# passwords


def test_a_password_signs_in(office: Office) -> None:
    anna = office.invite()
    office.password(anna)
    card = office.sign_in(" Anna.Ferris@harbourvale.example", GOOD)
    assert card.staff_id == anna
    assert card.has_password


def test_known_and_unknown_addresses_are_refused_alike_and_at_the_same_cost(
    office: Office,
) -> None:
    office.password(office.invite())
    office.invite("Ben Okoro")
    refusals, work = [], []
    for email in (
        "anna.ferris@harbourvale.example",
        "ben.okoro@harbourvale.example",
        "nobody@harbourvale.example",
        "",
        "no address",
    ):
        before = len(office.hasher.work)
        with pytest.raises(SignInRefused) as refused:
            office.sign_in(email, "wrong horse battery")
        refusals.append((type(refused.value), str(refused.value)))
        work.append(len(office.hasher.work) - before)
    assert len(set(refusals)) == 1
    assert work == [1] * 5


def test_an_old_password_signs_nobody_in(office: Office) -> None:
    anna = office.invite()
    office.password(anna)
    office.password(anna, "nine velvet harbours hum")
    with pytest.raises(SignInRefused):
        office.sign_in("anna.ferris@harbourvale.example", GOOD)


def test_a_password_is_ones_own(office: Office) -> None:
    anna, ben = office.invite(), office.invite("Ben Okoro", "admin")
    request = SetPassword(staff_id=anna, password=GOOD)
    for changes in (
        {"actor_id": ben, "role": "admin"},
        {"actor_id": anna, "actor_kind": "service"},
    ):
        with pytest.raises(NotAllowed):
            office.api.set_password(request, a_context(**changes))
    assert not office.card(anna).has_password


@pytest.mark.parametrize(
    "weak", ["short", "passwordpassword", "annaferris2026!", "harbourvaleferris"]
)
def test_a_foreseeable_password_is_refused(office: Office, weak: str) -> None:
    anna = office.invite()
    with pytest.raises(PasswordTooWeak) as refused:
        office.password(anna, weak)
    assert weak not in str(refused.value)
    assert not office.card(anna).has_password


def test_the_unknown_choose_no_password(office: Office) -> None:
    with pytest.raises(StaffUnknown):
        office.password("7" * 32)


def test_the_real_hash_stands_behind_the_port(office: Office) -> None:
    real = replace(office, api=_build_over(office, hasher=PasswordHasher()))
    real.password(real.invite())
    assert real.sign_in("anna.ferris@harbourvale.example", GOOD).has_password
    with pytest.raises(SignInRefused):
        real.sign_in("anna.ferris@harbourvale.example", GOOD + "!")


def test_signing_out_is_ones_own_act(office: Office) -> None:
    anna = office.invite()
    done = office.api.sign_out(SignOut(staff_id=anna), a_context(actor_id=anna))
    assert done.position == office.store.read_all()[-1].position
    with pytest.raises(NotAllowed):
        office.api.sign_out(SignOut(staff_id=anna), a_context())


# list, privacy, rebuild


def test_everybody_is_listed_by_last_name_with_roles_as_of_now(office: Office) -> None:
    zoe, anna = office.invite("Zoe Abel"), office.invite("Anna Zorn")
    office.follow()
    done = office.set_role(anna, "author", granted=True)
    office.follow()
    cards = office.api.all_staff(ListStaff(after=done.position), a_context())
    assert [card.staff_id for card in cards] == [zoe, anna]
    assert cards[1].roles == ("sender", "author")


def test_the_rebuilt_list_is_the_live_list(office: Office) -> None:
    for name in ("Zoe Abel", "Anna Zorn"):
        office.invite(name)
    office.follow()
    with office.readmodel.connect() as connection:
        live = digest_of(connection, [STAFF])
    rebuild(office.store, office.readmodel, StaffProjection(), lambda *_: None)
    with office.readmodel.connect() as connection:
        assert digest_of(connection, [STAFF]) == live


def test_nothing_personal_or_secret_lies_open(office: Office) -> None:
    anna = office.invite("Quillfeather Larch")
    office.password(anna)
    secret = office.link(anna)
    office.use(secret)
    office.follow()
    stored = [path.read_bytes() for path in office.folder.rglob("*") if path.is_file()]
    raws = office.journal.read_all(0, 1000)
    stored += [raw.body + raw.meta + raw.stream.encode() for raw in raws]
    address = "quillfeather.larch@harbourvale.example"
    unsalted = hashlib.sha256(address.encode()).hexdigest()
    for canary in (
        *("Quillfeather", "quillfeather", "Larch", address, unsalted, GOOD, secret),
        *(address.encode().hex(), base64.b64encode(b"Quillfeather").decode()),
    ):
        assert not any(canary.encode() in content for content in stored), canary
    foreign = CodedStore(office.journal, EventCodec("audit"))
    invited = only(StaffInvited, [record.event for record in foreign.read_all()])
    assert isinstance(invited[0].email, Sealed)


def test_secrets_do_not_show_in_the_repr_of_a_request() -> None:
    assert "s3" not in repr(UseSignInLink(secret="s3"))
    assert GOOD not in repr(SetPassword(staff_id="1", password=GOOD))
    assert GOOD not in repr(SignIn(email="a", password=GOOD))


class _BreaksOff:
    """A store whose disk fails after so many appends."""

    def __init__(self, store: CodedStore, good: int) -> None:
        self._store, self._good = store, good

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, *args: Any, **named: Any) -> Any:
        if not self._good:
            raise ConnectionError
        self._good -= 1
        return self._store.append(*args, **named)


def _build_over(
    office: Office, *, fail_after: int | None = None, hasher: Any = None
) -> StaffApi:
    store: Any = office.store
    if fail_after is not None:
        store = _BreaksOff(office.store, fail_after)
    keys = office.api._registry._keys  # type: ignore[attr-defined]  # as the fixture's
    return build_portal(
        store, office.clock, keys, office.readmodel, hasher or office.hasher
    ).handlers

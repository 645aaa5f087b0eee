"""The contacts service as its callers meet it, over real keys and tables."""

from __future__ import annotations

import base64
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from services.crm.api import Permit
from services.crm.commands import (
    CheckFact,
    CreateContact,
    ForgetContact,
    GetContact,
    PermitSend,
    SearchContacts,
    SetStop,
)
from services.crm.errors import (
    ContactErased,
    ContactHasStopped,
    ContactInvalid,
    ContactUnknown,
)
from services.crm.tables import CONTACTS, TERMS
from shared.context import CallContext
from shared.errors import Malformed
from shared.readmodel import digest_of
from shared.rebuild import rebuild
from tests.builders import NOON, a_context
from tests.unit.crm.conftest import World


def found(world: World, query: str, limit: int = 20) -> list[str]:
    page = world.crm.search(SearchContacts(query=query, limit=limit), a_context())
    return [row.formal_name for row in page.rows]


def permit(world: World, contact_id: str, context: CallContext | None = None) -> Permit:
    request = PermitSend(
        envelope_id="e" * 32, contact_id=contact_id, purpose="service", attempt=1
    )
    granted: Permit = world.crm.permit(request, context or a_context())
    return granted


def stop(contact_id: str, name: str) -> SetStop:
    return SetStop(
        contact_id=contact_id, stop=name, stopped=True, door="portal", wording="v1"
    )


def test_entering_twice_by_one_command_is_one_person(world: World) -> None:
    context = a_context()
    assert world.enter(context) == world.enter(context)
    assert found(world, "") == ["Mr Tom Jones"]
    assert len(world.journal.read_all(0, 100)) == 1


def test_a_refused_person_leaves_no_trace(world: World) -> None:
    with pytest.raises(ContactInvalid):
        world.enter(family="JONES")
    assert world.journal.read_all(0, 100) == []


def test_a_contact_shows_everything_staff_may_see(world: World) -> None:
    tom = world.enter(postcode="zz1 1aa", customer_reference="HV-1", company="Acme")
    view = world.crm.contact(GetContact(contact_id=tom), a_context())
    assert (view.formal_name, view.salutation) == ("Mr Tom Jones", "Dear Mr Tom Jones")
    assert (view.postcode, view.facts) == (
        "ZZ1 1AA",
        ("postcode", "customer_reference"),
    )
    assert (view.created_at, view.email_changed_at) == (NOON, None)
    assert (view.stops, view.look_alikes, view.fresh) == ((), (), True)


def test_a_changed_address_shows_when_it_was_changed(world: World) -> None:
    tom = world.enter()
    world.clock.move(timedelta(hours=1))
    world.change(tom, company="Acme")
    view = world.crm.contact(GetContact(contact_id=tom), a_context())
    assert view.email_changed_at is None
    world.change(tom, email="tj@people.example")
    world.clock.move(timedelta(hours=1))
    world.change(tom, postcode="ZZ1 1AA")
    view = world.crm.contact(GetContact(contact_id=tom), a_context())
    assert view.email == "tj@people.example"
    assert view.email_changed_at == NOON + timedelta(hours=1)
    events = [r.event for r in world.store.read(f"crm.contact-{tom}")]
    assert [getattr(e, "changed", ()) for e in events] == [
        (),
        ("company",),
        ("email",),
        ("postcode",),
    ]


def test_a_change_that_changes_nothing_writes_nothing(world: World) -> None:
    tom = world.enter()
    world.change(tom)
    assert world.types(f"crm.contact-{tom}") == ["ContactCreated"]


def test_a_recipient_is_read_from_the_stream_itself(world: World) -> None:
    request = CreateContact(
        given="Tom", family="Jones", postcode="ZZ1 1AA", email="tom@people.example"
    )
    tom = world.crm.create(request, a_context()).ref  # no projection has run
    world.crm.set_stop(stop(tom, "marketing"), a_context())
    recipient = world.crm.recipient(GetContact(contact_id=tom), a_context())
    assert recipient.formal_name == "Tom Jones"
    assert recipient.initials == "T. J."
    assert recipient.masked_email == "t\u2022\u2022\u2022@people.example"
    assert recipient.facts == ("postcode",)
    assert recipient.stops == ("marketing",)
    with pytest.raises(ContactUnknown):
        world.crm.recipient(GetContact(contact_id="0" * 32), a_context())


def test_a_permit_is_granted_once_for_a_command(world: World) -> None:
    tom, context = world.enter(), a_context()
    first = permit(world, tom, context)
    permit(world, tom)
    assert permit(world, tom, context) == first
    assert world.types(f"crm.contact-{tom}").count("SendPermitted") == 2


def test_a_stop_is_obeyed_at_once_and_shown(world: World) -> None:
    tom = world.enter()
    world.crm.set_stop(stop(tom, "messages"), a_context())
    done = world.crm.set_stop(stop(tom, "all"), a_context())
    again = world.crm.set_stop(stop(tom, "all"), a_context())
    assert again.position == done.position
    with pytest.raises(ContactHasStopped):
        permit(world, tom)
    world.catch_up()
    [row] = world.crm.search(SearchContacts(), a_context()).rows
    assert row.stops == ("messages", "all")


def test_a_stop_taken_back_no_longer_stops(world: World) -> None:
    tom = world.enter()
    for name in ("all", "marketing"):
        world.crm.set_stop(stop(tom, name), a_context())
    world.crm.set_stop(replace(stop(tom, "all"), stopped=False), a_context())
    world.catch_up()
    view = world.crm.contact(GetContact(contact_id=tom), a_context())
    assert view.stops == ("marketing",)
    assert permit(world, tom).email == "tom.jones@people.example"


def test_no_permit_is_granted_after_a_stop_however_they_race(world: World) -> None:
    tom = world.enter()
    begin = threading.Barrier(3)

    def ask() -> None:
        begin.wait()
        with suppress(ContactHasStopped):
            for _ in range(20):
                permit(world, tom)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    begin.wait()
    world.crm.set_stop(stop(tom, "messages"), a_context())
    for asker in askers:
        asker.join()
    assert world.types(f"crm.contact-{tom}")[-1] == "ContactStopped"


def test_a_person_erased_while_being_listed_is_not_listed(world: World) -> None:
    request = CreateContact(given="Tom", email="tom@people.example")
    tom = world.crm.create(request, a_context()).ref
    [created] = world.store.read(f"crm.contact-{tom}")
    world.keyring.destroy(tom)
    with world.readmodel.begin() as connection:
        world.parts.projections[0].apply(connection, created)
    assert found(world, "tom") == []


@pytest.fixture
def town(world: World) -> World:
    """Everybody a search might meet."""
    world.enter(postcode="ZZ1 1AA", customer_reference="HV-10231")
    world.enter(given="Tomas", postcode="ZZ9 4QT", email="tomas@people.example")
    world.enter(title="Mrs", given="Edith", family="Holloway")
    world.enter(title="", given="Amarani", family="")
    world.enter(title="Ms", given="Harriet", family="Ashworth-Okafor")
    world.enter(title="Ms", given="\u7f8e\u96e8", family="\u6797")
    world.enter(
        title="", given="\u041e\u043b\u044c\u0433\u0430", family="\u041b\u0435\u0441"
    )
    world.enter(
        title="Dr", given="Ingrid", family="S\u00f8rensen", company="Quay Paper"
    )
    world.enter(title="Sir", given="Maximilian", family="Featherstonehaughton")
    return world


SEARCHES = [
    ("jones tom", ["Mr Tom Jones", "Mr Tomas Jones"]),
    ("Tom Jon", ["Mr Tom Jones", "Mr Tomas Jones"]),
    ("Mr Tomas Jones", ["Mr Tomas Jones"]),
    ("jones edith", []),
    ("ones", []),
    ("amarani", ["Amarani"]),
    ("okafor", ["Ms Harriet Ashworth-Okafor"]),
    ("ashworth okafor harriet", ["Ms Harriet Ashworth-Okafor"]),
    ("Ashworth-Okafor", ["Ms Harriet Ashworth-Okafor"]),
    ("ashworthok", ["Ms Harriet Ashworth-Okafor"]),
    ("\u6797", ["Ms \u7f8e\u96e8 \u6797"]),
    ("\u7f8e", ["Ms \u7f8e\u96e8 \u6797"]),
    ("\u6797\u7f8e\u96e8", ["Ms \u7f8e\u96e8 \u6797"]),
    ("\u043e\u043b\u044c", ["\u041e\u043b\u044c\u0433\u0430 \u041b\u0435\u0441"]),
    ("SORENSEN", ["Dr Ingrid S\u00f8rensen"]),
    ("quay paper", ["Dr Ingrid S\u00f8rensen"]),
    ("zz1 1aa", ["Mr Tom Jones"]),
    ("zz11aa", ["Mr Tom Jones"]),
    ("ZZ9", ["Mr Tomas Jones"]),
    ("hv-102", ["Mr Tom Jones"]),
    ("10231", ["Mr Tom Jones"]),
    ("HV 10231", ["Mr Tom Jones"]),
    ("featherstonehaught", ["Sir Maximilian Featherstonehaughton"]),
    ("t", []),
    ("???", []),
]


def test_people_are_found_by_the_beginnings_of_words(town: World) -> None:
    for query, names in SEARCHES:
        assert found(town, query) == names, query


def test_a_short_page_says_that_there_is_more(town: World) -> None:
    page = town.crm.search(SearchContacts(query="jones", limit=1), a_context())
    assert [row.formal_name for row in page.rows] == ["Mr Tom Jones"]
    assert page.more
    page = town.crm.search(SearchContacts(query="jones", limit=2), a_context())
    assert (len(page.rows), page.more) == (2, False)


def test_an_empty_query_gives_the_latest_changed_first(town: World) -> None:
    page = town.crm.search(SearchContacts(limit=2), a_context())
    assert page.more
    assert "Featherstonehaughton" in page.rows[0].formal_name
    [edith] = town.crm.search(SearchContacts(query="edith"), a_context()).rows
    town.change(edith.contact_id, company="Acme")
    assert found(town, " ", limit=1) == ["Mrs Edith Holloway"]


def test_a_renamed_person_is_found_by_the_new_name_only(world: World) -> None:
    tom = world.enter()
    world.change(tom, family="Holloway")
    assert found(world, "holl") == ["Mr Tom Holloway"]
    assert found(world, "jones") == []


def test_look_alikes_stand_beside_a_contact(town: World) -> None:
    [tom] = town.crm.search(SearchContacts(query="zz11aa"), a_context()).rows
    view = town.crm.contact(GetContact(contact_id=tom.contact_id), a_context())
    assert [row.formal_name for row in view.look_alikes] == ["Mr Tomas Jones"]
    [edith] = town.crm.search(SearchContacts(query="edith"), a_context()).rows
    view = town.crm.contact(GetContact(contact_id=edith.contact_id), a_context())
    assert view.look_alikes == ()


def test_a_list_that_lags_says_so(world: World) -> None:
    world.enter()
    page = world.crm.search(SearchContacts(after=1), a_context())
    assert page.fresh
    page = world.crm.search(SearchContacts(after=99), a_context())
    assert not page.fresh


def test_a_forgotten_person_is_gone_from_everywhere(world: World) -> None:
    tom = world.enter(postcode="ZZ1 1AA")
    tomas = world.enter(given="Tomas", email="tomas@people.example")
    granted = a_context()
    permit(world, tom, granted)
    world.forget(tom)
    assert found(world, "tom") == ["Mr Tomas Jones"]
    assert found(world, "zz11aa") == []
    assert found(world, "") == ["Mr Tomas Jones"]
    view = world.crm.contact(GetContact(contact_id=tomas), a_context())
    assert view.look_alikes == ()
    with pytest.raises(ContactUnknown):
        world.crm.contact(GetContact(contact_id=tom), a_context())
    with pytest.raises(ContactErased):
        world.crm.recipient(GetContact(contact_id=tom), a_context())
    with pytest.raises(ContactUnknown):
        world.crm.check_fact(
            CheckFact(contact_id=tom, means="postcode", answer="ZZ1 1AA"), a_context()
        )
    for context in (granted, a_context()):
        with pytest.raises(ContactErased):
            permit(world, tom, context)
    with world.readmodel.connect() as connection:
        for table in (CONTACTS, TERMS):
            rows = connection.execute(table.select()).all()
            assert {row.contact_id for row in rows} == {tomas}


def test_forgetting_destroys_the_key_and_empties_memory(world: World) -> None:
    tom = world.enter()
    request = ForgetContact(contact_id=tom, reason="person_asked")
    world.crm.forget(request, a_context())
    kept = world.crm._contacts._kept[f"crm.contact-{tom}"]
    assert kept.state.details is None, "before any key is destroyed"
    world.catch_up()
    assert world.keyring.is_destroyed(tom)
    assert world.types(f"crm.keys-{tom}") == ["ContactKeysDestroyed"]
    [forgotten] = [
        r
        for r in world.store.read(f"crm.contact-{tom}")
        if r.event.type_name == "ContactForgotten"
    ]
    world.parts.reactions[0].react(forgotten)
    assert world.types(f"crm.keys-{tom}") == ["ContactKeysDestroyed"]


def test_forgetting_is_done_once(world: World) -> None:
    tom, context = world.enter(), a_context()
    request = ForgetContact(contact_id=tom, reason="person_asked")
    done = world.crm.forget(request, context)
    world.catch_up()
    assert world.crm.forget(request, context) == done
    world.crm.forget(request, a_context())
    assert world.types(f"crm.contact-{tom}").count("ContactForgotten") == 1
    with pytest.raises(ContactUnknown):
        world.crm.forget(ForgetContact(contact_id="0" * 32, reason="x1"), a_context())


def test_an_erased_address_is_not_entered_again(world: World) -> None:
    tom = world.enter()
    edith = world.enter(title="Mrs", given="Edith", email="edith@people.example")
    world.forget(tom)
    with pytest.raises(ContactErased):
        world.enter(email="Tom.Jones@people.EXAMPLE")
    with pytest.raises(ContactErased):
        world.change(edith, email="tom.jones@people.example")
    assert world.enter(given="Thea", email="thea@people.example")


def test_a_rebuilt_list_is_the_same_and_still_forgets(world: World) -> None:
    world.enter(postcode="ZZ1 1AA")
    edith = world.enter(given="Edith", email="edith@people.example")
    world.forget(edith)
    [projection] = world.parts.projections
    with world.readmodel.connect() as connection:
        before = digest_of(connection, [TERMS])
    rebuild(world.store, world.readmodel, projection, lambda done, total: None)
    with world.readmodel.connect() as connection:
        assert digest_of(connection, [TERMS]) == before
    assert found(world, "") == ["Mr Tom Jones"]


CANARIES = ("Quentillian", "Zarathorpe", "qz.canary@people.example", "ZZ7 7QX")


def test_nothing_kept_holds_a_person_in_plain_text(world: World) -> None:
    given, family, email, postcode = CANARIES
    world.enter(
        given=given,
        family=family,
        email=email,
        postcode=postcode,
        company="Vexatron Works",
        customer_reference="QQ-778812",
        birth_date="1961-07-23",
    )
    assert found(world, "quentillian") == ["Mr Quentillian Zarathorpe"]
    world.readmodel.close()
    kept = [
        raw.body + raw.meta + raw.stream.encode()
        for raw in world.journal.read_all(0, 99)
    ]
    kept += [path.read_bytes() for path in world.folder.rglob("*") if path.is_file()]
    assert len(kept) > 3
    words = [*CANARIES, "Vexatron", "QQ-778812", "1961-07-23", "quentill", "zz77qx"]
    for word in words:
        raw = word.encode()
        forms = [raw, raw.lower(), raw.hex().encode(), word.encode("utf-16-le")]
        forms += [base64.b64encode(raw)[: len(raw) // 3 * 4]]
        for content in kept:
            assert not any(form in content for form in forms), word


def test_a_used_command_enters_no_second_person(world: World) -> None:
    context = a_context()
    world.enter(context)
    with pytest.raises(Malformed):
        world.enter(context, given="Edith", email="edith@people.example")
    assert found(world, "") == ["Mr Tom Jones"]


def test_a_repeat_is_answered_also_when_the_person_is_erased_since(
    world: World,
) -> None:
    context = a_context()
    contact_id = world.enter(context)
    request = ForgetContact(contact_id=contact_id, reason="requested")
    world.crm.forget(request, a_context())
    world.catch_up()
    assert world.enter(context) == contact_id
    with pytest.raises(ContactErased):
        world.enter()

"""A whole day by forms alone: a call, a region, its papers, two people, service on, a shipment received."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.api.office.conftest import CELLS
from tests.api.site.conftest import Browser, House, Page, log_in


def made(page: Page) -> str:
    """The path of what a form made or changed."""
    assert page.status == 200, page.text
    parts = urlsplit(page.url)
    assert parts.query.startswith("done="), f"{page.url}: {page.text}"
    return parts.path


def begun(browser: Browser, path: str, **typed: object) -> Page:
    """Fill in the form that begins a thing; path: of the list, or of the form as a link fills it in."""
    page = browser.open(path if "/new" in path else f"{path}/new")
    return browser.send(page, "/new", **typed)


def by_two(house: House, path: str, action: str, **typed: object) -> Page:
    """The operator proposes it, the approver reads and agrees, the operator carries it out."""
    operator, approver = house.operator, house.approver
    waits = operator.send(operator.open(path), action, **typed)
    assert urlsplit(waits.url).path.startswith("/approvals/apr_"), waits.text
    assert "It waits for a second person" in waits.text
    assert not waits.has_form("/agree"), "who proposed it does not agree to it as well"
    agreement = urlsplit(waits.url).path
    assert not waits.has_form("/carry-out")
    start = approver.open("/start")
    assert agreement in [href for href, _ in start.read.links]
    seen = approver.open(agreement)
    assert "These words give exactly the hash below" in seen.text
    agreed = approver.send(seen, "/agree")
    made(agreed)
    assert not agreed.has_form("/carry-out"), "an approver does nothing else"
    assert agreement in [href for href, _ in operator.open("/start").read.links]
    return operator.send(operator.open(agreement), "/carry-out")


def invited(house: House, role: str, **more: str) -> Browser:
    person = made(house.operator.send(house.operator.open("/persons/new"), "/persons/new"))
    made(by_two(house, person, "/grant", role=role, **more))
    page = house.operator.send(house.operator.open(person), "/invite")
    address = urlsplit(page.html.partition('<code class="secret">')[2].partition("<")[0])
    new = Browser(house.town)
    email = f"{role}@example.org"
    password = "correct horse battery"
    new.send(new.open(f"{address.path}?{address.query}"), "", email=email, password=password, again=password)
    return log_in(house.town, email)


def test_a_day_by_forms(house: House) -> None:
    operator = house.operator
    # A call comes in, and is read.
    call = made(
        begun(operator, "/requests", channel="phone", site_kind="hospital", people=250,
            terminals_wanted=3, asked_at="2022-02-26T10:06", asker="CANARY Doctor",
        )
    )  # fmt: skip
    assert "Calls that nobody has read" in operator.open("/start").text
    made(operator.send(operator.open(call), "/acknowledge"))

    # A region, its authority, and the authorisation.
    region = made(
        begun(
            operator,
            "/regions",
            country="UA",
            title="Ukraine",
            cells="\n".join(CELLS),
        )
    )
    region_id = region.rpartition("/")[2]
    made(operator.send(operator.open(region), "/request"))
    authority = invited(house, "authority", regions=region_id)
    assert "Regions that wait for your word" in authority.open("/start").text
    page = authority.open(region)
    assert not page.has_form("/activate")
    made(authority.send(page, "/grant", authority="NCEC", document="decision 118/26"))
    made(operator.send(operator.open(call), "/place", cell=CELLS[0], region=region_id))
    made(operator.send(operator.open(call), "/verify", authority="ministry", how="call back"))
    made(operator.send(operator.open(call), "/accept"))

    # Two people switch it on.
    made(by_two(house, region, "/cells", all_cells="on", mode="enabled"))
    on = by_two(house, region, "/activate")
    assert made(on) == region
    assert "Service is on" in on.text

    # An account with a plan, and a shipment of three kits.
    plan = made(
        begun(
            operator,
            "/plans",
            title="Hospitals",
            service_class=1,
            down_bps="50e6",
            up_bps="10e6",
        )
    )
    account = made(
        begun(operator, "/accounts", holder="critical-infrastructure", country="UA",
            region=region_id, name="CANARY Hospital",
        )
    )  # fmt: skip
    account_id = account.rpartition("/")[2]
    made(operator.send(operator.open(account), "/verify", authority="ministry", reference="letter 5"))
    made(operator.send(operator.open(account), "/plan", plan=plan.rpartition("/")[2]))
    terminal = made(
        begun(
            operator,
            "/terminals",
            hardware="STD-V2",
            serial="KIT1001X",
            origin="gift",
            network="operator",
        )
    )
    made(operator.send(operator.open(terminal), "/deliver", place="WAW-1"))
    logistics = invited(house, "logistics")
    shipment = made(
        begun(
            logistics, f"/shipments/new?request={call.rpartition('/')[2]}&region={region_id}",
            reference="TRK-2022-0001", origin="WAW-1", destination=account_id, recipient=account_id,
            lines="STD-V2, KIT1001X\nSTD-V2, KIT1002X\nSTD-V2, KIT1003X\nMOUNT-1, 3",
        )
    )  # fmt: skip
    assert "KIT1003X" in logistics.open(shipment).text
    made(logistics.send(logistics.open(shipment), "/plan-leg", carrier="NP-1"))
    for step in ("/pack", "/depart", "/arrive"):
        made(logistics.send(logistics.open(shipment), step))

    # What came: two at first, one of them damaged; then the rest.
    page = logistics.open(shipment)
    nothing = logistics.send(page, "/receive")
    assert nothing.status == 422
    assert "nothing is ticked" in nothing.text
    page = logistics.send(page, "/receive", came__KIT1001X="sound", came__KIT1002X="damaged")
    made(page)
    assert "KIT1002X STD-V2 1 Came, damaged" in page.text
    assert "KIT1003X STD-V2 1 Awaited" in page.text
    mounts = next(name for name in page.form("/receive").names if name.startswith("sound."))
    made(logistics.send(page, "/receive", **{mounts: "3"}, came__KIT1003X="sound"))
    page = logistics.send(logistics.open(shipment), "/complete")
    made(page)
    page = logistics.send(page, "/resolve", number="1", resolution="repaired", document="repair 7")
    assert "resolved" in page.text
    assert "Received" in page.text
    # Only who belongs to its recipient is offered what nobody else may do.
    assert not page.has_form("/confirm")
    people = house.people
    recipient = house.town.person(
        "subscriber", by=people["operator"], approver=people["approver"], account=account_id
    )
    hospital = log_in(house.town, f"{recipient.id}@example.org")
    made(hospital.send(hospital.open(shipment), "/confirm"))

    # The terminal is at the hospital, is registered, verified and on.
    page = operator.open(terminal)
    assert "Delivered" in page.text
    made(operator.send(page, "/register", owner=account_id, cell=CELLS[0], region=region_id))
    made(
        operator.send(
            operator.open(terminal), "/verify", basis="operator", authority="OPS", reference="check 1"
        )
    )
    made(operator.send(operator.open(terminal), "/activate"))
    page = operator.open(terminal)
    command = page.form("/confirm").fields["command"][0] or _only_command(page)
    made(operator.send(page, "/confirm", command=command, evidence="slot 12"))
    assert "May it be served? Yes" in operator.open(terminal).text
    made(operator.send(operator.open(call), "/answer", shipment=shipment.rpartition("/")[2]))

    # The word to the public is made from the record; the four times are on the start page.
    statement = begun(
        operator,
        "/statements",
        kind="service-active",
        about=region_id,
        place_uk="Україна",
    )
    assert "Service is active in Ukraine." in statement.text
    made(operator.send(statement, "/publish"))
    start = operator.open("/start")
    for step in ("Acknowledged", "Authorised", "Service on", "First terminal online"):
        assert f"{step} 1.9 h median of 1; none waits" in start.text, start.text
    assert "CANARY" not in start.html + operator.open(call).html


def _only_command(page: Page) -> str:
    found = page.html.partition('name="command"')[2].partition("</select>")[0]
    return found.rpartition('value="')[2].partition('"')[0]


def test_a_stale_form_says_what_changed_and_does_nothing(house: House) -> None:
    operator = house.operator
    call = made(begun(operator, "/requests", channel="phone", site_kind="hospital"))
    old = operator.open(call)
    made(operator.send(old, "/place", cell=CELLS[1]))
    stale = operator.send(old, "/place", cell=CELLS[0])
    assert stale.status == 409
    assert "It was changed after you opened the form" in stale.text
    assert "You filled it in by version 1; now it is version 2" in stale.text
    assert "Placed" in stale.text
    assert house.people["operator"].get(f"requests/{call.rpartition('/')[2]}").json()["cell"] == CELLS[1]
    assert stale.form("/place").fields["cell"] == [CELLS[0]], "what was typed is still there"
    assert made(operator.send(stale, "/place")) == call


def test_a_refusal_stands_at_its_field_with_what_was_typed(house: House) -> None:
    operator = house.operator
    page = begun(operator, "/requests", channel="public-post", site_kind="school", people=12,
        asked_at="2022-02-26T11:00",
    )  # fmt: skip
    assert page.status == 422
    assert 'id="request-create-link-error"' in page.html
    assert "a public post has one" in page.text
    form = page.form("/requests/new")
    assert (form.fields["people"], form.fields["site_kind"]) == (["12"], ["school"])
    assert form.fields["asked_at"] == ["2022-02-26T11:00"]
    for field, typed, says in (
        ("people", "many", "it is a whole number"),
        ("people", "-1", "it is a whole number from 0 to"),
        ("asked_at", "2030-01-01T00:00", "nobody asks after they were heard"),
        ("latitude_deg", "north", "it is a number"),
        ("cell", "a@b", "looks like a mail address"),
        ("cell", "8" * 4001, "more than 4,000 characters"),
        ("site_kind", "", "it is needed"),
        ("site_kind", "castle", "none of a few words"),
    ):
        fields = {"channel": "phone", "site_kind": "school", field: typed}
        page = begun(operator, "/requests", **fields)
        assert page.status in (400, 422), (field, page.text)
        error = page.html.partition(f'id="request-create-{field}-error"')[2].partition("</p>")[0]
        assert says in error, (field, page.text)
        assert "castle" not in error


def test_a_region_without_cells_says_that_all_can_be_ticked(house: House) -> None:
    page = begun(house.operator, "/regions", country="UA", title="Ukraine")
    assert page.status == 422
    error = page.html.partition('id="region-create-cells-error"')[2].partition("</p>")[0]
    assert "none is named" in error
    assert "All cells of the country" in error


def test_a_form_sent_twice_is_done_once(house: House) -> None:
    operator = house.operator
    page = operator.open("/requests/new")
    first = operator.send(page, "/requests/new", channel="phone", site_kind="hospital")
    second = operator.send(page, "/requests/new", channel="phone", site_kind="hospital")
    assert first.url == second.url
    assert len(house.people["operator"].get("requests").json()["items"]) == 1


def test_what_another_person_declines_is_not_carried_out(house: House) -> None:
    operator, approver = house.operator, house.approver
    person = made(
        begun(
            operator,
            "/persons",
        )
    )
    waits = operator.send(operator.open(person), "/grant", role="viewer")
    agreement = urlsplit(waits.url).path
    page = approver.send(approver.open(agreement), "/decline")
    assert "Declined" in page.text
    page = operator.open(agreement)
    assert not page.has_form("/carry-out")
    token = page.form("/logout").fields["form_token"][0]
    refused = operator.post(f"{agreement}/carry-out", {"form_token": token})
    assert refused.status == 409
    assert "it is declined and cannot be used" in refused.text


def test_whoever_proposed_it_has_a_button_to_take_it_back(house: House) -> None:
    operator, approver = house.operator, house.approver
    waits = operator.send(operator.open(made(begun(operator, "/persons"))), "/grant", role="viewer")
    agreement = urlsplit(waits.url).path
    assert not approver.open(agreement).has_form("/withdraw")
    page = operator.send(operator.open(agreement), "/withdraw")
    assert "Withdrawn" in page.text
    assert not page.has_form("/withdraw")
    assert not approver.open(agreement).has_form("/agree")


def test_what_was_agreed_to_is_void_when_the_thing_changes(house: House) -> None:
    operator = house.operator
    person = made(
        begun(
            operator,
            "/persons",
        )
    )
    waits = operator.send(operator.open(person), "/grant", role="viewer")
    agreement = urlsplit(waits.url).path
    assert agreement in [to for to, _ in operator.open(person).read.links]
    made(operator.send(operator.open(person), "/lock", reason="away"))
    assert agreement not in [to for to, _ in operator.open(person).read.links]
    page = house.approver.open(agreement)
    assert "What it is about has changed since" in page.text
    assert not page.has_form("/agree")


def test_what_is_personal_is_erased_by_a_form(house: House) -> None:
    operator = house.operator
    call = made(
        begun(
            operator,
            "/requests",
            channel="phone",
            site_kind="hospital",
            asker="CANARY A",
        )
    )
    page = operator.send(operator.open(call), "/erase")
    assert page.status == 422
    assert "tick that you are sure" in page.text
    page = operator.send(operator.open(call), "/erase", sure="on", ground="danger")
    assert "What was personal is erased" in page.text
    assert "Nothing personal is kept" in operator.send(operator.open(call), "/personal").text

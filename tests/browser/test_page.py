"""What a family does on the page, in a real browser, in front of a real daemon."""

from __future__ import annotations

import base64
import re

import PIL.Image
import pytest

pytestmark = pytest.mark.timeout(900)
"""Ten photos are learnt one after the other, and axe looks at everything."""

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}


@pytest.fixture(scope="session")
def photos(small_photos):
    """Small ones, since these tests are not about size."""
    return small_photos


@pytest.fixture(scope="session")
def eileens(photos, tmp_path_factory):
    """Three pictures of a stranger."""
    folder = tmp_path_factory.mktemp("eileen")
    with PIL.Image.open(photos["astronaut"]) as picture:
        for margin in (0, 30, 60):
            picture.convert("RGB").crop((margin, 0, 512 - margin, 460)).save(folder / f"{margin}.jpg")
    return sorted(folder.iterdir())


TRACKS = """async () => {
  const { createTracks } = await import("./page/tracks.js");
  const follow = createTracks();
  const at = (x, track) => ({ faceBox: { xmin: x, ymin: 0, xmax: x + 100, ymax: 100 }, track });
  return [
    follow([at(0, 1), at(300, 2)]),
    follow([at(300, 1), at(0, 2)]),
    follow([]),
    follow([at(0), at(300)]),
    follow([at(310), at(5)]),
  ];
}"""


@pytest.mark.slow
def test_an_element_follows_the_face(visit):
    """By the daemon's track, wherever the face is; without one, by where it is."""
    visitor = visit(permissions=[])
    visitor.go("people")
    assert visitor.page.evaluate(TRACKS) == [
        ["track 1", "track 2"],
        ["track 1", "track 2"],
        [],
        [1, 2],
        [2, 1],
    ]


def hold(page):
    """Photos that the page sends from now on wait until the function is called that this returns."""
    held = []

    def take(route):
        if held is None or route.request.method != "POST":
            route.continue_()
        else:
            held.append(route)

    def release():
        nonlocal held
        waiting, held = held, None
        for route in waiting:
            route.continue_()

    page.route("**/api/v1/people/*/photos", take)
    return release


@pytest.mark.slow
def test_a_stranger_is_captured_named_and_known(visit, home):
    """First run at a desk: ten examples from the webcam, a name, and the next frame has it."""
    visitor = visit()
    asked = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.go()
    visitor.see("h1", "Add the first face")
    visitor.page.locator(".choice", has_text="Use the camera").click()
    visitor.see(".box.unknown")
    visitor.see(".filmstrip li.there:nth-child(10)")
    visitor.page.get_by_label("Whose face is it?").fill("Eileen")
    release = hold(visitor.page)
    visitor.press("Save")
    visitor.see(".hint", "Learning Eileen\u2019s face")
    assert "Who is this?" not in visitor.page.locator(".capture").inner_text()
    release()
    visitor.see(".finished", "Hello, Eileen")
    assert home.get("/api/v1/people").json()["people"][0]["images"] > 1
    # An example with a second face would be refused, so all are searched for.
    assert not [url for url in asked if "follow=" in url]
    visitor.press("See it live")
    visitor.see(".box.known", "Eileen")
    with visitor.page.expect_request("**/faces?follow=page-*"):
        pass
    visitor.see(".present li", "Eileen")
    assert visitor.page.locator(".pace").inner_text().endswith("per second")
    eileen = visitor.page.locator(".present li", has_text="Eileen")
    eileen.get_by_role("button", name="Why?").click()
    visitor.see(".nearest li", "Eileen")


@pytest.mark.slow
def test_photos_on_a_phone_ask_whose_face_is_meant(visit, home, photos):
    """First run with photos: one face is stored at once, of several one is clicked, no face is explained."""
    visitor = visit(PHONE, permissions=[])
    visitor.go("start")
    visitor.page.locator(".choice", has_text="Choose photos").click()
    visitor.page.get_by_label("Whose face is it?").fill("Barack")
    visitor.press("Next")
    files = [photos["nobody"], photos["obama"], photos["t1"]]
    visitor.page.locator(".drop input").set_input_files(files)
    visitor.see(".uploads .poor", "No face was found.")
    visitor.see(".question", "Which one is Barack?")
    assert visitor.page.locator(".pick").count() == 6
    visitor.see("#toasts", "1 photo of Barack added")
    visitor.page.locator(".pick").first.click()
    visitor.see(".finished", "Hello, Barack")
    (person,) = home.get("/api/v1/people").json()["people"]
    assert (person["name"], person["images"]) == ("Barack", 2)


DROP = """([name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
  const type = name.endsWith("jpg") ? "image/jpeg" : "text/plain";
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  const drop = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer });
  document.querySelector("h1").dispatchEvent(drop);
  return drop.defaultPrevented;
}"""


@pytest.mark.slow
def test_what_becomes_of_dropped_photos_is_seen(visit, enrol, photos):
    """Wherever they are dropped; why one is refused is said in the reader's language."""
    enrol("Barack", photos["obama"])
    visitor = visit(locale="de-AT", permissions=[])
    visitor.go("people")
    visitor.see(".portrait")
    visitor.page.evaluate(DROP, ["joe.jpg", base64.b64encode(photos["biden"].read_bytes()).decode()])
    visitor.page.get_by_role("dialog").get_by_label("Name", exact=True).fill("Joe")
    visitor.press("Weiter")
    visitor.see("#toasts", "1 Foto von Joe hinzugefügt")
    visitor.see("h1", "Joe")
    visitor.go("person/Barack")
    visitor.see(".photo img")
    visitor.page.evaluate(DROP, ["notes.txt", base64.b64encode(b"no picture").decode()])
    visitor.see("#toasts", "Das ist kein Bild.")
    visitor.page.evaluate(DROP, ["torn.jpg", base64.b64encode(photos["obama"].read_bytes()[:99]).decode()])
    visitor.see(".uploads .poor", "Dieses Bild lässt sich nicht lesen.")
    assert "must be a whole picture" in visitor.see(".uploads .poor [lang=en]").inner_text()


@pytest.mark.slow
def test_a_photo_may_be_dropped_on_every_view(visit, photos):
    """Everywhere the page asks whose it is, and the browser never shows the file in the page's place."""
    visitor = visit(permissions=[])
    photo = ["joe.jpg", base64.b64encode(photos["biden"].read_bytes()).decode()]
    for view, sign in (("review", "h1"), ("tune", "h1"), ("health", "h1"), ("live", ".live")):
        visitor.go(view)
        visitor.see(sign)
        assert visitor.page.evaluate(DROP, photo), view
        visitor.see("dialog h2", "Whose photo is it?")
        visitor.page.keyboard.press("Escape")
        visitor.page.locator("dialog").wait_for(state="detached")
    visitor.go("start")
    visitor.see(".choice")
    assert visitor.page.evaluate(DROP, photo)


@pytest.mark.slow
def test_a_photo_of_one_face_is_looked_at_once(visit, home, photos, enrol):
    """It is stored without a question before, which would hold up other calls."""
    enrol("Barack", photos["obama2"])
    visitor = visit(permissions=[])
    asked = []
    visitor.page.on("request", lambda request: asked.append((request.method, request.url)))
    visitor.go("person/Barack")
    visitor.page.locator("summary", has_text="Add photos").click()
    visitor.page.locator(".drop input").set_input_files([photos["obama"]])
    visitor.see("#toasts", "1 photo of Barack added")
    posted = [url for method, url in asked if method == "POST"]
    assert [url.rpartition("/")[2] for url in posted] == ["photos"]
    assert home.get("/api/v1/people").json()["people"][0]["images"] == 2


@pytest.mark.slow
def test_photos_are_learnt_on_while_another_view_is_open(visit, home, photos, enrol):
    """Whoever leaves the page itself is asked; what was not added is told."""
    enrol("Barack", photos["obama"])
    visitor = visit(permissions=[])
    visitor.go("person/Barack")
    visitor.page.locator("summary", has_text="Add photos").click()
    release = hold(visitor.page)
    visitor.page.locator(".drop input").set_input_files(
        [photos["obama2"], photos["nobody"], photos["obama3"]]
    )
    visitor.see(".uploads li", "Looking for faces")
    visitor.press("People")
    visitor.see(".portrait", "Barack")
    visitor.page.once("dialog", lambda dialog: dialog.dismiss())
    with visitor.page.expect_event("dialog") as asked:
        visitor.page.evaluate("void setTimeout(() => location.reload())")
    assert asked.value.type == "beforeunload"
    visitor.page.get_by_role("link", name="Barack").click()
    visitor.see(".uploads li", "Waiting")
    visitor.press("People")
    release()
    visitor.see(".toast", "2 photos of Barack added")
    visitor.see(".toast.warn", "1 photo of Barack was not added")
    assert home.get("/api/v1/people").json()["people"][0]["images"] == 3
    visitor.page.reload()
    visitor.see(".portrait", "3 photos")


def test_a_mistake_is_corrected_with_one_key(visit, home, photos, enrol, remember):
    """N takes a name away, "Undo" brings it back, E gives another one; each counts at once."""
    enrol("Barack", photos["obama"])
    enrol("Joe", photos["biden"])
    remember(photos["obama2"])
    visitor = visit()
    visitor.go("review")
    visitor.see(".sighting.known", "Barack").locator(".bare-card").focus()
    visitor.page.keyboard.press("n")
    visitor.see(".sighting.unknown")
    visitor.page.locator(".toast").get_by_role("button", name="Undo").click()
    visitor.see(".sighting.known", "Barack").locator(".bare-card").focus()
    visitor.page.keyboard.press("e")
    visitor.page.get_by_role("dialog").get_by_label("Name", exact=True).fill("Joe")
    visitor.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    visitor.see(".sighting.known", "Joe")
    (item,) = home.get("/api/v1/sightings").json()["items"]
    assert item["face"] == "Joe"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "distance", "ratio"),
    [
        ("en-GB", r"0\.\d+, at most [01]\.\d+", "more than 1,000 times as likely, at least 2 times"),
        ("de-DE", r"0,\d+, höchstens [01],\d+", "mehr als 1.000-mal so wahrscheinlich, mindestens 2-mal"),
    ],
)
def test_why_tells_what_must_be_large_and_what_small(
    visit, photos, enrol, remember, language, distance, ratio
):
    """A distance is at most so large; nobody reads that another person is a billion times less likely."""
    enrol("Barack", photos["obama"])
    remember(photos["obama2"])
    visitor = visit(locale=language)
    visitor.go("review")
    visitor.see(".sighting.known", "Barack").locator(".bare-card").focus()
    visitor.page.keyboard.press("w")
    visitor.see(".meter.good", "Barack")
    told = visitor.page.locator(".meter .quiet").all_inner_texts()
    assert [one for one in told if re.fullmatch(distance, one)]
    assert ratio in told


@pytest.mark.slow
def test_many_are_chosen_and_confirmed_at_once(visit, photos, enrol, remember):
    """Ctrl-A chooses all, Esc none; C confirms what is chosen, with one "Undo" for all."""
    enrol("Barack", photos["obama"])
    for name in ("obama2", "obama3"):
        remember(photos[name])
    visitor = visit()
    visitor.go("review")
    visitor.see(".sighting.known", "Barack")
    visitor.page.keyboard.press("Control+a")
    visitor.see(".selected", "2 selected")
    visitor.page.keyboard.press("Escape")
    assert visitor.page.locator(".selected").is_hidden()
    visitor.page.keyboard.press("Control+a")
    visitor.page.keyboard.press("c")
    visitor.see(".toast", "2 faces confirmed")
    assert visitor.page.locator(".toast").get_by_role("button", name="Undo").is_visible()


@pytest.mark.slow
def test_a_sighting_is_shown_large_with_its_picture(visit, home, photos, enrol, remember):
    """The whole picture with the face in its box; arrow keys go on, and a correction counts once."""
    enrol("Barack", photos["obama"])
    remember(photos["obama2"])
    remember(photos["obama3"])
    visitor = visit(PHONE)
    visitor.go("review")
    visitor.page.locator(".sighting .bare-card").first.click()
    visitor.see("dialog .frame .box.known")
    around, box = (visitor.page.locator(f"dialog .frame {one}").bounding_box() for one in ("img", ".box"))
    whole = home.get(f"/api/v1/sightings/{home.get('/api/v1/sightings').json()['items'][0]['id']}").json()
    left = whole["faceBox"]["xmin"] / whole["imageSize"]["width"]
    assert (box["x"] - around["x"]) / around["width"] == pytest.approx(left, abs=0.02)
    visitor.see("dialog", "1 / 2")
    visitor.page.keyboard.press("ArrowRight")
    visitor.see("dialog", "2 / 2")
    visitor.page.keyboard.press("Escape")
    visitor.page.locator("dialog").wait_for(state="detached")
    visitor.page.locator(".sighting .bare-card").nth(1).click()
    visitor.see("dialog", "2 / 2")
    asked = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.page.keyboard.press("n")
    visitor.page.locator("dialog").wait_for(state="detached")
    visitor.see(".sighting.unknown")
    visitor.page.wait_for_load_state("networkidle")
    assert sum(url.endswith("/correct") for url in asked) == 1
    visitor.see(".acts button", "Not Barack")


@pytest.mark.slow
def test_two_cameras_at_once_are_two_visits(visit, photos, enrol, remember):
    """Each face stands under its own camera, also when they see somebody by turns; the keys follow."""
    enrol("Barack", photos["obama"])
    for name, camera in (("obama2", "door"), ("biden", "garden"), ("obama3", "door")):
        remember(photos[name], camera=camera)
    visitor = visit()
    visitor.go("review")
    visitor.see(".visit", "garden")
    titles = {
        visit.locator("h2 .quiet").inner_text().split(" ")[0]: visit.locator(
            ".title strong"
        ).all_inner_texts()
        for visit in visitor.page.locator(".visit").all()
    }
    assert titles == {"door": ["Barack", "Barack"], "garden": ["Stranger"]}


@pytest.mark.slow
def test_a_photo_of_somebody_else_is_doubted_and_moved(visit, home, photos, enrol):
    """A good one, too; the warning has the button that mends it."""
    for photo in ("obama", "obama2", "obama3", "biden"):
        enrol("Barack", photos[photo])
    visitor = visit()
    visitor.go("person/Barack")
    doubted = visitor.see(".photo", "May show somebody else.")
    assert visitor.page.locator(".photo .why").count() == 1
    doubted.get_by_role("button", name="Move").click()
    visitor.page.get_by_role("dialog").get_by_label("Name", exact=True).fill("Joe")
    visitor.page.get_by_role("dialog").get_by_role("button", name="Move").click()
    visitor.see("#toasts", "1 photo moved")
    visitor.gone(".photo", "May show")
    counts = {one["name"]: one["images"] for one in home.get("/api/v1/people").json()["people"]}
    assert counts == {"Barack": 3, "Joe": 1}


@pytest.mark.slow
def test_an_unknown_group_gets_a_name(visit, home, eileens, remember):
    """Named once, all that was seen has the name, and she is enrolled."""
    for picture in eileens:
        remember(picture)
    visitor = visit()
    visitor.go("review?unknown")
    group = visitor.see(".group", "3 faces")
    group.get_by_label("Who is this?").fill("Eileen")
    group.get_by_role("button", name="Name", exact=True).click()
    visitor.see(".toast", "3 faces are now Eileen")
    visitor.see(".empty", "No unknown people")
    assert {item["face"] for item in home.get("/api/v1/sightings").json()["items"]} == {"Eileen"}
    assert [person["name"] for person in home.get("/api/v1/people").json()["people"]] == ["Eileen"]


@pytest.mark.slow
def test_two_people_are_merged_and_that_is_undone(visit, photos, enrol):
    """One of the names stays; "Undo" brings both back."""
    enrol("Barack", photos["obama"])
    enrol("Barry", photos["obama2"])
    visitor = visit()
    visitor.go("people")
    visitor.see(".portrait", "Barry")
    visitor.page.keyboard.press("Control+a")
    visitor.page.locator(".selected").get_by_role("button", name="Merge").click()
    visitor.page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    visitor.gone(".portrait", "Barry")
    visitor.see(".portrait", "2 photos")
    visitor.page.locator(".toast").get_by_role("button", name="Undo").click()
    visitor.see(".portrait", "Barry")


def test_whoever_is_forgotten_is_gone(visit, home, photos, enrol, remember):
    """The name must be typed first; then nothing is left."""
    enrol("Barack", photos["obama"])
    remember(photos["obama2"])
    visitor = visit(PHONE)
    visitor.go("person/Barack")
    visitor.press("More")
    visitor.page.get_by_role("dialog").get_by_role("button", name="Forget for good").click()
    forget = visitor.page.get_by_role("dialog").get_by_role("button", name="Forget for good")
    assert forget.is_disabled()
    visitor.page.get_by_role("dialog").get_by_role("textbox").fill("Barack")
    forget.click()
    visitor.see(".empty", "Nobody is known yet")
    assert home.get("/api/v1/people").json()["people"] == []
    assert home.get("/api/v1/sightings").json()["items"] == []
    # The person may be asked for in the very moment of being forgotten.
    visitor.errors = [error for error in visitor.errors if "/people/Barack" not in error]


@pytest.mark.slow
def test_names_are_never_markup(visit, photos, enrol, remember):
    """What others choose, such as a camera's name, is shown as it is."""
    enrol("O'Brien & (Zoë)", photos["obama"])
    remember(photos["obama2"], camera="<img src=x onerror=alert(1)>")
    visitor = visit()
    visitor.go("review")
    visitor.see(".visit h2", "<img src=x onerror=alert(1)>")
    visitor.go("people")
    visitor.page.get_by_role("link", name="O'Brien & (Zoë)").click()
    visitor.see("h1", "O'Brien & (Zoë)")
    visitor.see(".photo img")


@pytest.mark.slow
def test_the_page_comes_back_with_the_daemon(visit, photos, enrol):
    """While nobody answers a banner says so; afterwards the view is there by itself."""
    enrol("Barack", photos["obama"])
    visitor = visit()
    visitor.page.route("**/api/v1/*", lambda route: route.fulfill(status=503, json={"code": "Unreachable"}))
    visitor.go("people")
    visitor.see("#banner", "doesn\u2019t answer")
    visitor.page.unroute("**/api/v1/*")
    visitor.see(".portrait", "Barack")
    visitor.page.locator("#banner").wait_for(state="hidden")
    # The browser itself writes each of them to the console.
    visitor.errors[:] = [error for error in visitor.errors if "503" not in error]


@pytest.mark.slow
def test_review_says_how_sightings_are_kept(visit):
    """Also where there is no config.json yet: the whole file then."""
    visitor = visit()
    off = {"code": "SightingsOff", "detail": "no sightings are kept"}
    visitor.page.route("**/api/v1/sightings?*", lambda route: route.fulfill(status=409, json=off))
    visitor.go("review")
    visitor.see("pre", '{"faceDetServer": {"sightings": {}}}')
    visitor.see(".notice", "If there is no config.json yet, create one")
    visitor.errors[:] = [error for error in visitor.errors if "409" not in error]


def test_it_speaks_german(visit):
    """As the browser does, unless another language is chosen."""
    visitor = visit(PHONE, locale="de-AT")
    visitor.go("health")
    visitor.see("h1", "Zustand")
    visitor.page.get_by_label("Sprache").and_(visitor.page.locator(":visible")).select_option("en")
    visitor.see("h1", "Health")


@pytest.mark.slow
@pytest.mark.parametrize(("size", "scheme"), [(DESK, "light"), (PHONE, "dark")])
def test_views_can_be_used_by_everybody(visit, photos, eileens, enrol, remember, size, scheme):
    """axe finds no serious fault in any view, and nothing is wider than the screen."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    enrol("Barack", photos["obama"])
    for picture in (photos["obama2"], *eileens[:2]):
        remember(picture)
    visitor = visit(size, color_scheme=scheme)
    views = {
        "start": ".choice",
        "live": ".box",
        "people": ".portrait",
        "person/Barack": ".photo img",
        "review": ".sighting img",
        "review?unknown": ".group",
        "unknown/unknown-1": ".head",
        "why": ".drop",
        "tune": ".card",
        "health": ".tile strong",
        "changes": ".head",
        "login": "#password",
    }
    for view, sign in views.items():
        visitor.go(view)
        visitor.see(sign)
        found = axe.run(visitor.page).response["violations"]
        serious = [
            (fault["id"], [node["target"] for node in fault["nodes"]][:3])
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]
        assert not serious, view
        assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view

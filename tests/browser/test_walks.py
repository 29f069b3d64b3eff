"""What a household does now and then: log in, back up, tune, train, watch a camera, restart the daemon."""

from __future__ import annotations

import json

import argon2
import PIL.Image
import PIL.ImageFilter
import pytest
from gateway_fixtures import lasting_gateway

pytestmark = pytest.mark.timeout(900)

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def photos(small_photos):
    """Small ones, since these tests are not about size."""
    return small_photos


@pytest.fixture
def locked(gateway, tmp_path):
    """A gateway in front of the same daemon that asks for a password."""
    path = tmp_path / "web-credentials.json"
    hashed = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    path.write_text(json.dumps({"password": hashed, "tokens": []}))
    path.chmod(0o600)
    with lasting_gateway(tmp_path, gateway.daemon.endpoint) as client:
        yield client


@pytest.mark.slow
def test_the_password_lets_in_and_logging_out_locks(visit, locked):
    """A wrong one is told so; after the right one the view is there that was asked for."""
    visitor = visit(address=locked.base_url)
    visitor.go("changes")
    visitor.see("h1", "Log in")
    visitor.page.get_by_label("Password").fill("incorrect")
    visitor.page.get_by_label("Password").press("Enter")
    visitor.see(".wrong", "Wrong password.")
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.press("Log in")
    visitor.see("h1", "Latest changes")
    visitor.press("Log out")
    visitor.see("h1", "Log in")
    visitor.page.get_by_role("button", name="Log out").wait_for(state="hidden")
    visitor.go("people")
    visitor.see("h1", "Log in")
    visitor.stays()
    # The browser itself writes each of them to the console.
    visitor.errors[:] = [error for error in visitor.errors if "status of 401" not in error]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locale", "chosen", "size", "words"),
    [
        ("de-AT", {}, DESK, ["Live", "Prüfen", "Personen", "Anpassen", "Zustand"]),
        (
            "de-AT",
            {"language": "en", "theme": "dark"},
            PHONE,
            ["Live", "Review", "People", "Tune", "Health"],
        ),
    ],
)
def test_the_frame_is_painted_before_the_scripts_are_there(visit, locale, chosen, size, words):
    """In the reader's language and theme; when the scripts draw the view, nothing moves."""
    visitor = visit(size, locale=locale, permissions=[])
    visitor.page.add_init_script(f"Object.assign(localStorage, {json.dumps(chosen)})")
    held = []
    visitor.page.route("**/app.js", lambda route: held.append(route))
    visitor.page.goto(f"{visitor.address}/#/health", wait_until="commit")
    visitor.see("#nav nav a")
    visitor.see(".skeleton.block")
    links = visitor.page.locator("#nav nav a")
    assert [text.strip() for text in links.all_inner_texts()] == words
    root = visitor.page.locator("html")
    assert root.get_attribute("data-theme") == chosen.get("theme")
    places = [link.bounding_box() for link in links.all()]
    painted = "performance.getEntriesByName('first-contentful-paint').length"
    visitor.page.wait_for_function(painted)
    held[0].continue_()
    visitor.see(".tile strong")
    assert links.all_inner_texts() == words
    assert [link.bounding_box() for link in links.all()] == places
    assert visitor.page.locator(".skeleton.block").count() == 0
    visitor.stays()


@pytest.mark.slow
def test_a_backup_brings_everybody_back(visit, home, photos, enrol, tmp_path):
    """Saved, everything deleted, restored; a word must be typed before anything is deleted."""
    enrol("Barack", photos["obama"])
    visitor = visit()
    visitor.go("health")
    visitor.see("summary")
    visitor.stays()
    with visitor.page.expect_download() as saving:
        visitor.press("Save a backup")
    backup = tmp_path / saving.value.suggested_filename
    saving.value.save_as(backup)
    assert backup.suffix == ".zip"
    visitor.press("Delete everything")
    dialog = visitor.page.get_by_role("dialog")
    delete = dialog.get_by_role("button", name="Delete everything")
    assert delete.is_disabled()
    dialog.get_by_role("textbox").fill("delete")
    delete.click()
    visitor.see(".toast", "Everything was deleted")
    assert home.get("/api/v1/people").json()["people"] == []
    visitor.page.locator("input[type=file]").set_input_files(backup)
    visitor.see("dialog", backup.name)
    dialog.get_by_role("button", name="Restore").click()
    visitor.see(".toast", "Restored")
    visitor.page.get_by_role("link", name="People").click()
    visitor.see(".portrait", "Barack")


@pytest.mark.slow
def test_names_are_given_more_carefully_and_then_as_before(visit, home, photos, enrol, remember, tmp_path):
    """The slider says in words what it does, and counts at once; a face that is not sure may be confirmed."""
    enrol("Barack", photos["obama"])
    enrol("Barack", photos["obama2"])
    visitor = visit()
    visitor.go("tune")
    visitor.see(".rate")
    visitor.stays()
    assert visitor.page.get_by_role("button", name="Use this").is_disabled()
    visitor.page.locator("#rate").focus()
    visitor.page.keyboard.press("End")
    visitor.see(".big", "1 in 100,000")
    visitor.see("#rate-words", "About one in 100,000 strangers is given the name of somebody you know.")
    visitor.press("Use this")
    visitor.see(".toast", "In use from now on")
    assert home.get("/api/v1/tuning").json()["falseAcceptRate"] == pytest.approx(1e-5)
    blurred = tmp_path / "blurred.jpg"
    with PIL.Image.open(photos["obama3"]) as picture:
        small = picture.convert("RGB")
        small.thumbnail((400, 400))
        small.filter(PIL.ImageFilter.GaussianBlur(2.3)).save(blurred)
    remember(blurred)
    visitor.go("review")
    visitor.see(".sighting.uncertain", "Perhaps Barack")
    visitor.press("Yes, Barack")
    visitor.see(".sighting.known", "Barack")
    visitor.go("tune")
    visitor.press("Reset to config.json")
    visitor.see(".big", "1 in 1,000")
    visitor.page.get_by_role("button", name="Reset to config.json").wait_for(state="hidden")
    assert home.get("/api/v1/tuning").json()["source"] != "settings"


@pytest.mark.slow
def test_training_tells_how_far_it_is_and_can_be_taken_back(visit, home, photos, enrol):
    """An earlier model is used again, also after the view is opened anew."""
    enrol("Barack", photos["obama"])
    visitor = visit(PHONE)
    visitor.go("tune")
    visitor.see(".rate")
    visitor.stays()
    visitor.press("Train now")
    visitor.see("[role=status]", "Trained: 1 person")
    enrol("Joe", photos["biden"])
    visitor.press("Train now")
    visitor.see("[role=status]", "Trained: 2 people")
    visitor.go("tune")
    earlier = visitor.see(".lines li", "1 person")
    earlier.get_by_role("button", name="Use this one").click()
    visitor.see(".toast", "The earlier model is in use")
    visitor.go("tune")
    visitor.see(".lines li:has(.pill)", "1 person")
    assert "Joe" not in home.get("/api/v1/status").json()["model"]["classes"]


@pytest.mark.slow
def test_a_camera_is_watched_and_the_daemon_may_restart(visit, home, photos, enrol):
    """Live shows what a camera of the configuration sees; while the daemon is away, a banner says so."""
    home.door.write_bytes(photos["obama2"].read_bytes())
    enrol("Barack", photos["obama"])
    visitor = visit(PHONE)
    visitor.go("live")
    visitor.press("door")
    visitor.see(".box.known", "Barack")
    visitor.see(".present li", "Barack")
    visitor.go("live?camera=door")
    visitor.see(".box.known", "Barack")
    visitor.stays()
    home.daemon.process.kill()
    home.daemon.process.wait()
    visitor.see("#banner", "doesn\u2019t answer")
    home.daemon.start()
    visitor.page.locator("#banner").wait_for(state="hidden")
    visitor.see(".box.known", "Barack")
    visitor.press("People")
    visitor.see(".portrait", "Barack")
    # The browser itself writes each of them to the console.
    visitor.errors[:] = [error for error in visitor.errors if "status of 503" not in error]


@pytest.mark.slow
def test_a_camera_that_fails_is_told_in_the_readers_language(visit, home):
    """The sentence is German, and what the API says beside it is marked as English."""
    home.door.unlink(missing_ok=True)
    visitor = visit(locale="de-AT", permissions=[])
    visitor.go("live?camera=door")
    visitor.see(".stage", "Die Kamera schickt kein Bild.")
    assert visitor.see(".stage [lang=en]").inner_text().startswith("camera door: ")
    visitor.errors[:] = [error for error in visitor.errors if "status of 502" not in error]


@pytest.mark.slow
def test_somebody_is_enrolled_by_walking_up_to_a_camera(visit, home):
    """Ten examples of the one who stands before it; nothing is saved before the page has asked."""
    visitor = visit(permissions=[])
    asked = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.go("live?camera=hall")
    visitor.see(".box.unknown")
    visitor.press("Capture 10 examples")
    visitor.see(".filmstrip li.there:nth-child(3)")
    del asked[:]
    visitor.see(".filmstrip li.there:nth-child(10)")
    # Each face is measured, and none is told from the one before.
    assert [url for url in asked if url.endswith("/cameras/hall/faces")]
    assert not [url for url in asked if "follow=" in url]
    visitor.see(".hint", "Ten examples. Who is this?")
    assert home.get("/api/v1/people").json()["people"] == []
    visitor.page.get_by_label("Whose face is it?").fill("Eileen")
    visitor.press("Save")
    visitor.see(".hint", "Eileen is recognised from now on.")
    assert home.get("/api/v1/people").json()["people"][0]["images"] > 1
    visitor.see(".box.known", "Eileen")
    visitor.press("Capture 10 examples")
    visitor.see(".filmstrip li.there:nth-child(10)")
    assert visitor.page.get_by_label("Whose face is it?").input_value() == "Eileen"
    visitor.press("Cancel")
    visitor.see("button", "Capture 10 examples")

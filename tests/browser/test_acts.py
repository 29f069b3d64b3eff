"""Each thing that the page offers beside the walks: it is done, told, and can be taken back."""

from __future__ import annotations

import PIL.Image
import pytest

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]

PHONE = {"width": 390, "height": 844}
WITHOUT_WEBCAM = "Object.defineProperty(navigator, 'mediaDevices', { value: undefined })"
"""As browsers have it on a page that came over http from another machine."""

FAULTS = """async () => {
  const { fault } = await import("./page/components/capture.js");
  const good = { faceBox: { xmin: 100, ymin: 100, xmax: 250, ymax: 250 }, quality: 0.9, sharpness: 300 };
  const of = (...faces) => fault({ faces, width: 640, height: 480 });
  const at = (xmin, side) => ({ faceBox: { xmin, ymin: 100, xmax: xmin + side, ymax: 100 + side } });
  return [
    of(good), of(), of(good, good), of({ ...good, ...at(0, 150) }), of({ ...good, ...at(100, 60) }),
    of({ ...good, faceReason: "too_small" }), of({ ...good, sharpness: 10 }),
    of({ ...good, faceReason: "too_blurry" }), of({ ...good, quality: 0.3 }),
  ];
}"""


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


def undo(visitor, text):
    """Press "Undo" in the message with this text."""
    visitor.see(".toast", text).get_by_role("button", name="Undo").click()


def pictures_are_there(visitor, count):
    """Wait for somebody's photos: one that is still asked for is gone once it has another name."""
    shown = "[...document.querySelectorAll('.photo img')].filter(one => one.naturalWidth).length"
    visitor.page.wait_for_function(f"() => {shown} >= {count}")


def test_a_name_and_a_photo_are_changed_and_taken_back(visit, home, photos, enrol):
    """A person renamed, a photo deleted: the list of changes undoes both, the latest first."""
    enrol("Barack", photos["obama"])
    enrol("Barack", photos["obama2"])

    def people():
        return {one["name"]: one["images"] for one in home.get("/api/v1/people").json()["people"]}

    visitor = visit()
    visitor.go("person/Barack")
    pictures_are_there(visitor, 2)
    visitor.press("Rename")
    visitor.page.get_by_role("dialog").get_by_label("Name", exact=True).fill("Barry")
    visitor.page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    visitor.see(".toast", "Now called Barry")
    visitor.see("h1", "Barry")
    assert people() == {"Barry": 2}
    pictures_are_there(visitor, 2)
    visitor.see(".photo .tick").click()
    visitor.see(".selected", "1 selected").get_by_role("button", name="Delete").click()
    visitor.see(".toast", "1 photo deleted")
    assert people() == {"Barry": 1}
    visitor.go("changes")
    for left in ({"Barry": 2}, {"Barack": 2}):
        visitor.page.get_by_role("button", name="Undo", exact=True).first.click()
        visitor.see(".toast", "Undone")
        visitor.page.locator(".toast").get_by_role("button", name="Close").click()
        visitor.page.locator(".toast").wait_for(state="detached")
        assert people() == left
    visitor.go("people")
    visitor.see(".portrait", "Barack")


def test_undo_after_its_view_was_left(visit, home, photos, enrol):
    """What was deleted comes back, and nothing fails because the view is not there any more."""
    enrol("Barack", photos["obama"])
    enrol("Barack", photos["obama2"])
    visitor = visit()
    visitor.go("person/Barack")
    visitor.see(".photo .tick").click()
    visitor.see(".selected", "1 selected").get_by_role("button", name="Delete").click()
    visitor.see(".toast", "1 photo deleted")
    visitor.press("People")
    visitor.see(".portrait", "1 photo")
    undo(visitor, "1 photo deleted")
    visitor.see(".toast", "Undone")
    visitor.see(".portrait", "2 photos")
    assert home.get("/api/v1/people").json()["people"][0]["images"] == 2


def test_somebody_new_is_named_with_one_key(visit, home, photos, enrol, remember):
    """S asks for a name that nobody has, and the face is enrolled; "Undo" takes it back."""
    enrol("Barack", photos["obama"])
    remember(photos["biden"])
    visitor = visit()
    visitor.go("review")
    visitor.see(".sighting.unknown").locator(".bare-card").focus()
    visitor.page.keyboard.press("s")
    visitor.see("dialog", "What is the new person\u2019s name?")
    visitor.page.get_by_role("dialog").get_by_label("Name", exact=True).fill("Joe")
    visitor.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    visitor.see(".sighting.known", "Joe")
    assert {one["name"] for one in home.get("/api/v1/people").json()["people"]} == {"Barack", "Joe"}
    visitor.page.locator(".toast").get_by_role("button", name="Undo").click()
    visitor.see(".sighting.unknown")
    assert [one["name"] for one in home.get("/api/v1/people").json()["people"]] == ["Barack"]


def test_unknown_people_are_ignored_and_split(visit, home, eileens, remember):
    """A face is taken out of a group, and a group is no longer offered; both come back."""
    for picture in eileens:
        remember(picture)
    visitor = visit(PHONE)
    visitor.go("review?unknown")
    visitor.see(".group", "3 faces").locator("a.best").click()
    visitor.see(".sighting .tick").click()
    visitor.see(".selected", "1 selected").get_by_role("button", name="Somebody else").click()
    visitor.see(".toast", "These faces now belong to somebody else")
    visitor.page.locator(".sighting").nth(2).wait_for(state="detached")
    undo(visitor, "These faces now belong to somebody else")
    visitor.page.locator(".sighting").nth(2).wait_for()
    visitor.press("Ignore")
    visitor.see(".empty", "No unknown people")
    undo(visitor, "Ignored from now on")
    visitor.see(".group", "3 faces")


def test_without_a_webcam_a_photo_is_taken(visit, photos, enrol):
    """A phone without https says why, and shows who is in the photo that its camera takes instead."""
    enrol("Barack", photos["obama"])
    visitor = visit(PHONE, permissions=[])
    visitor.page.add_init_script(WITHOUT_WEBCAM)
    visitor.go("live")
    visitor.see(".stage", "Take a photo instead.")
    chooser = visitor.page.locator(".stage input[type=file]")
    assert chooser.get_attribute("capture") == "user"
    chooser.set_input_files(photos["obama2"])
    visitor.see(".box.known", "Barack")
    visitor.see(".present li", "Barack")


def test_hints_say_what_is_wrong_with_an_example(visit):
    """One good face is taken; each fault has its hint, the plainest first."""
    visitor = visit(permissions=[])
    visitor.go("people")
    visitor.see("h1")
    assert visitor.page.evaluate(FAULTS) == [
        None,
        *("capture.nobody", "capture.several", "capture.edge", "capture.closer", "capture.closer"),
        *("capture.blurred", "capture.blurred", "capture.light"),
    ]


def test_health_says_how_the_daemon_is(visit, home, photos, enrol):
    """Whether it is ready, how fast, how full its queue is, the versions, and what the doctor finds."""
    enrol("Barack", photos["obama"])
    visitor = visit()
    visitor.go("health")
    tiles = visitor.see(".tile:not(.skeleton)").locator("..")
    for told in ("Ready", " ms", "Queue"):
        assert told in tiles.inner_text()
    visitor.see(".facts", home.get("/api/v1/status").json()["version"])
    visitor.see(".fine summary", "checks passed").click()
    visitor.see(".fine .quiet", "config.json is valid")

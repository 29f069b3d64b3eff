"""The page's files: in two languages, small, and unable to make markup of data."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from face_det.gateway.page.bundle import ALL_STYLES, KINDS, STYLES, load_bundle
from face_det.gateway.page.routes import FILES

SCRIPTS = sorted(FILES.rglob("*.js"))
MOST_BYTES = 150_000
LONGEST = 400
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser")


def strings(language):
    return json.loads((FILES / "strings" / f"{language}.json").read_text("utf-8"))


def names(path):
    return str(path.relative_to(FILES))


def used_keys():
    """The keys that the scripts name, and the beginnings of those that they put together."""
    text = "\n".join(path.read_text("utf-8") for path in SCRIPTS)
    known = {key.split(".")[0] for key in strings("en")}
    whole = set(re.findall(r'\bt\("([^"]+)"', text))
    plural = {f"{key}.{form}" for key in re.findall(r'\btn\("([^"]+)"', text) for form in ("one", "other")}
    # Keys that are handed on as values, such as routes' titles.
    handed = {
        key
        for key in re.findall(r'"([a-z]+(?:\.[A-Za-z0-9_]+)+)"', text)
        if key.split(".")[0] in known and not key.endswith((".js", ".json", "nav.tabs"))
    }
    begun = set(re.findall(r"\b(?:t|tn|has|tell)\(`([^`$]+)\$\{", text))
    return whole, plural, handed, begun


def test_languages_have_the_same_keys():
    """Also the same {values} in each of them."""
    english, german = strings("en"), strings("de")
    assert english.keys() == german.keys()
    values = {key: set(re.findall(r"\{(\w+)\}", text)) for key, text in english.items()}
    assert values == {key: set(re.findall(r"\{(\w+)\}", text)) for key, text in german.items()}


def test_every_key_that_is_used_exists():
    """Whether it stands in the script or is put together there."""
    there = strings("en").keys()
    whole, plural, handed, begun = used_keys()
    missing = {key for key in whole | plural if key not in there}
    missing |= {key for key in handed if key not in there and f"{key}.one" not in there}
    missing |= {key for key in begun if not any(one.startswith(key) for one in there)}
    assert not missing


def test_every_key_that_exists_is_used():
    """What nobody says any more is not translated either."""
    whole, plural, handed, begun = used_keys()
    used = whole | plural | handed | {f"{key}.{form}" for key in handed for form in ("one", "other")}
    assert not {key for key in strings("en") if key not in used and not key.startswith(tuple(begun))}


def test_the_page_is_small():
    """All of it, compressed, loads in no time on a phone."""
    files = [path for path in FILES.rglob("*") if path.is_file()]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < MOST_BYTES


def test_files_are_of_a_kind_that_is_served():
    """A file with another ending would be answered 404."""
    assert not [names(path) for path in FILES.rglob("*") if path.is_file() and path.suffix not in KINDS]


@pytest.mark.parametrize("path", [*SCRIPTS, *sorted(FILES.rglob("*.css"))], ids=names)
def test_modules_fit_in_the_head(path):
    """As in Python."""
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", SCRIPTS, ids=names)
def test_scripts_make_no_markup_of_text(path):
    """Names are what users type; only textContent and createElement see them."""
    assert not MARKUP.findall(path.read_text("utf-8"))


@pytest.mark.parametrize("path", SCRIPTS, ids=names)
def test_errors_are_told_in_the_readers_language(path):
    """What an error says is English; only problems.js reads it, and marks it as such."""
    read = re.findall(r"\berror\??\.message\b", path.read_text("utf-8"))
    assert not read or path.name == "problems.js"


@pytest.mark.parametrize("path", SCRIPTS, ids=names)
def test_imports_lead_to_files(path):
    """There is no build that would tell."""
    imported = re.findall(r'(?:from|import\()\s*"([^"]+)"', path.read_text("utf-8"))
    assert not [name for name in imported if not (path.parent / name).resolve().is_file()]


def test_the_document_asks_for_the_first_modules_at_once():
    """All that app.js imports, and no other: else each waits for the one that imports it."""
    wanted, found = {FILES / "app.js"}, set()
    while wanted:
        path = wanted.pop()
        found.add(path)
        imported = re.findall(r'^(?:import|export) .*?from "([^"]+)"', path.read_text("utf-8"), re.M)
        wanted |= {(path.parent / name).resolve() for name in imported} - found
    text = (FILES / "index.html").read_text("utf-8")
    told = re.findall(r'<link rel="modulepreload" href="page/([^"]+)"', text)
    assert sorted(told) == sorted(names(path) for path in found - {FILES / "app.js"})


def test_every_style_sheet_counts():
    """The document asks for all of them as one."""
    assert sorted(path.stem for path in FILES.rglob("*.css")) == sorted(STYLES)
    text = (FILES / "index.html").read_text("utf-8")
    assert re.findall(r'rel="stylesheet" href="page/([^"]+)"', text) == [ALL_STYLES]


def test_the_frame_is_there_before_the_scripts():
    """The first paint needs no script: it has the name and the navigation, with their icons."""
    text, drawn = ((FILES / name).read_text("utf-8") for name in ("index.html", "dom.js"))
    header = text.partition('<header id="nav">')[2].partition("</header>")[0]
    assert "<span>face_det</span>" in header
    icons = dict(re.findall(r"^  (\w+): \[(.*)\],$", drawn, re.M))
    links = re.findall(r'<a [^>]*href="#/(\w*)">(.*?)</a>', header, re.S)
    assert [name for name, _ in links] == ["", "live", "review", "people", "tune", "health"]
    for name, link in links:
        assert re.findall(r'<path d="([^"]+)"', link) == re.findall(r'"([^"]+)"', icons[name or "live"])


def test_the_frame_speaks_every_language():
    """A language is named in strings.js, index.html and layout.css, and the navigation has its words."""
    files = ("index.html", "strings.js", "style/layout.css")
    text, script, layout = ((FILES / name).read_text("utf-8") for name in files)
    languages = sorted(path.stem for path in (FILES / "strings").iterdir())
    (told,) = re.findall(r'<html lang="en" data-languages="([^"]+)">', text)
    assert told.split() == languages
    (chosen,) = re.findall(r"const LANGUAGES = {(.*)};", script)
    assert sorted(re.findall(r"(\w+):", chosen)) == languages
    assert sorted(re.findall(r':root:lang\((\w+)\) #nav \[lang="\1"\]', layout)) == languages
    for name, words in re.findall(r'<a href="#/(\w+)">.*?<span>(<span lang.*?</span>)</span>', text, re.S):
        shown = dict(re.findall(r'<span lang="(\w+)">([^<]+)</span>', words))
        assert shown == {language: strings(language)[f"nav.{name}"] for language in languages}


def test_nothing_comes_from_elsewhere():
    """No address of another host but names of XML namespaces, and none that begins at the root."""
    for path in (path for path in FILES.rglob("*") if path.is_file()):
        text = path.read_text("utf-8")
        assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z0-9-]+\.[a-z]", text), names(path)
        assert not re.findall(r'(?:src|href)="/', text), names(path)


def test_the_document_satisfies_a_strict_policy():
    """No script, style or handler stands in it."""
    text = (FILES / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
    for name in set(re.findall(r'(?:src|href)="([^"#]+)"', text)) - {f"page/{ALL_STYLES}"}:
        assert (FILES / Path(name).relative_to("page")).is_file()


def test_scripts_and_styles_are_asked_for_by_version():
    """All of it has another address once one file has changed, so that browsers may keep it for ever."""
    bundle = load_bundle(FILES)
    document = bundle.files["index.html"].content.decode("utf-8")
    addresses = re.findall(r'(?:src|href)="page/([^"]+)"', document)
    unversioned = {name for name in addresses if not name.startswith(f"{bundle.version}/")}
    assert unversioned == {"icon.svg", "app.webmanifest"}
    assert {name.removeprefix(f"{bundle.version}/") for name in addresses} <= bundle.files.keys()


def test_any_change_makes_another_version(tmp_path):
    """Also of a file that only the scripts ask for."""
    versions = set()
    for number in range(2):
        folder = tmp_path / str(number)
        (folder / "views").mkdir(parents=True)
        (folder / "index.html").write_text('<script src="page/app.js"></script>', "utf-8")
        (folder / "app.js").write_text("1", "utf-8")
        (folder / "views/live.js").write_text(str(number), "utf-8")
        bundle = load_bundle(folder)
        assert bundle.files["index.html"].content == b'<script src="page/%s/app.js"></script>' % (
            bundle.version.encode()
        )
        versions.add(bundle.version)
    assert len(versions) == 2

"""Turns the names of other programs into ours, and ours into theirs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from face_det.errors import BadName, DataError
from face_det.gallery import check_person_name

INSTEAD = "-"
"""What a character becomes that no name may hold here."""
_LONGEST, _LONGEST_BYTES = 100, 255


def fit_name(name: str) -> str:
    """Return the name of a person here for a name elsewhere; raise BadName if nothing of it is left.

    Characters that cannot be part of a name become hyphens, spaces and full stops that cannot begin it or end
    it are dropped, and what is too long is cut.

    >>> fit_name("Joe/Biden"), fit_name(" .Zoë ")
    ('Joe-Biden', 'Zoë')
    """
    fitted = "".join(one if _is_allowed(one) else INSTEAD for one in name).lstrip(" .")[:_LONGEST]
    while len(fitted.encode("utf-8", "surrogatepass")) > _LONGEST_BYTES:
        fitted = fitted[:-1]
    return check_person_name(fitted.rstrip(" "))


def _is_allowed(character: str) -> bool:
    try:
        check_person_name(f"a{character}a")
    except BadName:
        return False
    return True


def fit_names(names: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what each name becomes here, and why those become nothing that cannot be used.

    Names that would become the same are two people's, and never one: only one that needs no change is used.

    >>> fit_names(["A/B", "A-B", "unknown"])[0]
    {'A-B': 'A-B'}
    """
    fitted: dict[str, str] = {}
    refused: dict[str, str] = {}
    for name in dict.fromkeys(names):
        try:
            fitted[name] = fit_name(name)
        except BadName as error:
            refused[name] = str(error)
    owners: dict[str, list[str]] = {}
    for name, target in fitted.items():
        owners.setdefault(target, []).append(name)
    for target, several in owners.items():
        for name in several if len(several) > 1 else ():
            if name != target:
                others = ", ".join(repr(other) for other in several if other != name)
                refused[name] = f"name: would become {target!r}, as would {others}; rename one of them there"
                del fitted[name]
    return fitted, refused


@dataclass(frozen=True, slots=True)
class NameRule:
    """What another program accepts as a name: letters and digits, spaces, some signs, and a length.

    `reserved` are names that mean something else there.
    """

    signs: str
    longest: int = _LONGEST
    reserved: Collection[str] = ()

    def fit(self, names: Collection[str]) -> dict[str, str]:
        """Return what each name becomes there; raise DataError if two would become the same.

        >>> NameRule("'_-", 50, ["train"]).fit(["A.B", "train"])
        {'A.B': 'A_B', 'train': 'train_'}
        """
        fitted: dict[str, str] = {}
        for name in sorted(names):
            kept = (one if one.isalnum() or one == " " or one in self.signs else "_" for one in name)
            text = "".join(kept)[: self.longest].rstrip(" ")
            text = f"{text[: self.longest - 1]}_" if text in self.reserved else text
            if text in fitted.values():
                other = next(one for one, target in fitted.items() if target == text)
                raise DataError(
                    f"name: {name!r} and {other!r} would both become {text!r} there; rename one of them; "
                    "nothing was written"
                )
            fitted[name] = text
        return fitted

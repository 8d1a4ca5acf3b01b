"""Why a job runs again, in words: the params that Snakemake recorded against those of today."""

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from blemore.foreign import ABSENT, differences

SHOWN = 5  # modules or clips named in one reason


def changes(recorded: Sequence[str], today: Mapping[str, Any], blocks: Mapping[str, str]) -> list[str]:
    """One line for every setting, module and clip that differs.

    Args:
        recorded: printed forms of the params that made a result; Snakemake keeps no names.
        today: name -> param that would make it now.
        blocks: name -> dotted block of the configuration that the param is picked from, for params that are settings.
    """
    return [line for name, then, now in _paired(recorded, today) for line in _words(name, then, now, blocks.get(name, ""))]


def named(recorded: Sequence[str], today: Mapping[str, Any]) -> dict[str, Any]:
    """What was recorded under the names of today, without what is new; what has no name any more is left out."""
    equal = {name: value for name, value in today.items() if repr(value) in recorded}
    return equal | {name: then for name, then, _ in _paired(recorded, today) if name and then != ABSENT}


def _paired(recorded: Sequence[str], today: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Name, value then and value now of what differs; those that are most alike are taken for the same param."""
    now_printed = {repr(value) for value in today.values()}
    gone = [_read(text) for text in recorded if text not in now_printed]
    for name, now in today.items():
        if repr(now) in recorded:
            continue
        then = max(gone, key=lambda value: _likeness(value, now), default=ABSENT)
        if _likeness(then, now) == 0:
            then = ABSENT
        else:
            gone.remove(then)
        yield name, then, now
    yield from (("", then, ABSENT) for then in gone)


def _read(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except ValueError:  # nan and inf are printed as names
        return text


def _likeness(then: Any, now: Any) -> float:
    """Share of keys that two blocks have in common; other values of one type are a little alike."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        return len(then.keys() & now.keys()) / max(1, len(then.keys() | now.keys()))
    return 0.01 if type(then) is type(now) and then != ABSENT else 0.0


def _words(name: str, then: Any, now: Any, block: str) -> Iterator[str]:
    if not isinstance(then, Mapping) or not isinstance(now, Mapping):
        yield from (_items(name, then, now) if isinstance(then, list) and isinstance(now, list) else differences(then, now, name or "a param"))
    elif name == "code":
        yield from _code(then, now)
    elif name in ("clips", "actors"):
        yield from _clips(name, then, now)
    else:
        yield from differences(then, now, block or name)


def _items(name: str, then: list, now: list) -> Iterator[str]:
    """What left a list and what came to it; or both lists, where only their order differs."""
    lines = [f"{name}: without {_short(item)}" for item in then if item not in now] + [f"{name}: with {_short(item)}" for item in now if item not in then]
    yield from lines or differences(then, now, name)


def _short(item: Any) -> str:
    return "/".join(item) if isinstance(item, list) and all(isinstance(part, str) for part in item) else repr(item)


def _code(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    edited = sorted(path for path in then.keys() & now.keys() if then[path] != now[path])
    for what, paths in (("edited", edited), ("now also imports", sorted(now.keys() - then.keys())), ("no longer imports", sorted(then.keys() - now.keys()))):
        if paths:
            yield f"code, {what}: {_first(paths)}"


def _clips(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    what = "actor" if name == "actors" else "file"
    changed = [f"{clip} ({_value(then[clip])} -> {_value(now[clip])})" for clip in sorted(then.keys() & now.keys()) if then[clip] != now[clip]]
    for words, clips in (("new clips", sorted(now.keys() - then.keys())), ("clips gone", sorted(then.keys() - now.keys())), (f"another {what} of", changed)):
        if clips:
            yield f"{words}: {_first(clips)}"


def _value(value: Any) -> str:
    """Bytes of a file, actor of a clip, or file, bytes and actor of provided features."""
    if isinstance(value, (tuple, list)):
        return ", ".join(_value(part) for part in value)
    return "none" if value is None else f"{value} bytes" if isinstance(value, int) else str(value)


def _first(names: Collection[str]) -> str:
    shown, rest = list(names)[:SHOWN], len(names) - SHOWN
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")

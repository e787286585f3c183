# ruff: noqa: RUF001 (Greek letters, the minus sign and the times sign are written as they are)
"""How numbers, labels and facts are written on a page: values with errors, mathematics, tables."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

__all__ = ["NOT_COMPARABLE", "excess", "facts", "mathematics", "quantity"]

NOT_COMPARABLE = "not comparable"
"""The label of every number that must not stand beside published ones."""

_LONGEST_TEXT = 400  # characters of one fact
_LONGEST_LIST = 12  # entries of a list or lines of a table that are spelled out
_DEEPEST = 3

_SYMBOLS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η",
    "theta": "θ", "lambda": "λ", "mu": "μ", "nu": "ν", "phi": "φ", "varphi": "φ", "pi": "π",
    "rho": "ρ", "sigma": "σ", "tau": "τ", "chi": "χ", "psi": "ψ", "omega": "ω", "Delta": "Δ",
    "Sigma": "Σ", "Omega": "Ω", "langle": "⟨", "rangle": "⟩", "pm": "±", "times": "×",
    "cdot": "·", "log": "log", "ln": "ln", "geq": "≥", "leq": "≤", "sum": "Σ",
}  # fmt: skip
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def quantity(value: float | None, error: float | None = None, unit: str = "") -> str:
    """Write a number with its error to two digits of the error.

    Args:
        value: the number; None or nan is "not measured".
        error: one standard deviation in the same unit; None or nan leaves it out.
        unit: appended after a space.

    Example:
        >>> quantity(0.84312, 0.0123), quantity(0.000321, 0.000014)
        ('0.843 ± 0.012', '(3.21 ± 0.14)×10⁻⁴')
        >>> quantity(4.0, unit="ms")
        '4 ms'
    """
    if value is None or not math.isfinite(value):
        return "not measured"
    tail = f" {unit}" if unit else ""
    if error is None or not math.isfinite(error) or error <= 0:
        return f"{value:.4g}{tail}".replace("-", "−")
    size = max(abs(value), error)
    power = math.floor(math.log10(size))
    if not -3 <= power <= 4:
        scaled = _digits(value / 10.0**power, error / 10.0**power)
        return f"({scaled})×10{str(power).translate(_SUPERSCRIPT)}{tail}"
    text = _digits(value, error)
    return f"({text}){tail}" if unit else text


def excess(
    value: float, error: float, floor: float | None, floor_error: float | None
) -> float | None:
    """Return how many combined standard deviations a score lies above its floor; None if unknown.

    Example:
        >>> excess(0.8, 0.03, 0.5, 0.04)
        6.0
    """
    if floor is None or floor_error is None:
        return None
    spread = math.hypot(error, floor_error)
    if not (math.isfinite(spread) and spread > 0 and math.isfinite(value - floor)):
        return None
    return round((value - floor) / spread, 9)


def mathematics(label: str) -> Markup:
    r"""Write a plot's label, with ``$...$`` mathematics of the simple kind, as HTML.

    Everything else in the label is escaped.

    Example:
        >>> print(mathematics(r"$\sigma_\eta$ in layer 2"))
        <i>σ<sub>η</sub></i> in layer 2
    """
    parts = label.split("$")
    if len(parts) % 2 == 0:
        return escape(label)
    written = [
        Markup("<i>{}</i>").format(_formula(part)) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    ]
    return Markup("").join(written)


def facts(plain: Mapping[str, Any], prefix: str = "", depth: int = 0) -> list[tuple[str, str]]:
    """Flatten plain data into lines of a table, with long texts and lists shortened.

    Args:
        plain: names to strings, numbers, lists or further mappings.
        prefix: put before every name.
        depth: how many mappings this one lies in.

    Example:
        >>> facts({"batch_size": 7, "hardware": {"threads": 2}})
        [('batch size', '7'), ('hardware, threads', '2')]
    """
    return list(_facts(plain, prefix, depth))


def _facts(plain: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for key, value in plain.items():
        name = prefix + str(key).replace("_", " ")[:80]
        if isinstance(value, Mapping) and depth < _DEEPEST:
            yield from _facts(value, f"{name}, ", depth + 1)
        else:
            yield name, _fact(value)


def _fact(value: Any) -> str:
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        shown = ", ".join(_fact(item) for item in value[:_LONGEST_LIST])
        more = len(value) - _LONGEST_LIST
        return f"{shown} … and {more} more" if more > 0 else shown
    text = str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def _digits(value: float, error: float) -> str:
    places = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{places}f} ± {error:.{places}f}".replace("-", "−")


def _formula(text: str) -> Markup:
    r"""Turn ``\eta_{2}`` and its like into HTML; what is not understood stays as it is."""
    text = re.sub(r"\\(?:mathrm|mathbf|mathit|text|rm)\s*(?=\{)", "", text)
    text = re.sub(r"\\([A-Za-z]+) ?", lambda m: _SYMBOLS.get(m.group(1), m.group(0)), text)
    html = str(escape(text)).replace("\\,", " ").replace("\\ ", " ")
    for mark, tag in (("_", "sub"), ("^", "sup")):
        html = re.sub(rf"\{mark}(?:\{{([^{{}}]*)\}}|([^{{}}\s]))", _raised(tag), html)
    return Markup(html.replace("{", "").replace("}", ""))


def _raised(tag: str) -> Any:
    return lambda m: f"<{tag}>{m.group(1) if m.group(1) is not None else m.group(2)}</{tag}>"

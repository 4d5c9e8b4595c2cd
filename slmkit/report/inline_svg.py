"""Sanitises an SVG file for inlining into a page, and adapts its colours to light and dark mode.

Tags and attributes that are not on the lists below are dropped: scripts, event handlers, links, embedded HTML, style
sheets, remote content. Black becomes currentColor, so a chart with a transparent background is readable in both modes.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from markupsafe import Markup

_SVG = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"

# fmt: off
_TAGS = frozenset([
    "svg", "g", "defs", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "title",
    "desc", "use", "clipPath", "image", "linearGradient", "radialGradient", "stop",
])
_ATTRIBUTES = frozenset([
    "id", "d", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "dx", "dy", "fx", "fy", "width",
    "height", "points", "transform", "viewBox", "preserveAspectRatio", "fill", "fill-opacity", "fill-rule", "stroke",
    "stroke-width", "stroke-opacity", "stroke-linecap", "stroke-linejoin", "stroke-dasharray", "stroke-dashoffset",
    "stroke-miterlimit", "opacity", "clip-path", "clip-rule", "color", "font-size", "font-weight", "font-style",
    "text-anchor", "dominant-baseline", "letter-spacing", "offset", "stop-color", "stop-opacity", "gradientUnits",
    "gradientTransform", "clipPathUnits",
])
# fmt: on
_COLOURS = {"fill", "stroke", "color", "stop-color"}
_BLACK = {"black", "#000", "#000000", "rgb(0,0,0)"}
_OWN_REFERENCE = re.compile(r"url\(\s*['\"]?#([\w.:-]+)['\"]?\s*\)")
_PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=\s]+")  # matplotlib embeds imshow() pixels this way
_FONT = {  # parts of the shorthand "italic 700 9px 'DejaVu Sans'"; the family is dropped in favour of the page's
    "font-style": re.compile(r"(italic|oblique)"),
    "font-weight": re.compile(r"(bold|[1-9]00)"),
    "font-size": re.compile(r"([\d.]+)px"),
}


def inline_svg(text: str, *, prefix: str, label: str) -> Markup:
    """The drawing as one <svg> element; `prefix` makes its ids unique on the page.

    Raises: ValueError when the text is not SVG, declares entities, or is nested too deeply.
    """
    if "<!ENTITY" in text:
        raise ValueError("it declares XML entities")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"it is not SVG: {error}") from error
    if root.tag != f"{{{_SVG}}}svg":
        raise ValueError("it is not SVG")
    try:
        clean = _element(root, prefix)
        assert clean is not None  # the root is an svg element
        clean.set("role", "img")
        clean.set("aria-label", label)
        clean.set("fill", "currentColor")  # SVG's own default is black
        return Markup(ElementTree.tostring(clean, encoding="unicode"))  # tostring escapes text and attributes
    except RecursionError:
        raise ValueError("its elements are nested too deeply") from None


def _element(old: ElementTree.Element, prefix: str) -> ElementTree.Element | None:
    name = old.tag.rpartition("}")[2] if isinstance(old.tag, str) else ""  # a comment's tag is a function
    if name not in _TAGS:
        return None
    new = ElementTree.Element(name)
    for key, value in {**old.attrib, **_declarations(old.get("style", ""))}.items():
        if key in _ATTRIBUTES and (safe := _value(key, value, prefix)) is not None:
            new.set(key, safe)
    link = old.get("href") or old.get(_LINK) or ""
    if name == "use" and link.startswith("#"):
        new.set("href", f"#{prefix}-{link[1:]}")
    if name == "image":
        if not _PICTURE.fullmatch(link):
            return None
        new.set("href", link)
    new.text, new.tail = old.text, old.tail
    for child in old:
        if (kept := _element(child, prefix)) is not None:
            new.append(kept)
    return new


def _declarations(style: str) -> dict[str, str]:
    """A style attribute's declarations as attributes, because the page's policy forbids inline styles."""
    found: dict[str, str] = {}
    for declaration in style.split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key == "font":
            for word in value.split():
                found.update({name: match[1] for name, form in _FONT.items() if (match := form.fullmatch(word))})
        else:
            found[key] = value
    return found


def _value(key: str, value: str, prefix: str) -> str | None:
    if key == "id":
        return f"{prefix}-{value}"
    if "url(" in value.lower():
        own = _OWN_REFERENCE.fullmatch(value.strip())
        return f"url(#{prefix}-{own[1]})" if own else None
    if key in _COLOURS and value.replace(" ", "").lower() in _BLACK:
        return "currentColor"
    return value

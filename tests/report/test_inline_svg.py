from slmkit.report.inline_svg import inline_svg

HOSTILE = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="x()">
  <style>* {fill: url(https://evil.example)}</style><script>x()</script><!-- gone -->
  <foreignObject><body xmlns="http://www.w3.org/1999/xhtml"/></foreignObject>
  <a href="javascript:x()"><text>link</text></a><image href="https://evil.example/p.png"/>
  <use xlink:href="https://evil.example#a"/><animate attributeName="href" to="x"/>
  <path id="mark" d="M0 0" style="stroke: #000000; fill: URL( https://evil.example ); behavior: x"/>
  <g clip-path="url(#clip)" onclick="x()"><use xlink:href="#mark"/></g>
  <text style="font: italic 700 9px 'Some Font'">5 &lt; 6 &amp; 7</text>
</svg>"""


def test_a_figure_is_rebuilt_from_the_allow_list(parse):
    clean = inline_svg(HOSTILE, prefix="f0", label='a "chart"')
    page = parse(str(clean))
    assert [tag for tag, _ in page.elements] == ["svg", "use", "path", "g", "use", "text"]
    assert not any(word in clean for word in ("evil", "javascript", "onclick", "onload", "x()"))
    path, group, use, text = (attributes for _, attributes in page.elements[2:])
    assert path == {"id": "f0-mark", "d": "M0 0", "stroke": "currentColor"}
    assert group == {"clip-path": "url(#f0-clip)"} and use == {"href": "#f0-mark"}
    assert text == {"font-style": "italic", "font-weight": "700", "font-size": "9"}
    assert page.elements[0][1]["aria-label"] == 'a "chart"' and "5 < 6 & 7" in page.text


def test_an_image_inside_a_figure_is_kept_only_as_png_data():
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><image href="data:image/{};base64,iVBORw0KGgo="/></svg>'
    assert "iVBORw0KGgo=" in inline_svg(svg.format("png"), prefix="f", label="")
    assert "iVBORw0KGgo=" not in inline_svg(svg.format("svg+xml"), prefix="f", label="")
